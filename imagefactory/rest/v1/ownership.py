"""Who may change what: a record and a job are those of the client that asked for them.

All clients may read. What has no owner (it is older than owners, the command made it, or there is no OAuth) is
everybody's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from imagefactory.lib.errors import Forbidden, NotFound
from imagefactory.model.jobs import Job
from imagefactory.model.records import BuildRecord, ImageRecord, ProviderImageRecord, TargetImageRecord
from imagefactory.rest.call import RestCall
from imagefactory.rest.interface import ImageInventory

Owned = Job | ImageRecord | BuildRecord | TargetImageRecord | ProviderImageRecord
Find = Callable[[str], Awaitable[Owned]]


class Ownership:
    """Refuses changes of what belongs to other clients.

    Args:
        admins: keys of clients that may change everything.
        checked: whether anything is refused; owners are noted in any case.
    """

    def __init__(self, inventory: ImageInventory, admins: Collection[str], *, checked: bool) -> None:
        self._inventory = inventory
        self._admins = frozenset(admins)
        self._checked = checked

    def demand(self, call: RestCall, *things: Owned) -> None:
        """Raises Forbidden unless the client of `call` may change all of them."""
        if self._everything_is_open(call):
            return
        for each in things:
            if each.owner not in {None, call.client}:
                hint = 'its owner may, or a client with "role": "admin"; "ownership": "off" lets all clients'
                raise Forbidden(f"{each.id} belongs to another client", hint=hint)

    async def demand_new_or_own(self, call: RestCall, image_id: str | None, build_id: str | None) -> None:
        """As `demand`, for ids that need not be known."""
        if self._everything_is_open(call):
            return
        if image_id:
            await self._demand_if_known(call, self._inventory.image, image_id)
        if build_id:
            await self._demand_if_known(call, self._inventory.build, build_id)

    async def demand_image(self, call: RestCall, id: str) -> None:
        """As `demand`, with everything below; raises NotFound, too."""
        if not self._everything_is_open(call):
            self.demand(call, await self._inventory.image(id))
            for build in await self._inventory.builds(id):
                await self.demand_build(call, build.id)

    async def demand_build(self, call: RestCall, id: str) -> None:
        """As `demand_image`."""
        if not self._everything_is_open(call):
            self.demand(call, await self._inventory.build(id))
            for image in await self._inventory.target_images(id):
                await self.demand_target_image(call, image.id)

    async def demand_target_image(self, call: RestCall, id: str) -> None:
        """As `demand_image`."""
        if not self._everything_is_open(call):
            self.demand(call, await self._inventory.target_image(id), *await self._inventory.provider_images(id))

    async def demand_provider_image(self, call: RestCall, id: str) -> None:
        """As `demand_image`."""
        if not self._everything_is_open(call):
            self.demand(call, await self._inventory.provider_image(id))

    async def demand_pushable(
        self, call: RestCall, image_id: str | None, build_id: str | None, target_image_id: str | None
    ) -> None:
        """As `demand_new_or_own`, with the image that is pushed."""
        await self.demand_new_or_own(call, image_id, build_id)
        if target_image_id and not self._everything_is_open(call):
            await self._demand_if_known(call, self._inventory.target_image, target_image_id)

    async def _demand_if_known(self, call: RestCall, find: Find, id: str) -> None:
        try:
            self.demand(call, await find(id))
        except NotFound:
            return

    def _everything_is_open(self, call: RestCall) -> bool:
        return not self._checked or call.client is None or call.client in self._admins
