"""Readable tables, in Markdown, and what they were measured on."""

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version

MIB = 1 << 20


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one table; columns but the first are numbers and stand right."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    print(f"\n### {title}\n")
    print(_line(head, widths))
    print("|" + "|".join("-" * (width + 1) + (":" if place else "-") for place, width in enumerate(widths)) + "|")
    for row in rows:
        print(_line(row, widths))
    print(flush=True)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join((first, *others)) + " |"


def progress(text: str) -> None:
    """Tell what is being measured."""
    print(f"... {text}", flush=True)


def megabytes(size: float) -> str:
    """Bytes in MB."""
    return f"{size / 1e6:.0f} MB"


def ratio(part: float, whole: float) -> str:
    """How many times `whole` is `part`."""
    return f"{part / whole:.2f} x" if whole else "-"


def conditions(name: str) -> str:
    """Date, machine, load and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    versions = ", ".join(f"{package} {version(package)}" for package in ("Twisted", "klein", "treq", "SQLAlchemy"))
    tools = ", ".join(filter(None, (_first_line(*tool) for tool in TOOLS)))
    return (
        f"\n## {name}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC\n\n"
        f"- {_system()}, Linux {platform.release()}, {os.cpu_count()} processors, {memory:.0f} GiB of memory\n"
        f"- load average before: {load}\n- Python {platform.python_version()}, {versions}\n- {tools}"
    )


TOOLS = (("mmdebstrap", "--version"), ("qemu-img", "--version"), ("nginx", "-v"), ("curl", "--version"))


def _first_line(*argv: str) -> str:
    try:
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return " ".join((run.stdout or run.stderr).splitlines()[0].split()[:3])


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
