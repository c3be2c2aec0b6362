"""A ledger of resources in memory, and the contract that every ledger keeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from unittest import TestCase

from imagefactory.lib.errors import Conflict, FactoryError
from imagefactory.push.ledger import ResourceLedger
from imagefactory.targets.resources import Resource, ResourceState

if TYPE_CHECKING:
    _Suite = TestCase
else:
    _Suite = object  # the test case it is mixed into has the assertions; alone it is no test


def resource(token: str = "p/image", push: str = "p", account: str = "me", note: str = "") -> Resource:
    """What a push is about to make."""
    return Resource(token, push, "mock", "mock-1", account, "image", 5.0, note=note)


@dataclass(slots=True)
class LedgerFile:
    """What outlives the processes: resources and their holders by token, and which processes live."""

    rows: dict[str, tuple[Resource, str]] = field(default_factory=dict)
    living: set[str] = field(default_factory=set)


class MemoryLedger:
    """A `ResourceLedger` of process `holder`; each with the same `file` is another process's view of it.

    `failure`, when it is set, is what writing raises.
    """

    def __init__(self, holder: str = "here", file: LedgerFile | None = None) -> None:
        self.file = file or LedgerFile()
        self.file.living.add(holder)
        self.failure: FactoryError | None = None
        self._holder = holder

    async def intend(self, resource: Resource) -> Resource:
        self._writes()
        known, holder = self.file.rows.get(resource.token, (resource, ""))
        doomed = known.state is ResourceState.DELETING
        if doomed or known.push != resource.push or holder in self.file.living:
            raise Conflict(f"resource {resource.token} is in use by push {known.push}", hint="try again later")
        self.file.rows[resource.token] = known, self._holder
        return known

    async def created(self, token: str, identifier: str) -> None:
        self._writes()
        known, holder = self.file.rows[token]
        self.file.rows[token] = replace(known, identifier=identifier, state=ResourceState.CREATED), holder

    async def mark(self, tokens: Collection[str], state: ResourceState) -> None:
        self._writes()
        for token in self.file.rows.keys() & tokens:
            known, holder = self.file.rows[token]
            self.file.rows[token] = replace(known, state=state), holder

    async def take(self, *, push: str) -> Sequence[Resource]:
        return self._take(lambda one: one.push == push)

    async def take_account(self, target: str, provider: str, account: str) -> Sequence[Resource]:
        return self._take(lambda one: (one.target, one.provider, one.account) == (target, provider, account))

    async def release(self, tokens: Collection[str], note: str = "") -> None:
        self._writes()
        for token in self.file.rows.keys() & tokens:
            known, _ = self.file.rows[token]
            self.file.rows[token] = replace(known, note=note or known.note), ""

    async def drop(self, tokens: Collection[str]) -> None:
        self._writes()
        for token in tokens:
            self.file.rows.pop(token, None)

    async def leftovers(self) -> Sequence[Resource]:
        return [one for one, holder in self.file.rows.values() if holder not in self.file.living]

    async def close(self) -> None:
        """Nothing is open."""

    def _take(self, wanted: Callable[[Resource], bool]) -> list[Resource]:
        self._writes()
        found = [one for one, holder in self.file.rows.values() if wanted(one) and holder not in self.file.living]
        self.file.rows.update({one.token: (one, self._holder) for one in found})
        return found[::-1]

    def _writes(self) -> None:
        if self.failure is not None:
            raise self.failure


class ResourceLedgerContract(_Suite):
    """What every ledger promises; mixed into a trial `TestCase`."""

    async def open_ledger(self, holder: str) -> ResourceLedger:
        """Another process's view of the same ledger; the process lives from now on."""
        raise NotImplementedError

    def kill(self, holder: str) -> None:
        """End that process without a word."""
        raise NotImplementedError

    async def test_what_a_living_process_holds_is_no_leftover(self) -> None:
        """Neither for itself nor for another; it is one when the process is gone, with all that was known of it."""
        one, two = await self.open_ledger("one"), await self.open_ledger("two")
        await one.intend(resource(note="the disk"))
        self.assertEqual(([], []), (await one.leftovers(), await two.leftovers()))
        self.assertEqual([], await two.take(push="p"))
        self.kill("one")
        (left,) = await two.leftovers()
        self.assertEqual(resource(note="the disk"), left)

    async def test_an_identifier(self) -> None:
        """It is kept, and the same intent of the same push finds it once it is a leftover."""
        ledger = await self.open_ledger("one")
        await ledger.intend(resource())
        await ledger.created("p/image", "ami-1")
        self.kill("one")
        known = await (await self.open_ledger("two")).intend(resource())
        self.assertEqual(("ami-1", ResourceState.CREATED), (known.identifier, known.state))

    async def test_a_token_is_one_resource(self) -> None:
        """Another push never has it, and the same push not while it is held: it may be being deleted."""
        ledger = await self.open_ledger("one")
        await ledger.intend(resource())
        for push in ("p", "q"):
            with self.assertRaises(Conflict):
                await ledger.intend(resource(push=push))
        await ledger.release(["p/image"])
        with self.assertRaises(Conflict):
            await ledger.intend(resource(push="q"))
        await ledger.intend(resource())
        self.assertEqual([], await ledger.leftovers())

    async def test_states(self) -> None:
        """A mark stays; what is being deleted cannot be had by the same push, either."""
        ledger = await self.open_ledger("one")
        for token in ("a", "b", "c"):
            await ledger.intend(resource(token))
        await ledger.mark(["a"], ResourceState.KEPT)
        await ledger.mark(["b"], ResourceState.DELETING)
        await ledger.release(["a", "b", "c"])
        states = [ResourceState.KEPT, ResourceState.DELETING, ResourceState.INTENDED]
        self.assertEqual(states, [one.state for one in await ledger.leftovers()])
        with self.assertRaises(Conflict):
            await ledger.intend(resource("b"))
        self.assertEqual(ResourceState.KEPT, (await ledger.intend(resource("a"))).state)

    async def test_released(self) -> None:
        """It is a leftover at once. A note is the reason; without one the earlier note stays."""
        ledger = await self.open_ledger("one")
        await ledger.intend(resource(note="the disk"))
        await ledger.release(["p/image", "unknown"])
        self.assertEqual(["the disk"], [one.note for one in await ledger.leftovers()])
        await ledger.release(["p/image"], "the cloud said no")
        self.assertEqual(["the cloud said no"], [one.note for one in await ledger.leftovers()])

    async def test_leftovers_are_taken_once(self) -> None:
        """By push or by account, newest first; what was taken is held."""
        one, two = await self.open_ledger("one"), await self.open_ledger("two")
        for token, push, account in (("a", "p", "me"), ("b", "q", "me"), ("c", "q", "you")):
            await one.intend(resource(token, push, account))
        self.kill("one")
        self.assertEqual(["a", "b", "c"], [each.token for each in await two.leftovers()])
        self.assertEqual(["b", "a"], [each.token for each in await two.take_account("mock", "mock-1", "me")])
        self.assertEqual([], await two.take_account("mock", "mock-1", "me"))
        self.assertEqual([], await two.take_account("mock", "mock-2", "you"))
        self.assertEqual(["c"], [each.token for each in await two.take(push="q")])
        self.assertEqual([], await two.leftovers())

    async def test_dropped(self) -> None:
        """It is forgotten; twice is once."""
        ledger = await self.open_ledger("one")
        await ledger.intend(resource("a"))
        await ledger.intend(resource("b"))
        for _ in range(2):
            await ledger.drop(["a"])
        self.kill("one")
        left = await (await self.open_ledger("two")).leftovers()
        self.assertEqual(["b"], [one.token for one in left])
