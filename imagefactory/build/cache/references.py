"""Who uses which entry within this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Closable(Protocol):
    """Something that keeps an entry from being evicted until it is closed."""

    def close(self) -> None: ...


@dataclass(slots=True)
class _Hold:
    users: int = 0
    lease: Closable | None = None


class References:
    """Counts the users of each entry, and closes its lease with the last of them."""

    def __init__(self) -> None:
        self._holds: dict[str, _Hold] = {}

    def begin(self, digest: str) -> None:
        """One more user; the lease may come later."""
        self._holds.setdefault(digest, _Hold()).users += 1

    def keep(self, digest: str, lease: Closable) -> None:
        """The lease to be closed with the last user; an earlier one is closed now."""
        hold = self._holds[digest]
        if hold.lease is not None:
            hold.lease.close()
        hold.lease = lease

    def end(self, digest: str) -> None:
        """One user less; a release too many changes nothing."""
        hold = self._holds.get(digest)
        if hold is None:
            return
        hold.users -= 1
        if hold.users == 0:
            del self._holds[digest]
            if hold.lease is not None:
                hold.lease.close()
