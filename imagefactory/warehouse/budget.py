"""How much memory bodies on their way may take together, however many there are."""

from __future__ import annotations

SMALLEST = 64 << 10

UPLOADS = 16 << 20
DOWNLOADS = 16 << 20


class Budget:
    """So many bytes for all that have joined, in equal shares: one alone is fast, many are small."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._joined = 0

    def join(self) -> None:
        """One more."""
        self._joined += 1

    def leave(self) -> None:
        """One less."""
        self._joined -= 1

    def share(self, most: int) -> int:
        """What each may take now; `most`: more is of no use."""
        return max(SMALLEST, min(most, self._total // max(1, self._joined)))
