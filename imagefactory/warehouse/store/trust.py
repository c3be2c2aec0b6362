"""Which bodies were found to be whole not long ago, so that they need not be hashed each time they are sent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from imagefactory.lib.files.content import ContentDigest, Digest, Reading, WholeDigest
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
        """Whether it was right lately and the file has not been touched since."""
        version, since = self._seen.get(blob.id, ("", 0.0))
        return version == reader.version and abs(self._now() - since) < SECONDS

    def proves(self, blob: Blob, reader: Reader) -> bool:
        """Whether `reader` reads what was stored: its size and, if it was not right lately, its digest. Blocks."""
        if reader.size != blob.size:
            return False
        if not self.holds(blob, reader):
            reading, wanted = proof(blob, reader)
            if reading.whole() != wanted:
                return False
            self.add(blob, reader)
        return True


def proof(blob: Blob, reader: Reader) -> tuple[Reading, str]:
    """The digest that costs least, not read yet, and what it has to be. Blocks."""
    digest, wanted = digest_of(blob)
    return Reading(digest, reader.size, reader.extents(), reader.read), wanted


def digest_of(blob: Blob) -> tuple[Digest, str]:
    """The digest that costs least, of nothing yet, and what it has to become."""
    return (ContentDigest(), blob.content) if blob.content else (WholeDigest(), blob.sha256)
