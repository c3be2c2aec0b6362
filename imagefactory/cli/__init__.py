"""The command line: `imagefactory` and `imagewarehouse`."""

from __future__ import annotations

import sys


def main() -> None:
    """The `imagefactory` command."""
    from imagefactory.cli.entry import factory_command

    sys.exit(factory_command(sys.argv[1:]))


def warehouse_main() -> None:
    """The `imagewarehouse` command."""
    from imagefactory.cli.entry import warehouse_command

    sys.exit(warehouse_command(sys.argv[1:]))
