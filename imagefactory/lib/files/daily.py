"""Work on a directory that is worth doing once a day, whichever process comes first."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

DAY = 86_400.0


def claim_daily(mark: Path, now: float, *, always: bool = False) -> bool:
    """Returns whether the work is to be done now, and notes that it is. Blocks.

    Two processes that ask in the same moment may both be told to; a mark that cannot be written makes it due each time.

    Args:
        mark: the file whose modification time says when it was last done; it is made.
        now: Unix time in seconds. A mark of the future, of a clock that was set back, counts as none.
        always: it is to be done, however short ago it was.
    """
    with suppress(OSError):
        if not always and 0 <= now - mark.stat().st_mtime < DAY:
            return False
    with suppress(OSError):
        mark.touch()
    return True
