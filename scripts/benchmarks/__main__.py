"""What scripts/bench runs."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from scripts.benchmarks import builds, rest, warehouse
from scripts.benchmarks.tables import conditions
from scripts.benchmarks.trials import TROUBLE

PARTS = {"builds": builds.measure, "rest": rest.measure, "warehouse": warehouse.measure}


def main() -> int:
    """Run the parts that are asked for; the exit status is 1 if one could not be measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure the factory on this machine.")
    parser.add_argument("parts", nargs="*", metavar="builds|rest|warehouse", help="what to measure (default: all)")
    parser.add_argument("--directory", type=Path, help="work in a new directory below this one")
    parser.add_argument("--install", action="store_true", help="install missing peers first")
    asked = parser.parse_args()
    unknown = set(asked.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is cleaned up then, too
    return max([_measure(name, asked.directory, install=asked.install) for name in asked.parts or PARTS])


def _measure(name: str, below: Path | None, *, install: bool) -> int:
    """One part; the others are measured even if it cannot be."""
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-", dir=below) as directory:
        print(conditions(name), flush=True)
        try:
            PARTS[name](Path(directory), install=install)
        except TROUBLE as error:
            print(f"{name} could not be measured: {error}", file=sys.stderr, flush=True)
            return 1
    return 0


sys.exit(main())
