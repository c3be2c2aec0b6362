"""Unpacked trees of stages, shared by the builds of this process.

The cache has them as archives; to unpack one right after it was packed would cost a cold build a good part of its time.
Where the host can lay trees over each other, those of base systems are kept in the cache for later builds, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.build.cache.directory import Lease
from imagefactory.build.cache.interface import StageKey
from imagefactory.build.cache.kept_trees import KeptTrees
from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.shared import SharedRuns
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.process.workspaces import Workspaces

Fill = Callable[[Path], Awaitable[None]]
"""Makes a tree in an empty workspace."""


@dataclass(slots=True, eq=False)
class PooledTree:
    """The tree of one stage.

    `ready` fires when its `workspace` is there; from then on the tree is not changed, unless it is taken. While it has
    `borrowers` (users that stand on it at the moment) it is neither taken nor removed. One that is `kept` in the cache
    never is. `held` is closed with the last user: the lease of a kept tree, or the use of the tree below.
    """

    stage: StageKey
    workspace: Path | None = None
    ready: Event[None] = field(default_factory=Event)
    users: int = 0
    borrowers: int = 0
    kept: bool = False
    held: ExitStack = field(default_factory=ExitStack)


class TreePool:
    """Trees by their stage; each is removed, or given back to the cache, with its last user.

    Args:
        workspaces: where trees are made.
        kept: the trees in the cache.
        probe: whether this host can lay trees over each other, tried in an empty workspace. It is asked once.
        size: bytes that a workspace takes on the disk.
    """

    _log = Logger()

    def __init__(
        self,
        workspaces: Workspaces,
        kept: KeptTrees,
        probe: Callable[[Path], Awaitable[bool]],
        size: Callable[[Path], Awaitable[int]],
    ) -> None:
        self._workspaces = workspaces
        self._kept = kept
        self._probe = probe
        self._size = size
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
    def use(self, stage: StageKey) -> Iterator[PooledTree]:
        """Count a user of the stage's tree, which is there from when it is published until the last user leaves."""
        tree = self._trees.setdefault(stage.digest, PooledTree(stage))
        tree.users += 1
        try:
            yield tree
        finally:
            tree.users -= 1
            if not tree.users:
                del self._trees[stage.digest]
                workspace = self.take(tree)
                if workspace is not None:
                    self._remove(workspace)
                tree.held.close()

    def publish(self, stage: StageKey, workspace: Path, below: StageKey | None = None) -> None:
        """Let all users of the stage have this tree, which is not changed any more.

        Args:
            below: the stage whose tree it is laid over where the host can.
        """
        tree = self._awaited(stage)
        if tree is not None:
            self._published.add(workspace)
            if below is not None and self._overlays:
                tree.held.enter_context(self.use(below))
            tree.workspace = workspace
            tree.ready.fire(None)

    async def keep(self, stage: StageKey, workspace: Path) -> None:
        """As `publish`; where the host can lay trees over it, the tree is kept in the cache as well."""
        if await self.overlays():
            lease = await self._kept.keep(stage, workspace, await self._size(workspace))
            if lease is not None:
                self._publish_kept(stage, lease)
                return
        self.publish(stage, workspace)

    def _publish_kept(self, stage: StageKey, lease: Lease) -> None:
        tree = self._awaited(stage)
        if tree is None:
            lease.close()
            return
        tree.held.callback(lease.close)
        tree.workspace, tree.kept = lease.entry, True
        tree.ready.fire(None)

    def _awaited(self, stage: StageKey) -> PooledTree | None:
        """The tree of the stage if it has users and is not there yet."""
        tree = self._trees.get(stage.digest)
        return None if tree is None or tree.ready.fired else tree

    @asynccontextmanager
    async def borrow(self, tree: PooledTree, fill: Fill) -> AsyncIterator[Path]:
        """The workspace of the tree, which the caller uses and does not change; `fill` makes it if there is none."""

        async def make() -> None:
            async with self.workspace("tree") as workspace:
                await fill(workspace)
                self.publish(tree.stage, workspace)

        async with self._borrow(tree, make) as workspace:
            yield workspace

    @asynccontextmanager
    async def borrow_kept(self, tree: PooledTree, fill: Fill) -> AsyncIterator[Path]:
        """As `borrow`; the tree is the one that is kept in the cache, or is kept there from now on."""

        async def make() -> None:
            lease = await self._kept.find(tree.stage)
            if lease is not None:
                self._publish_kept(tree.stage, lease)
                return
            async with self.workspace("tree", await self._kept.workspace()) as workspace:
                await fill(workspace)
                await self.keep(tree.stage, workspace)

        async with self._borrow(tree, make) as workspace:
            yield workspace

    @asynccontextmanager
    async def _borrow(self, tree: PooledTree, make: Callable[[], Awaitable[None]]) -> AsyncIterator[Path]:
        while tree.workspace is None:
            await self._filling.run(tree.stage.digest, make)
        tree.borrowers += 1
        try:
            yield tree.workspace
        finally:
            tree.borrowers -= 1

    def take(self, tree: PooledTree) -> Path | None:
        """The workspace of the tree, for the caller alone, to be changed; None if there is none or it is borrowed."""
        if tree.workspace is None or tree.borrowers or tree.kept:
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
