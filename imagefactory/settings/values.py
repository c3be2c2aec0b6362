"""From a text of the command line or a value of the JSON file to the value of an option.

All functions raise ValueError with what is wrong and what is allowed; secrets are not quoted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from imagefactory.lib.secret import Secret
from imagefactory.model.reading import quoted
from imagefactory.model.sizes import parse_size
from imagefactory.settings.option import Option, OptionKind

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def from_text(option: Option, text: str, cwd: Path) -> Any:
    """Returns the value of one text of the command line; for a LIST one member."""
    if option.kind in _READERS:
        return _READERS[option.kind](option, text)
    plain = _text(option, text, cwd)
    return Path(plain) if option.kind is OptionKind.PATH else plain


def from_json(option: Option, value: Any, cwd: Path) -> Any:
    """Returns the value of a key of the JSON file; a wrong type is an error."""
    if option.kind is OptionKind.LIST and isinstance(value, str | list):
        members = [value] if isinstance(value, str) else value
        return tuple(from_text(option, _member(member), cwd) for member in members)
    if option.kind is OptionKind.MAP and isinstance(value, dict):
        return _map(option, value)
    if type(value) in _JSON_TYPES.get(option.kind, ()):
        return from_text(option, value if isinstance(value, str) else json.dumps(value), cwd)
    raise ValueError(f"is {_json_type(value)}, but has to be {_wanted(option)}")


def _flag(_option: Option, text: str) -> bool:
    if text.lower() in TRUE + FALSE:
        return text.lower() in TRUE
    raise ValueError(f"{quoted(text)} is none of true, false")


def _number(option: Option, text: str) -> int:
    digits = text.removeprefix("-")
    number = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    above = number is not None and option.high is not None and number > option.high
    if number is None or number < option.low or above:
        upper = "" if option.high is None else f" and at most {option.high}"
        raise ValueError(f"{quoted(text)} is not a whole number of at least {option.low}{upper}")
    return number


def _size(_option: Option, text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise ValueError(f"{quoted(text)} {error}") from None


def _choice(option: Option, text: str) -> str:
    if text not in option.choices:
        raise ValueError(f"{quoted(text)} is none of {', '.join(option.choices)}")
    return text


def _text(option: Option, text: str, cwd: Path) -> Any:
    if option.secret:
        return Secret(text)
    if option.check is not None:
        try:
            option.check(text)
        except ValueError as error:
            raise ValueError(f"{quoted(text)} {error}") from None
    return _file(text, cwd, needed=option.kind is not OptionKind.TEXT) if option.file else text


def _file(text: str, cwd: Path, *, needed: bool) -> str:
    if "\0" in text or (needed and not text):
        raise ValueError(f"{quoted(text)} names no file or directory")
    return str(cwd / text) if text else ""


def _map(option: Option, value: Mapping[str, Any]) -> dict[str, Any]:
    if option.objects is not None:
        objects = {key: _object_entry(option, key, given) for key, given in value.items() if isinstance(given, dict)}
        texts = {key: given for key, given in value.items() if key not in objects}
        return {**_text_map(option, {**texts, **{key: one.reveal() for key, one in objects.items()}}), **objects}
    return _text_map(option, value)


def _object_entry(option: Option, key: str, value: Mapping[str, Any]) -> Any:
    assert option.objects is not None
    try:
        return option.objects(value)
    except ValueError as error:
        raise ValueError(f"the value of {quoted(key)} {error}") from None


def _text_map(option: Option, value: Mapping[str, Any]) -> dict[str, Any]:
    wrong = [key for key, text in value.items() if not isinstance(text, str) or not key]
    if wrong:
        raise ValueError(f"the value of {', '.join(map(quoted, wrong))} has to be a text, and its name not empty")
    if option.secret and not all(value.values()):
        empty = [key for key, text in value.items() if not text]
        raise ValueError(f"the secret of {', '.join(map(quoted, empty))} is empty: everybody would know it")
    return {key: Secret(text) if option.secret else text for key, text in _entries(option, value)}


def _entries(option: Option, value: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    problems = []
    for key, text in value.items():
        try:
            yield option.entry(key, text) if option.entry else (key, text)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))


def _json_map(option: Option, text: str) -> dict[str, Any]:
    return _map(option, _object(text))


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError('has to be a JSON object like {"name": "value"}')
    return value


def _member(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"has {_json_type(value)} in it, but has to be a list of texts")
    return value


def _json_type(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a fraction",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")


def _wanted(option: Option) -> str:
    wanted = {
        OptionKind.FLAG: "true or false",
        OptionKind.NUMBER: "a whole number",
        OptionKind.SIZE: 'a number of bytes or a text like "20G"',
        OptionKind.LIST: "a list of texts",
        OptionKind.MAP: "an object with texts",
        OptionKind.CHOICE: f"one of {', '.join(option.choices)}",
    }
    return wanted.get(option.kind, "a text")


_READERS: Mapping[OptionKind, Callable[[Option, str], Any]] = {
    OptionKind.FLAG: _flag,
    OptionKind.NUMBER: _number,
    OptionKind.SIZE: _size,
    OptionKind.MAP: _json_map,
    OptionKind.CHOICE: _choice,
}
_JSON_TYPES: Mapping[OptionKind, tuple[type, ...]] = {
    OptionKind.FLAG: (bool, int),
    OptionKind.NUMBER: (int, str),
    OptionKind.SIZE: (int, str),
    OptionKind.TEXT: (str,),
    OptionKind.PATH: (str,),
    OptionKind.CHOICE: (str,),
}
