"""What the operations of the API work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.shared import SharedRuns
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.oauth.verifier import BodyHash
from imagefactory.warehouse.budget import DOWNLOADS, UPLOADS, Budget
from imagefactory.warehouse.copies import CopyDirectory
from imagefactory.warehouse.server.call import Call, Reply
from imagefactory.warehouse.server.checking import Checks
from imagefactory.warehouse.server.metrics import Metrics
from imagefactory.warehouse.server.users import Users, body_hash
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.objects import StoredObject

_LARGE = 64 << 10


@dataclass(frozen=True, slots=True)
class Peers:
    """What is beyond this store: the directories for copies, and what asks other warehouses (None: nothing does)."""

    directory: CopyDirectory
    has: Callable[[str, str, str], Awaitable[bool]] | None = None


NOWHERE = Peers(CopyDirectory(None))


class WarehouseContext:
    """The store, who may use it, threads to wait for it in, and what all requests share.

    `threads` are for metadata, `bulk` for bodies, which take long (None: the same).
    """

    def __init__(
        self,
        store: Store,
        threads: Threads,
        clock: Clock,
        users: Users | None,
        peers: Peers,
        *,
        bulk: Threads | None = None,
    ) -> None:
        self.store = store
        self.threads = threads
        self.bulk = bulk or threads
        self.clock = clock
        self.users = users
        self.metrics = Metrics()
        self.uploads, self.downloads = Budget(UPLOADS), Budget(DOWNLOADS)
        self.checks = Checks(store, self.bulk)
        self.digesting: SharedRuns[str, StoredObject] = SharedRuns()  # by blob
        self.copies = peers.directory
        self._has = peers.has

    async def form(self, call: Call) -> dict[str, str]:
        """The fields of the call's form; a large one is read in a thread."""
        return await self.bulk.run(call.form) if len(call.body) > _LARGE else call.form()

    async def has_copy(self, bucket: str, key: str, provider: str) -> bool:
        """Whether a provider has the body as it is now; from what is remembered if the provider cannot be asked."""
        if self._has is not None:
            return await self._has(bucket, key, provider)
        return await self.threads.run(self.store.replication.has_copy, bucket, key, provider)

    def body_hash(self, call: Call) -> BodyHash | None:
        """What a call that was found to be well signed says of its body."""
        return None if self.users is None else body_hash(call)


Operation = Callable[[WarehouseContext, Call], Awaitable[Reply]]
