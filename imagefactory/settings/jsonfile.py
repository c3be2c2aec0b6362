"""The configuration file: one JSON object, UTF-8."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagefactory.lib.errors import Problem
from imagefactory.settings.option_list import BY_KEY, Declared, nearest

Read = Callable[[Path], bytes]
Mode = Callable[[Path], int]

OTHERS = 0o077
"""Bits of a file's mode: what its group and everybody else may do."""


def read_file(path: Path, *, needed: bool, read: Read) -> tuple[dict[str, Any], list[Problem]]:
    """Returns the keys of the file, and its problems as a whole; only a file that is not `needed` may be absent."""
    try:
        return _object(read(path).decode("utf-8-sig")), []
    except FileNotFoundError:
        return {}, [Problem(str(path), "there is no such file")] if needed else []
    except OSError as error:
        return {}, [Problem(str(path), f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return {}, [Problem(str(path), f"is not UTF-8 text: byte {error.start + 1} does not fit")]
    except json.JSONDecodeError as error:
        return {}, [Problem(f"{path}, line {error.lineno}, column {error.colno}", f"is not JSON: {error.msg}")]
    except (ValueError, RecursionError) as error:
        return {}, [Problem(str(path), f"cannot be used: {error}")]


def mode_of(path: Path) -> int:
    """Returns the mode of a file; that of a private one if there is none."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0o600


def holds_secret(declared: Declared, value: Any) -> bool:
    """Whether a value is, or has in it, what other users must not read: a secret, or a document that may have one."""
    option = declared.option
    return bool(value) and (option.secret or (option.hidden and any("<" in text or "{" in text for text in value)))


def _object(text: str) -> dict[str, Any]:
    document = json.loads(text, object_pairs_hook=_unique)
    if not isinstance(document, dict):
        raise ValueError("it has to be one JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(name for name, _ in pairs)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"these keys stand in it twice: {', '.join(twice)}")
    return dict(pairs)


def known_key(path: Path, key: str) -> Declared | Problem:
    """Returns the option of a key, or the problem that there is none; dashes and underscores are equal."""
    spellings = {known.replace("-", "_"): declared for known, declared in BY_KEY.items()}
    found = spellings.get(key.replace("-", "_"))
    return found or Problem(f"{path}: {key}", f"there is no such key{nearest(key, BY_KEY)}")
