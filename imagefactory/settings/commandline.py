"""The command line, read by argparse from the option table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from imagefactory.lib.errors import Problem
from imagefactory.settings.option import Option, OptionKind
from imagefactory.settings.option_list import BY_FLAG, OPTIONS, nearest


class _UsageError(Exception):
    """The command line cannot be taken apart."""


class _SettingsParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(message)


def read_arguments(argv: Sequence[str]) -> tuple[dict[str, list[str]], list[Problem]]:
    """Returns for each option given, by the name of its field, all its texts in order; and what is wrong.

    A flag without a value counts as `true`; `--flag=false` switches off what the file switched on.
    """
    try:
        found, unknown = _parser().parse_known_args(list(argv))
    except (_UsageError, argparse.ArgumentError) as error:
        return {}, [Problem("command line", str(error))]
    return dict(vars(found)), [_unknown(text) for text in unknown]


def _parser() -> argparse.ArgumentParser:
    parser = _SettingsParser(prog="imagefactory", add_help=False, allow_abbrev=False, exit_on_error=False)
    for declared in OPTIONS:
        if declared.option.flag:
            parser.add_argument(*_spellings(declared.option), dest=declared.name, **_arity(declared.option))
    return parser


def _spellings(option: Option) -> list[str]:
    return [spelling for spelling in (option.short, option.flag) if spelling]


def _arity(option: Option) -> dict[str, Any]:
    optional = {"nargs": "?", "const": "true"} if option.kind is OptionKind.FLAG else {}
    return {"action": "append", "default": argparse.SUPPRESS, **optional}


def _unknown(text: str) -> Problem:
    flag = text.partition("=")[0]
    if not text.startswith("-"):
        return Problem("command line", f"'{flag}' stands alone: every value belongs to an option")
    return Problem(flag, f"there is no such option{nearest(flag, BY_FLAG)}")
