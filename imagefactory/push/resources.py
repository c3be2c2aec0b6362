"""The resources of one push over the ledger, and their deletion at the provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import FactoryError
from imagefactory.push.ledger import ResourceLedger
from imagefactory.targets.resources import Resource, ResourceState

SWEEP_SECONDS = 60
"""How long the deletion of the resources of one push may take."""

Delete = Callable[[Resource], Awaitable[None]]
"""Deletes a resource at its provider."""


class Sweeper:
    """Deletes resources at their provider and forgets them; what cannot be deleted is a leftover from then on."""

    _log = Logger()

    def __init__(self, ledger: ResourceLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def sweep(self, resources: Sequence[Resource], delete: Delete) -> Mapping[str, str]:
        """Delete each, in order, all within SWEEP_SECONDS.

        They are marked first: deleted or not, no push goes on with them from then on.

        Returns the reasons, by token, of those that are still there.
        """
        left = {resource.token: "its deletion did not end in time" for resource in resources}
        try:
            await timeout(self._clock, SWEEP_SECONDS, self._each(resources, delete, left))
        except TimeoutError:
            self._log.error("resources at a provider were not deleted in time: {tokens}", tokens=", ".join(left))
        finally:
            await shield(self._release(left))
        return left

    async def _each(self, resources: Sequence[Resource], delete: Delete, left: dict[str, str]) -> None:
        try:
            await self._ledger.mark(list(left), ResourceState.DELETING)
        except FactoryError as error:  # they stay as they are, and known
            self._log.error("the ledger cannot be written: {error}", error=error)
            return
        for resource in resources:
            try:
                await delete(resource)
                await self._ledger.drop([resource.token])
            except CancelledError:
                raise
            except Exception as error:
                left[resource.token] = _reason(error)
                self._log.error(
                    "{kind} {token} at {provider} was not deleted: {reason}",
                    kind=resource.kind,
                    token=resource.token,
                    provider=resource.provider,
                    reason=left[resource.token],
                )
            else:
                del left[resource.token]

    async def _release(self, left: Mapping[str, str]) -> None:
        for token, reason in left.items():
            try:
                await self._ledger.release([token], reason)
            except FactoryError as error:  # it is held by this process, and a leftover when that has ended
                self._log.error("the ledger cannot be written: {error}", error=error)


class LedgerResources:
    """`PushResources` over the ledger, between `begin` and `hand_over` or `remove`.

    Args:
        ledger: where they are written down.
        sweeper: deletes them.
        like: a resource with the values that all of this push have in common.
        delete: deletes one at the provider.
        clock: has the time of their creation.
    """

    _log = Logger()

    def __init__(self, ledger: ResourceLedger, sweeper: Sweeper, like: Resource, delete: Delete, clock: Clock) -> None:
        self._ledger = ledger
        self._sweeper = sweeper
        self._like = like
        self._delete = delete
        self._clock = clock
        self._held: dict[str, Resource] = {}
        self._unused: set[str] = set()

    async def begin(self) -> None:
        """Take over what an interrupted run of this push left; delete what was being deleted."""
        taking = Task(self._ledger.take(push=self._like.push))
        interruption = await taking.settled()
        left = await taking
        self._held = {resource.token: resource for resource in reversed(left)}
        self._unused = set(self._held)
        if interruption is not None:
            raise interruption
        await self._sweep([token for token, each in self._held.items() if each.state is ResourceState.DELETING])

    @asynccontextmanager
    async def creating(
        self, kind: str, token: str, *, note: str = "", temporary: bool = False
    ) -> AsyncIterator[_Creating]:
        """See `PushResources`."""
        await self._intend(replace(self._like, token=token, kind=kind, created=self._clock.seconds(), note=note))
        try:
            yield _Creating(self, token)
            if temporary or not self._held[token].identifier:
                await shield(self._sweep([token]))
        except BaseException:
            await Task(self._sweep([token])).settled()
            raise

    async def created(self, token: str, identifier: str) -> None:
        """See `Creation`."""
        self._held[token] = replace(self._held[token], identifier=identifier, state=ResourceState.CREATED)
        await shield(self._ledger.created(token, identifier))

    def identifier(self, token: str) -> str:
        """See `Creation`."""
        return self._held[token].identifier

    async def remove_unused(self) -> None:
        """Delete what an interrupted run left and this one had no use for."""
        await self._sweep(self._unused)

    async def keep(self) -> None:
        """Write down that all that is left belongs to the provider image whose record is about to be stored."""
        self._held = {token: replace(each, state=ResourceState.KEPT) for token, each in self._held.items()}
        await self._ledger.mark(list(self._held), ResourceState.KEPT)

    async def hand_over(self) -> None:
        """Forget what is kept: the record is stored. Delete everything else.

        If the ledger cannot be written the entries stay, and are recognised by the record.
        """
        await self._sweep([token for token, each in self._held.items() if each.state is not ResourceState.KEPT])
        tokens = list(self._held)
        self._held.clear()
        try:
            await shield(self._ledger.drop(tokens))
        except FactoryError as error:
            self._log.error("the ledger cannot be written: {error}", error=error)

    async def settle(self) -> None:
        """Do what an interrupted run did not come to after its record was stored."""
        await self.begin()
        await self.hand_over()

    async def remove(self) -> None:
        """Delete all that is there."""
        await self._sweep(list(self._held))

    async def _intend(self, resource: Resource) -> None:
        """Hold it, unless it was taken over from an interrupted run."""
        token = resource.token
        self._unused.discard(token)
        if token in self._held:
            return
        intending = Task(self._ledger.intend(resource))
        interruption = await intending.settled()
        self._held[token] = await intending
        if interruption is not None:  # what is written down is for `remove`
            raise interruption

    async def _sweep(self, tokens: Collection[str]) -> None:
        """Newest first; never raises."""
        chosen = [resource for resource in reversed(self._held.values()) if resource.token in tokens]
        for resource in chosen:
            del self._held[resource.token]
        if chosen:
            await self._sweeper.sweep(chosen, self._delete)


@dataclass(frozen=True, slots=True)
class _Creating:
    """See `Creation`."""

    _resources: LedgerResources
    token: str

    @property
    def identifier(self) -> str:
        """See `Creation`."""
        return self._resources.identifier(self.token)

    async def created(self, identifier: str) -> None:
        """See `Creation`."""
        await self._resources.created(self.token, identifier)


def _reason(error: Exception) -> str:
    """For people; the text of an unexpected error may hold a secret."""
    return str(error) if isinstance(error, FactoryError) else type(error).__name__
