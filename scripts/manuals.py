"""Write the manual pages and the sample configuration from the tables they must agree with.

python -m scripts.manuals            write docs/man and etc/imagefactory/imagefactory.conf
python -m scripts.manuals --check    fail if they are not what would be written
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from imagefactory import __version__
from imagefactory.cli.warehouse import parser as warehouse_parser
from imagefactory.model.sizes import UNITS
from imagefactory.settings.manual import keys_roff, options_roff, sample
from imagefactory.targets.descriptor import TargetDescriptor
from imagefactory.targets.registry import TARGETS
from scripts import rest_manual

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "docs" / "man" / "src"


def documents() -> Iterator[tuple[Path, str]]:
    """Each generated file with its content."""
    for source in sorted(SOURCES.glob("*.roff")):
        yield SOURCES.parent / source.stem, _filled(source.read_text("utf-8"))
    yield ROOT / "etc" / "imagefactory" / "imagefactory.conf", sample()


def _filled(text: str) -> str:
    for mark, write in MARKS.items():
        if mark in text:
            text = text.replace(mark, write())
    return text


def _warehouse_options() -> str:
    return "".join(_option(action) for action in warehouse_parser()._actions)


def _option(action: argparse.Action) -> str:
    value = f" {action.metavar}" if action.metavar else ""
    return f".TP\n.B {', '.join(action.option_strings)}{value}\n{action.help}\n".replace("-", "\\-")


def _providers() -> str:
    """Each target with the names of its providers, their settings, and the credentials for them."""
    return "".join(_target(TARGETS.get(name)) for name in sorted(TARGETS.names()))


def _target(target: TargetDescriptor) -> str:
    parts = [f"names: {', '.join(names.shown for names in target.names)}"] if target.names else []
    if target.definition.keys:
        parts.append(f"definitions in {target.definition.file}: {', '.join(target.definition.keys)}")
    if target.credentials:
        parts.append(f"credentials: {target.credentials.element} with {', '.join(target.credentials.fields)}")
    return f".TP\n.B {target.name}\n{'; '.join(parts)}\n".replace("-", "\\-")


MARKS: dict[str, Callable[[], str]] = {
    "@VERSION@": lambda: __version__,
    "@OPTIONS@\n": options_roff,
    "@KEYS@\n": keys_roff,
    "@PROVIDERS@\n": _providers,
    "@UNITS@": lambda: UNITS,
    "@ROUTES@\n": rest_manual.addresses,
    "@REQUESTS@\n": rest_manual.requests,
    "@ANSWERS@\n": rest_manual.answers,
    "@WAREHOUSE_OPTIONS@\n": _warehouse_options,
}


def main(arguments: list[str]) -> int:
    """Write or check; 1 if something is not current."""
    stale = [(path, text) for path, text in documents() if not path.exists() or path.read_text("utf-8") != text]
    for path, text in stale:
        print(f"{path.relative_to(ROOT)}: {'not current' if '--check' in arguments else 'written'}")
        if "--check" not in arguments:
            path.write_text(text, "utf-8")
    if stale and "--check" in arguments:
        print("run: python -m scripts.manuals")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
