"""The settings of a run: command line before configuration file before default; all problems in one error."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.settings.commandline import read_arguments
from imagefactory.settings.derived import derive
from imagefactory.settings.jsonfile import OTHERS, Mode, Read, holds_secret, known_key, mode_of, read_file
from imagefactory.settings.option import OptionKind
from imagefactory.settings.option_list import OPTIONS, Declared
from imagefactory.settings.table import Settings
from imagefactory.settings.values import from_json, from_text


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and for each field where its value comes from: `command line`, the file's path, or `default`."""

    settings: Settings
    sources: Mapping[str, str]


def load(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    uid: int,
    read: Read = Path.read_bytes,
    mode: Mode = mode_of,
    cwd: Path | None = None,
) -> Settings:
    """Read the settings.

    Args:
        argv: the arguments, without the program's name.
        environ: with `uid` decides where state is kept.
        uid: the effective user id.
        read: reads a file.
        mode: returns the mode of one.
        cwd: relative paths count from here (None: the current directory).

    Raises:
        InvalidInput: with all problems of command line and file.
    """
    return load_with_sources(argv, environ=environ, uid=uid, read=read, mode=mode, cwd=cwd).settings


def load_here(argv: Sequence[str]) -> Settings:
    """Read the settings of this process for these arguments, as `load`."""
    return load(argv, environ=os.environ, uid=os.geteuid())


def load_with_sources(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    uid: int,
    read: Read = Path.read_bytes,
    mode: Mode = mode_of,
    cwd: Path | None = None,
) -> Loaded:
    """As `load`, with the source of each value."""
    gathered = _Gathering(cwd or Path.cwd())
    gathered.take_arguments(argv)
    gathered.take_file(read, mode)
    settings = replace(Settings(), **gathered.values)
    settings, derived_problems = derive(settings, environ=environ, uid=uid)
    problems = [*gathered.problems, *derived_problems]
    if problems:
        raise InvalidInput("these settings cannot be used", problems=problems, hint="imagefactory --help lists all")
    return Loaded(settings, {declared.name: gathered.sources.get(declared.name, "default") for declared in OPTIONS})


def with_changes(settings: Settings, **changes: Any) -> Settings:
    """Returns a copy with other values; settings derived from them are not derived again."""
    return replace(settings, **changes)


class _Gathering:
    """Values being gathered; the first value of an option wins."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[Problem] = []

    def take_arguments(self, argv: Sequence[str]) -> None:
        """Add the command line."""
        found, problems = read_arguments(argv)
        self.problems += problems
        for declared in OPTIONS:
            if declared.name in found:
                self._take_texts(declared, found[declared.name])

    def _take_texts(self, declared: Declared, texts: list[str]) -> None:
        option = declared.option
        self.sources[declared.name] = "command line"
        try:
            members = [from_text(option, text, self._cwd) for text in texts]
        except ValueError as error:
            self.problems.append(Problem(option.flag, str(error)))
            return
        self.values[declared.name] = tuple(members) if option.kind is OptionKind.LIST else members[-1]

    def take_file(self, read: Read, mode: Mode) -> None:
        """Add the file that `config` names."""
        path = self.values.get("config", Settings().config)
        found, problems = read_file(path, needed="config" in self.values, read=read)
        self.problems += problems
        secrets = False
        for key, value in found.items():
            declared = known_key(path, key)
            if isinstance(declared, Problem):
                self.problems.append(declared)
            elif value is not None:
                self._take_json(path, key, declared, value)
                secrets |= holds_secret(declared, value)
        if secrets and mode(path) & OTHERS:
            self.problems.append(Problem(str(path), f"has secrets, and others may read it: chmod 600 {path}"))

    def _take_json(self, path: Path, key: str, declared: Declared, value: Any) -> None:
        try:
            typed = from_json(declared.option, value, self._cwd)
        except ValueError as error:
            self.problems.append(Problem(f"{path}: {key}", str(error)))
            return
        if declared.name not in self.sources:
            self.values[declared.name] = typed
            self.sources[declared.name] = str(path)
