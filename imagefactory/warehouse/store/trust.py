"""Which bodies were found to be whole not long ago, so that they need not be hashed each time they are sent."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from hashlib import sha256

from imagefactory.files.content import Content
from imagefactory.files.holes import hash_zeroes
from imagefactory.warehouse.store.blobs import Blob, Reader

SECONDS = 24 * 3600
_MOST = 10_000
_CHUNK = 1 << 20


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

    def proves(self, blob: Blob, reader: Reader) -> bool:
        """Whether `reader` reads what was stored: its size and, if it was not right lately, its digest. Blocks."""
        if reader.size != blob.size:
            return False
        if not self.holds(blob, reader):
            if not is_stored(blob, reader):
                return False
            self.add(blob, reader)
        return True


def is_stored(blob: Blob, reader: Reader) -> bool:
    """Whether `reader` reads what was stored, by the digest that costs least. Blocks."""
    if blob.content:
        reading = Content(reader.size, reader.extents(), reader.read)
        deque(reading, maxlen=0)
        return reading.digest == blob.content
    return sha256_of(reader) == blob.sha256


def sha256_of(reader: Reader) -> str:
    """The SHA-256 of all of it; holes are not read."""
    hashed, at = sha256(), 0
    for start, length in reader.extents():
        hash_zeroes(hashed, start - at)
        at = start + length
        for place in range(start, at, _CHUNK):
            hashed.update(reader.read(place, min(_CHUNK, at - place)))
    hash_zeroes(hashed, reader.size - at)
    return hashed.hexdigest()
