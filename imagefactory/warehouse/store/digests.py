"""The SHA-256 of all bytes of a body that was a file: computed when it is first asked for, and kept.

For a large disk that is mostly holes it costs far more than all else (about a second per GiB): HTTP tells it of what is
fetched, and other warehouses want to know it; nothing else does.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from imagefactory.lib.files.content import Digest, Reading, WholeDigest
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.store.trust import digest_of


def digested(store: Store, stored: StoredObject) -> StoredObject:
    """The object with the SHA-256 of its body; marked as damaged if that is not what was stored. Blocks.

    Raises NotFound if the body was replaced meanwhile.
    """
    blob = stored.blob
    if blob is None or blob.sha256 or blob.damaged:
        return stored
    with closing(store.blobs.open(blob.id)) as reader:
        whole, (known, wanted) = WholeDigest(), digest_of(blob)
        Reading(_Both(whole, known), reader.size, reader.extents(), reader.read).whole()
        if reader.size != blob.size or known.hexdigest() != wanted:
            store.mark_damaged(blob.id)
            return replace(stored, blob=replace(blob, damaged=True))
        store.trust.add(blob, reader)
    sha256 = whole.hexdigest()
    with store.metadata.write() as transaction:
        transaction.note_sha256(blob.id, sha256)
    return replace(stored, blob=replace(blob, sha256=sha256))


class _Both:
    """Two digests of what is read once."""

    def __init__(self, first: Digest, second: Digest) -> None:
        self._digests = first, second

    def update(self, data: bytes | memoryview, /) -> None:
        for digest in self._digests:
            digest.update(data)

    def skip(self, length: int, /) -> None:
        for digest in self._digests:
            digest.skip(length)

    def hexdigest(self) -> str:
        return self._digests[0].hexdigest()
