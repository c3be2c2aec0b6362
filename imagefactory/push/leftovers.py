"""Leftovers of interrupted pushes at providers: listed, and deleted once there are credentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.logger import Logger

from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import FactoryError, Unsupported
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.push.ledger import ResourceLedger
from imagefactory.push.resources import LedgerResources, Sweeper
from imagefactory.targets.interface import CloudPush
from imagefactory.targets.registry import InstalledTargets
from imagefactory.targets.resources import Resource, ResourceState
from imagefactory.warehouse.records import Records

START_SECONDS = 10
"""How long a start may be held up by leftovers."""


@dataclass(frozen=True, slots=True)
class Reaped:
    """A leftover after its deletion; `problem` is the reason why it is still there, empty if it is gone."""

    resource: Resource
    problem: str = ""


class Leftovers:
    """The leftovers in the ledger.

    A push that was killed between storing its record and clearing the ledger left entries that belong to its provider
    image: they are marked as kept, the record is there, and so they are never deleted at the provider.
    """

    _log = Logger()

    def __init__(self, ledger: ResourceLedger, records: Records, targets: InstalledTargets, clock: Clock) -> None:
        self._ledger = ledger
        self._records = records
        self._targets = targets
        self._clock = clock
        self._sweeper = Sweeper(ledger, clock)

    async def find(self) -> Sequence[Resource]:
        """Returns all leftovers, oldest first. Raises Unavailable."""
        return [each for each in await self._ledger.leftovers() if not await self._handed_over(each)]

    async def reap(self, provider: Provider, credentials: Credentials | None) -> Sequence[Reaped]:
        """Delete what is left over at that account.

        Raises Unsupported, InvalidInput (credentials), Unavailable.
        """
        account = self.pushing(provider).account(credentials, provider) or ""
        return await self._reap(provider, account, credentials)

    async def reap_without_credentials(self) -> None:
        """Delete what is left over at clouds that need no credentials, within START_SECONDS.

        What cannot be deleted stays, and is logged: a start does not fail for that.
        """
        try:
            await timeout(self._clock, START_SECONDS, self._reap_each())
        except TimeoutError:
            self._log.warn("leftovers stay: they were not deleted in time")
        except FactoryError as error:
            self._log.warn("leftovers stay: {error}", error=error)

    async def _reap_each(self) -> None:
        for target, provider, account in {
            (each.target, each.provider, each.account) for each in await self._ledger.leftovers()
        }:
            if self._targets.descriptor(target).credentials is None:
                await self._reap(Provider(provider, target), account, None)

    async def _reap(self, provider: Provider, account: str, credentials: Credentials | None) -> Sequence[Reaped]:
        pushing = self.pushing(provider)
        taking = Task(self._ledger.take_account(provider.target, provider.name, account))
        interruption = await taking.settled()
        taken = await taking
        try:
            if interruption is not None:
                raise interruption
            owned = [each.token for each in taken if await self._handed_over(each)]
        except BaseException:
            await shield(self._ledger.release([each.token for each in taken]))
            raise
        await shield(self._ledger.drop(owned))
        left = [each for each in taken if each.token not in owned]
        problems = await self._sweeper.sweep(left, lambda each: pushing.sweep(each, provider, credentials))
        return [Reaped(each, problems.get(each.token, "")) for each in left]

    def resources(self, push: str, provider: Provider, credentials: Credentials | None) -> LedgerResources:
        """Returns those of one push.

        Raises Unsupported, InvalidInput (credentials).
        """
        pushing = self.pushing(provider)
        account = pushing.account(credentials, provider) or ""
        like = Resource("", push, provider.target, provider.name, account, "", 0.0)
        return LedgerResources(
            self._ledger,
            self._sweeper,
            like,
            lambda resource: pushing.sweep(resource, provider, credentials),
            self._clock,
        )

    def pushing(self, provider: Provider) -> CloudPush:
        """Returns the push side of a provider's target. Raises Unsupported if it has none."""
        pushing = self._targets.target(provider.target).pushing
        if pushing is None:
            raise Unsupported(f"pushing to {provider.target} is not available in this version")
        return pushing

    async def _handed_over(self, resource: Resource) -> bool:
        return resource.state is ResourceState.KEPT and await self._records.provider_image(resource.push) is not None
