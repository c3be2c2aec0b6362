"""Single values of a template: each function reads one text, reports problems at its place, returns what it means."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from imagefactory.lib.secret import Secret, without_secrets
from imagefactory.model.reading import Text, quoted
from imagefactory.model.sizes import parse_size
from imagefactory.model.visible import is_control, is_hidden

LONGEST_NAME = 255
GIB = 1 << 30
BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}

_PACKAGE = re.compile(r"[A-Za-z0-9/*][A-Za-z0-9+._:~^=/@*?()-]*(?<!-)|@\^?[A-Za-z0-9][A-Za-z0-9+._ -]*(?<![ -])")


def line(text: Text) -> str:
    """Returns a text of one line that says something."""
    problem = _line_problem(text.value)
    if problem:
        text.problem(problem)
    return text.value


def foreign_line(text: Text) -> str:
    """As `line`, for what a system said of itself: it may have what is not seen."""
    problem = _line_problem(text.value, is_control)
    if problem:
        text.problem(problem)
    return text.value


def optional_line(text: Text) -> str:
    """Returns a text of one line that may be empty."""
    return line(text) if text.value else ""


def paragraph(text: Text) -> str:
    """Returns a text of any number of lines."""
    if any(is_control(character) and character not in "\t\n\r" for character in text.value):
        text.problem("has a control character")
    return text.value


def secret_line(text: Text) -> Secret:
    """Returns a password or key; complaints never show it."""
    problem = _line_problem(text.value, is_control)
    if problem:
        text.secret_problem(problem)
    return Secret(text.value)


def file_name(text: Text) -> str:
    """Returns a name that may become part of a file name: no `/`, not `..`."""
    name = line(text)
    if "/" in name or name in {".", ".."} or len(name) > LONGEST_NAME:
        text.problem(f"is no good name: without '/', not '.' or '..', at most {LONGEST_NAME} characters")
    return name


def title(text: Text) -> str:
    """Returns a name for people."""
    name = line(text)
    if len(name) > LONGEST_NAME:
        text.problem(f"is too long: it has {len(name)} characters, {LONGEST_NAME} are allowed")
    return name


def repository_name(text: Text) -> str:
    """Returns a repository's name, which becomes a file name and a section heading in the guest."""
    name = file_name(text)
    if name.startswith(("-", ".")) or set(name) & set("[]"):
        text.problem("is no good name: it may not start with '-' or '.', nor have brackets")
    return name


def package_name(text: Text) -> str:
    """What package managers take: names, `name:arch`, `name=version`, NEVRA, `perl(Module)`, patterns (`lib*`), paths
    and `@a group`, but no option; every shell gets them quoted."""
    if not _PACKAGE.fullmatch(text.value):
        text.problem("is no package: letters, digits and + . _ : ~ ^ = / @ * ? ( ) - (not first or last), or @a group")
    return text.value


def guest_path(text: Text) -> str:
    """Returns an absolute path of a file in the guest."""
    path = line(text)
    if not path.startswith("/") or path.endswith("/") or ".." in path.split("/"):
        text.problem("is no file in the image: an absolute path without '..' is needed")
    return posixpath.normpath(f"/{path.lstrip('/')}")


def relative_path(text: Text) -> str:
    """Returns a path below the root of a medium."""
    path = line(text)
    if path.startswith("/") or ".." in path.split("/") or posixpath.normpath(path) == ".":
        text.problem("leads out of the medium: a relative path without '..' is needed")
    return posixpath.normpath(path)


def url(text: Text, *schemes: str) -> str:
    """A URL with one of `schemes`; a `file:` URL has an absolute path on this host. Complaints show no password in
    it."""
    problem = _line_problem(text.value) or _url_problem(text.value, schemes)
    if problem:
        text.secret_problem(f"{_without_user(text.value)} {problem}")
    return text.value


def repository_url(text: Text) -> str:
    """The URL of a repository, or a whole line for apt's sources; the guest fetches it, so this host does not judge."""
    problem = _line_problem(text.value)
    if problem:
        text.secret_problem(f"{_without_user(text.value)} {problem}")
    return text.value


def _line_problem(value: str, bad: Callable[[str], bool] = is_hidden) -> str:
    """Names and addresses have nothing in them that is not seen; a secret may."""
    if not value:
        return "says nothing"
    if any(map(bad, value)):
        return "has a line end, tab or other control or invisible character; it has to be one line"
    return ""


def _url_problem(address: str, schemes: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        return f"is no URL: {error}"
    if parts.scheme.lower() not in schemes:
        return f"is no URL with {' or '.join(f'{scheme}:' for scheme in schemes)}"
    if parts.scheme.lower() == "file":
        good = parts.netloc in {"", "localhost"} and parts.path.startswith("/")
        return "" if good else "is no file on this host: write file:///path"
    return "" if parts.hostname and " " not in address else "is no URL: it names no host, or has a blank"


def _without_user(address: str) -> str:
    """For messages: the address without a user and password in it."""
    return quoted(without_secrets(address))


def boolean(text: Text) -> bool:
    """true, yes, false or no, in any case."""
    value = BOOLEANS.get(text.value.lower())
    if value is None:
        text.problem("is none of true, yes, false, no")
    return bool(value)


def disk_size(text: Text) -> int:
    """Bytes; a number without unit counts GiB."""
    try:
        size = parse_size(text.value, bare=GIB)
    except ValueError as error:
        text.problem(f"{error}; without a unit it counts GiB")
        return GIB
    if not size:
        text.problem("is no size for a disk")
    return size


def base64_data(text: Text) -> bytes:
    """Decoded base64, which may be wrapped into lines."""
    try:
        return base64.b64decode("".join(text.value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        text.problem(f"is not base64: {error}")
        return b""
