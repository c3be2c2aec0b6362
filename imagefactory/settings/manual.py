"""Help, manual pages and the sample file, written from the option table so that they cannot drift from it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagefactory import __version__
from imagefactory.lib.secret import Secret
from imagefactory.model.sizes import format_size
from imagefactory.settings.loading import Loaded
from imagefactory.settings.option import Option, OptionGroup, OptionKind
from imagefactory.settings.option_list import OPTIONS, Declared, of_group

WIDTH = 100
COLUMN = 30
INTRODUCTION = (
    "Build machine images for clouds from one template, push them to providers, or do both as a daemon.\n"
    "Options override the configuration file; a flag set there is switched off with --FLAG=false."
)
STANDARD = (("-h, --help", "show this text and exit"), ("--version", "show the version and exit"))
SAMPLE_KEYS = (
    *("rest", "port", "address", "ssl_pem", "clients", "imgdir", "state_dir", "cache_size", "timeout"),
    *("max_concurrent_local_sessions", "rhevm_image_format", "mirrors"),
)


def early_answer(argv: Sequence[str]) -> str | None:
    """Returns what is printed before any setting is read: help (also without arguments), version; else None."""
    if not argv or "-h" in argv or "--help" in argv:
        return help_text()
    return f"imagefactory {__version__}\n" if "--version" in argv else None


def help_text() -> str:
    """All options of the command line, by group."""
    parts = ["usage: imagefactory [OPTION ...]\n", f"{INTRODUCTION}\n"]
    for group in OptionGroup:
        entries = [(spelling(declared.option), description(declared)) for declared in _on_command_line(group)]
        if group is OptionGroup.GENERAL:
            entries = [*STANDARD, *entries]
        if entries:
            parts.append(f"{group.value}:\n" + "".join(_entry(*entry) for entry in entries))
    return "\n".join(parts)


def spelling(option: Option) -> str:
    """How an option is written: `-v, --verbose`, `--port PORT`."""
    names = ", ".join(name for name in (option.short, option.flag) if name)
    return names if option.kind is OptionKind.FLAG else f"{names} {metavar(option)}"


def metavar(option: Option) -> str:
    """What stands for the value."""
    return option.metavar or (f"{{{','.join(option.choices)}}}" if option.choices else option.kind.value.upper())


def description(declared: Declared) -> str:
    """The help text with the default."""
    default = default_text(declared)
    return f"{declared.option.help} (default: {default})" if default else declared.option.help


def default_text(declared: Declared) -> str:
    """The default as people read it; empty where there is nothing worth saying."""
    option, default = declared.option, declared.default
    if option.default_text or option.secret or option.kind is OptionKind.FLAG or not default:
        return option.default_text
    if option.kind is OptionKind.SIZE:
        return format_size(default)
    return ", ".join(default) if option.kind is OptionKind.LIST else str(default)


def options_roff() -> str:
    """The option section of imagefactory(1)."""
    parts = [_items([(_bold(names), text) for names, text in STANDARD])]
    for group in OptionGroup:
        entries = [(_bold_spelling(declared.option), description(declared)) for declared in _on_command_line(group)]
        parts.append(f".SS {_roff(group.value)}\n{_items(entries)}")
    return "".join(parts)


def keys_roff() -> str:
    """The key section of imagefactory.conf(5)."""
    parts = []
    for group in OptionGroup:
        entries = [
            (f"{_bold(declared.option.key)} ({kind_text(declared.option)})", description(declared))
            for declared in of_group(group)
            if declared.option.key
        ]
        parts.append(f".SS {_roff(group.value)}\n{_items(entries)}")
    return "".join(parts)


def kind_text(option: Option) -> str:
    """The JSON type of a key, for people."""
    names = {
        OptionKind.FLAG: "true or false",
        OptionKind.LIST: "list of texts",
        OptionKind.MAP: "object",
        OptionKind.SIZE: "size",
        OptionKind.NUMBER: _range_text(option),
        OptionKind.PATH: "text",
    }
    return " or ".join(f'"{choice}"' for choice in option.choices) or names.get(option.kind, option.kind.value)


def _range_text(option: Option) -> str:
    upper = "" if option.high is None else f" and at most {option.high}"
    return f"whole number of at least {option.low}{upper}"


def sample() -> str:
    """A configuration file to start from: the defaults of the keys that are changed most."""
    by_key = {declared.option.key: declared for declared in OPTIONS}
    values = {key: _json_value(by_key[key]) for key in SAMPLE_KEYS}
    return json.dumps(values | {"state_dir": "/var/lib/imagefactory"}, indent=4) + "\n"


def explain(loaded: Loaded) -> str:
    """Each setting with its value and where that comes from; what is or may hold a secret is not shown."""
    lines = []
    for declared in OPTIONS:
        value = getattr(loaded.settings, declared.name)
        lines.append(f"{declared.name} = {_shown(declared.option, value)}  ({loaded.sources[declared.name]})\n")
    return "".join(lines)


def _shown(option: Option, value: Any) -> str:
    if value and (option.secret or option.hidden):
        return "<not shown>"
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    match value:
        case Path() | Secret():
            return str(value)
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
    return value


def _json_value(declared: Declared) -> Any:
    if declared.option.kind is OptionKind.SIZE:
        return format_size(declared.default)
    return _plain(declared.default)


def _on_command_line(group: OptionGroup) -> tuple[Declared, ...]:
    return tuple(declared for declared in of_group(group) if declared.option.flag)


def _entry(names: str, text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - COLUMN)
    if len(names) < COLUMN - 3:
        head, rest = f"  {names:<{COLUMN - 2}}{lines[0]}", lines[1:]
    else:
        head, rest = f"  {names}", lines
    return "\n".join([head, *(" " * COLUMN + line for line in rest)]) + "\n"


def _items(entries: Iterable[tuple[str, str]]) -> str:
    return "".join(f".TP\n{head}\n{_roff(text)}\n" for head, text in entries)


def _bold_spelling(option: Option) -> str:
    names = _bold(", ".join(name for name in (option.short, option.flag) if name))
    return names if option.kind is OptionKind.FLAG else f"{names} \\fI{_roff(metavar(option))}\\fR"


def _bold(text: str) -> str:
    return f"\\fB{_roff(text)}\\fR"


def _roff(text: str) -> str:
    """Escaped for roff: a dash is the dash people type."""
    return text.replace("\\", "\\e").replace("-", "\\-")
