"""Runs the command while the turns of its reactor are measured: `metered.py FILE [ARGUMENT ...]`."""

import sys
from pathlib import Path

from imagefactory.testing.turns import measure_turns

if __name__ == "__main__":
    measure_turns(Path(sys.argv.pop(1)))
    from imagefactory.cli import main

    main()
