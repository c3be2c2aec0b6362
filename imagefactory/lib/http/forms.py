"""Forms that browsers and libraries send: media types, urlencoded fields, multipart bodies."""

from __future__ import annotations

from email import policy
from email.message import Message
from email.parser import BytesParser
from urllib.parse import parse_qsl

from imagefactory.lib.errors import InvalidInput

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
LONGEST_BOUNDARY = 200
"""Characters; RFC 2046 has 70."""
LARGEST_HEAD = 8192
"""Bytes of the headers of one part."""

Pairs = list[tuple[str, str]]
_UNENCODED = {"7bit", "8bit", "binary"}


def media_type(header: str) -> str:
    """Returns the type alone, in lower case, without parameters such as charset."""
    return header.partition(";")[0].strip().lower()


def is_form(content_type: str) -> bool:
    """Whether a body is read as a urlencoded form, which one without a type is, too."""
    return media_type(content_type) in {"", FORM}


def urlencoded_pairs(text: str, most: int) -> Pairs:
    """Returns names and values, in order, of a form that is encoded as it has to be.

    Raises:
        InvalidInput: it is malformed, or has more fields than `most`.
    """
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=most)
    except (ValueError, UnicodeDecodeError):
        raise InvalidInput("this is no form") from None


def multipart_pairs(body: bytes, content_type: str, most: int) -> Pairs:
    """Returns names and values of a form (RFC 7578). Its parts are flat: one that has parts of its own is malformed.

    Args:
        content_type: the header, with the boundary.
        most: how many fields there may be.

    Raises:
        InvalidInput: it is malformed, not UTF-8, or has more fields.
    """
    boundary = _header(f"Content-Type: {content_type}".encode()).get_param("boundary")
    if not isinstance(boundary, str) or not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise InvalidInput("the multipart body has no boundary, or a strange one")
    mark = b"\r\n--" + boundary.encode("utf-8", "surrogateescape")
    parts = (b"\r\n" + body).split(mark, most + 2)
    if len(parts) > most + 2:
        raise InvalidInput(f"more than {most} fields")
    if len(parts) < 2 or not parts[-1].startswith(b"--") or parts[0].strip():
        raise InvalidInput("the multipart body is damaged, or its boundary is not the one announced")
    return [_part(part) for part in parts[1:-1]]


def _part(part: bytes) -> tuple[str, str]:
    head, end, payload = part.partition(b"\r\n\r\n")
    if not end or len(head) > LARGEST_HEAD:
        raise InvalidInput("a part of the multipart body has no end of its head, or an endless one")
    header = _header(head.lstrip(b" \t\r\n"))
    name = header.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise InvalidInput("a part of the multipart body has no name")
    if (
        header.get_content_maintype() == "multipart"
        or header.get("content-transfer-encoding", "8bit") not in _UNENCODED
    ):
        raise InvalidInput("a part of the multipart body is encoded, or has parts itself", where=name[:100])
    try:
        return name, payload.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("a part of the multipart body is not UTF-8") from error


def _header(lines: bytes) -> Message:
    return BytesParser(policy=policy.compat32).parsebytes(lines + b"\r\n\r\n", headersonly=True)
