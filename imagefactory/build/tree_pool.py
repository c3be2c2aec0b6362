"""Unpacked trees of stages, shared by the builds of this process.

The cache has them as archives; to unpack one right after it was packed would cost a cold build a good part of its time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.shared import SharedRuns
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.process.workspaces import Workspaces


@dataclass(slots=True, eq=False)
class PooledTree:
    """The tree of one stage.

    `ready` fires when its `workspace` is there; from then on the tree is not changed, unless it is taken. While it has
    `borrowers` (users that stand on it at the moment) it is neither taken nor removed.
    """

    digest: str
    workspace: Path | None = None
    ready: Event[None] = field(default_factory=Event)
    users: int = 0
    borrowers: int = 0


class TreePool:
    """Trees by the digest of their stage; each is removed with its last user.

    Args:
        workspaces: where trees are made.
        probe: whether this host can lay trees over each other, tried in an empty workspace. It is asked once.
    """

    _log = Logger()

    def __init__(self, workspaces: Workspaces, probe: Callable[[Path], Awaitable[bool]]) -> None:
        self._workspaces = workspaces
        self._probe = probe
        self._overlays: bool | None = None
        self._probing: SharedRuns[str, bool] = SharedRuns()
        self._filling: SharedRuns[str, None] = SharedRuns()
        self._trees: dict[str, PooledTree] = {}
        self._published: set[Path] = set()
        self._removals: set[Task[None]] = set()

    async def overlays(self) -> bool:
        """Whether this host can lay trees over each other: decided once, so that a later failure is an error."""
        if self._overlays is None:
            self._overlays = await self._probing.run("", self._try_overlay)
        return self._overlays

    async def _try_overlay(self) -> bool:
        async with self.workspace("probe") as workspace:
            return await self._probe(workspace)

    @asynccontextmanager
    async def workspace(self, name: str, taken: Path | None = None) -> AsyncIterator[Path]:
        """A new workspace, or one that was taken; removed in the background, unless its tree was published."""
        path = taken or await self._workspaces.make(name)
        try:
            yield path
        finally:
            if path not in self._published:
                self._remove(path)

    @contextmanager
    def use(self, digest: str) -> Iterator[PooledTree]:
        """Count a user of the stage's tree, which is kept from when it is published until the last user leaves."""
        tree = self._trees.setdefault(digest, PooledTree(digest))
        tree.users += 1
        try:
            yield tree
        finally:
            tree.users -= 1
            if not tree.users:
                del self._trees[digest]
                workspace = self.take(tree)
                if workspace is not None:
                    self._remove(workspace)

    def publish(self, digest: str, workspace: Path) -> None:
        """Let all users of the stage have this tree, which is not changed any more."""
        tree = self._trees.get(digest)
        if tree is not None and not tree.ready.fired:
            self._published.add(workspace)
            tree.workspace = workspace
            tree.ready.fire(None)

    @asynccontextmanager
    async def borrow(self, tree: PooledTree, fill: Callable[[Path], Awaitable[None]]) -> AsyncIterator[Path]:
        """The workspace of the tree, which the caller uses and does not change; `fill` makes it if there is none."""

        async def make() -> None:
            async with self.workspace("tree") as workspace:
                await fill(workspace)
                self.publish(tree.digest, workspace)

        while tree.workspace is None:
            await self._filling.run(tree.digest, make)
        tree.borrowers += 1
        try:
            yield tree.workspace
        finally:
            tree.borrowers -= 1

    def take(self, tree: PooledTree) -> Path | None:
        """The workspace of the tree, for the caller alone, to be changed; None if there is none or it is borrowed."""
        if tree.workspace is None or tree.borrowers:
            return None
        workspace, tree.workspace, tree.ready = tree.workspace, None, Event()
        self._published.discard(workspace)
        return workspace

    async def removed(self) -> None:
        """Wait until the trees that are being removed are gone."""
        interruption: CancelledError | None = None
        for task in tuple(self._removals):
            interruption = await task.settled() or interruption
        if interruption is not None:
            raise interruption

    def _remove(self, workspace: Path) -> None:
        """Remove it in the background: an image is stored meanwhile. What fails stays in the journal."""
        task = Task(self._workspaces.remove(workspace))
        if not task.ended.fired:
            self._removals.add(task)
        task.ended.wait().addErrback(
            lambda failure: self._log.failure("workspace {path} was not removed", failure, path=str(workspace))
        ).addCallback(lambda _: self._removals.discard(task))
