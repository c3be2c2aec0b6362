"""Which bodies were found to be whole not long ago, so that they need not be hashed each time they are sent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from imagefactory.warehouse.store.blobs import Blob, Reader

SECONDS = 24 * 3600
_MOST = 10_000


class Trust:
    """Remembers per blob what its file looked like when its digest was right; for a day, and only in this process."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def add(self, blob: Blob, reader: Reader) -> None:
        """The digest of what `reader` reads was right."""
        self._seen[blob.id] = reader.version, self._now()
        self._seen.move_to_end(blob.id)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)

    def holds(self, blob: Blob, reader: Reader) -> bool:
        """Whether it was right lately and nobody has touched the file since."""
        version, since = self._seen.get(blob.id, ("", 0.0))
        return version == reader.version and abs(self._now() - since) < SECONDS
