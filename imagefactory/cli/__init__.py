"""The command line: `imagefactory` and `imagewarehouse`."""

from __future__ import annotations

import sys
from collections.abc import Callable

INTERRUPTED = 130
"""The exit status of a command that SIGINT ended before there was anything to clean up, as shells report it."""


def main() -> None:
    """The `imagefactory` command."""

    def run() -> int:
        from imagefactory.cli.entry import factory_command

        return factory_command(sys.argv[1:])

    sys.exit(status(run))


def warehouse_main() -> None:
    """The `imagewarehouse` command."""

    def run() -> int:
        from imagefactory.cli.entry import warehouse_command

        return warehouse_command(sys.argv[1:])

    sys.exit(status(run))


def status(run: Callable[[], int]) -> int:
    """Run a command and return its exit status.

    `run` imports the command first, which takes most of a second and may be interrupted.
    """
    try:
        from imagefactory.cli.streams import forgiving_streams

        forgiving_streams()
        return run()
    except KeyboardInterrupt:
        sys.stderr.write("imagefactory: SIGINT: nothing was begun\n")
        return INTERRUPTED
