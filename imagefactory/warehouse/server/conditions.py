"""Conditional requests and ranges (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Callable

from twisted.web.http import stringToDatetime

from imagefactory.warehouse.server.call import Call, as_text, parse_form
from imagefactory.warehouse.server.errors import StatusError
from imagefactory.warehouse.store.conditions import Condition, ReadAttributes, expecting
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.wire import EXPECTED

FRAMED = "-extents"
"""Ends the tag of a body without its holes: the same content, other bytes. A client that knows what it has of one form
may go on with a range of the other."""

MOST_RANGES = 1000
_TAG = re.compile(r'(?:W/)?"([^"]*)"|([^\s,"]+)')
_RANGE = re.compile(r"\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")


def tags(header: str) -> list[str]:
    """The entity tags of a list; unquoted as iwhd sent them, or quoted as they should be."""
    return [quoted or bare for quoted, bare in _TAG.findall(header)]


def _names_it(header: str, stored: StoredObject | None, suffix: str = "") -> bool:
    if stored is None or not stored.etag:
        return False
    return header.strip() == "*" or stored.etag + suffix in tags(header)


def condition(call: Call) -> Condition:
    """What the call demands of the object before it is changed: If-Match, If-None-Match, attributes; else 412."""
    wanted, unwanted = call.header("if-match"), call.header("if-none-match")
    expected = expecting(parse_form(as_text(call.raw_header(EXPECTED) or b"", EXPECTED)))

    def check(stored: StoredObject | None, attributes: ReadAttributes) -> None:
        expected(stored, attributes)
        if wanted is not None and not _names_it(wanted, stored):
            raise StatusError(412, "the object is not the one that If-Match names")
        if unwanted is not None and _names_it(unwanted, stored):
            raise StatusError(412, "the object is one that If-None-Match excludes")

    return check


def not_modified(call: Call, stored: StoredObject, suffix: str) -> bool:
    """Whether a reader has it already (304); If-Match is checked, too (412).

    `suffix`: what the tag of the form that it would get ends with.
    """
    wanted, known = call.header("if-match"), call.header("if-none-match")
    if wanted is not None and not _names_it(wanted, stored, suffix):
        raise StatusError(412, "the object is not the one that If-Match names")
    if known is not None:
        return _names_it(known, stored, suffix)
    since = _date(call.header("if-modified-since"))
    return since is not None and int(stored.modified) <= since


def ranges(call: Call, stored: StoredObject, size: int, now: float) -> list[tuple[int, int]] | None:
    """The (offset, length) asked for; None: the whole body. 416 if nothing of it is there."""
    header = call.header("range")
    if header is None or call.method != "GET" or not _still(call, stored, now):
        return None
    unit, _, text = header.partition("=")
    parts = text.split(",")
    if unit.strip().lower() != "bytes" or len(parts) > MOST_RANGES:
        return None
    found = [_RANGE.fullmatch(part) for part in parts]
    if any(part is None or not any(part.groups()) for part in found):
        return None  # what cannot be read is ignored
    spans = [span for part in found if part and (span := _span(part[1], part[2], size))]
    if not spans:
        raise StatusError(416, "the body has no such range", headers={"Content-Range": f"bytes */{size}"})
    return spans if sum(length for _, length in spans) <= 2 * size else None


def _span(first: str, last: str, size: int) -> tuple[int, int] | None:
    if not first:
        length = min(int(last), size)
        return (size - length, length) if length else None
    start, end = int(first), min(int(last) if last else size - 1, size - 1)
    return (start, end - start + 1) if start <= end else None


def _still(call: Call, stored: StoredObject, now: float) -> bool:
    """Whether If-Range, if given, means the body as it is now: a date does only if it is older than a second."""
    header = call.header("if-range")
    if header is None:
        return True
    date = _date(header)
    if date is None:
        return [tag.removesuffix(FRAMED) for tag in tags(header)] == [stored.etag]
    return date == int(stored.modified) and now - date > 1


def _date(header: str | None) -> int | None:
    parse: Callable[[bytes], int] = stringToDatetime
    try:
        return None if header is None or "," not in header else parse(header.encode())
    except (ValueError, IndexError):
        return None
