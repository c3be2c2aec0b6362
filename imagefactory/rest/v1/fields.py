"""The fields of a request's body: JSON, wrapped or flat, or a form, as clients of version 1.0 send them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.http.forms import FORM, MULTIPART, is_form, media_type, multipart_pairs
from imagefactory.rest.errors import UnsupportedMedia

Pairs = list[tuple[str, str]]

_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}
DEEPEST = 32
MOST_FIELDS = 1000
_KNOWN = (
    b"template|targets?|target_name|target_identifier|target_image_id|image_id|image_descriptor|build_id|boot_check|"
    b"provider|provider_name|credentials|keep_on_provider|oauth_[a-z_]+"
)
_SEPARATOR = re.compile(
    rb"&(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);|(?P<it>&(?=[A-Za-z_][\w.%+-]*=)|;(?=(?:" + _KNOWN + rb")=))"
)


def read_fields(body: bytes, content_type: str) -> dict[str, Any]:
    """Returns the fields of `body`, of a repeated one the last; values are texts, except in JSON.

    Raises:
        InvalidInput: the body is malformed.
        UnsupportedMedia: it is of another type.
    """
    if not body:
        return {}
    media = media_type(content_type)
    if media == "application/json":
        return _json_fields(body)
    if is_form(content_type):
        return dict(form_pairs(body))
    if media == MULTIPART:
        return dict(multipart_pairs(body, content_type, MOST_FIELDS))
    raise UnsupportedMedia(
        "the body is of a type that is not understood", hint=f"send application/json, {FORM} or {MULTIPART}"
    )


def read_form(body: bytes, content_type: str) -> Pairs:
    """Returns the pairs of a urlencoded form; none for another type."""
    return form_pairs(body) if is_form(content_type) else []


def text_field(fields: Mapping[str, Any], name: str) -> str:
    """Returns the text of a field; empty if it is absent, empty or null.

    Raises:
        InvalidInput: it is something else.
    """
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"{name} must be a text", hint="structured values are sent as one text (XML or JSON)")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InvalidInput(f"{name} is no valid Unicode text", hint="it holds half of a surrogate pair")
    return value


def flag_field(fields: Mapping[str, Any], name: str) -> bool:
    """Whether a field says yes; one that is absent, empty or null says no.

    Raises:
        InvalidInput: it is neither.
    """
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).strip().lower()
    if word not in _YES | _NO:
        raise InvalidInput(f"{name} must be true or false", hint="1 and 0, yes and no, on and off will do, too")
    return word in _YES


def form_pairs(body: bytes) -> Pairs:
    """The pairs of a urlencoded form, in order.

    XML that was not encoded (curl -d) has `&` and `;` of its own, in entities: a separator is only what a field's
    name follows. `;` separates as in the parser of version 1.0, but only before a name that is known, and not as the
    end of an entity.
    """
    pairs = (part.partition(b"=") for part in _parts(body))
    return [(_plain(name), _plain(value)) for name, _, value in pairs if name]


def _parts(body: bytes) -> list[bytes]:
    separators = (match for match in _SEPARATOR.finditer(body) if match["it"])
    found = list(islice(separators, MOST_FIELDS))  # and no further: a form of nothing but fields would cost seconds
    if len(found) == MOST_FIELDS:
        raise InvalidInput(f"more than {MOST_FIELDS} fields")
    begins, ends = [0, *(match.end() for match in found)], [*(match.start() for match in found), len(body)]
    return [body[begin:end] for begin, end in zip(begins, ends, strict=True)]


def _plain(quoted: bytes) -> str:
    try:
        return unquote_to_bytes(quoted.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("a form field is not UTF-8") from error


def _json_fields(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput("the JSON body is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInput("the body is not valid JSON", where=place) from error
    if not isinstance(document, dict):
        raise InvalidInput("the JSON body must be an object")
    if _depth(document) > DEEPEST:
        raise InvalidInput(f"the JSON body is nested deeper than {DEEPEST} levels")
    return _unwrapped(document)


def _unwrapped(document: dict[str, Any]) -> dict[str, Any]:
    """`{"image": {...}}` means its inside."""
    inside = next(iter(document.values())) if len(document) == 1 else None
    return inside if isinstance(inside, dict) else document


def _depth(value: Any) -> int:
    level, values = 0, [value]
    while values and level <= DEEPEST:
        level += 1
        values = [
            child
            for each in values
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
    return level
