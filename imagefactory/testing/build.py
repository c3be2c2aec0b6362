"""Fakes for builds: actions on systems that are text files, a journal and a report that remember."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from imagefactory.build.actions import BuildContext
from imagefactory.model.report import Report, StageOutcome
from imagefactory.model.template import Template
from imagefactory.systems.disk.boot_files import demand_parameters
from imagefactory.systems.disk.layout import demand_size
from imagefactory.targets.interface import Target

SYSTEM, BELOW = "root", "below"
SIZE = 4096
"""Bytes that a workspace takes."""


async def _without_pause(_step: str) -> None:
    pass


class FakeActions:
    """A `StageActions` whose systems are text files: each step adds a line.

    `steps` notes what was done, without looks and layers; `pause` is awaited before each step, `broken` fails the step
    it names. Without `layers` no system can be laid over another. A system that was laid over another one shares that
    one's file, and is damaged by each change of it.
    """

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.pause: Callable[[str], Awaitable[None]] = _without_pause
        self.broken: dict[str, Exception] = {}
        self.layers = True
        self.probes = 0

    def check(self, template: Template, target: Target) -> None:
        demand_parameters(template.os.kernel_parameters)
        if template.disk_size is not None:
            demand_size(template.disk_size, target.largest_disk, target.name)

    def inputs(self, context: BuildContext) -> Mapping[str, str]:
        return {"target": context.target.name, "disk size": str(context.template.disk_size)}

    async def base(self, context: BuildContext, workspace: Path, report: Report) -> None:
        await self._step("base", workspace, context.template.os.version)

    async def customise(self, context: BuildContext, workspace: Path, report: Report) -> bytes:
        await self._step("customise", workspace, *context.template.packages)
        return b"<icicle/>"

    async def can_overlay(self, workspace: Path) -> bool:
        self.probes += 1
        await self._reach("can_overlay")
        return self.layers

    async def lay(self, below: Path, workspace: Path) -> None:
        await self._reach("lay")
        shared = below / SYSTEM
        (workspace / BELOW).symlink_to(shared.absolute())
        (workspace / SYSTEM).write_text(shared.read_text())

    async def adapt(self, context: BuildContext, workspace: Path, image: Path, seed: str, report: Report) -> bytes:
        await self._step("adapt", workspace, context.target.name)
        image.write_text((workspace / SYSTEM).read_text())
        return b"<icicle/>"

    async def size(self, workspace: Path) -> int:
        await self._reach("size")
        return SIZE

    async def pack(self, workspace: Path, archive: Path) -> None:
        await self._step("pack")
        archive.write_text((workspace / SYSTEM).read_text())

    async def unpack(self, archive: Path, workspace: Path) -> None:
        await self._step("unpack")
        (workspace / SYSTEM).write_text(archive.read_text())

    async def _step(self, name: str, workspace: Path | None = None, *words: str) -> None:
        await self.pause(name)
        self.steps.append(name)
        self._fail(name)
        if workspace is not None:
            self._check_below(workspace)
            with (workspace / SYSTEM).open("a") as file:
                file.write(" ".join((name, *words)) + "\n")

    async def _reach(self, name: str) -> None:
        await self.pause(name)
        self._fail(name)

    def _fail(self, name: str) -> None:
        if name in self.broken:
            raise self.broken[name]

    def _check_below(self, workspace: Path) -> None:
        below = workspace / BELOW
        if below.is_symlink():
            lower, whole = below.read_text(), (workspace / SYSTEM).read_text()
            assert whole.startswith(lower), f"{below.readlink()} was changed under {workspace}"


class ReportNotes:
    """A `Progress` that remembers stages and the percentage."""

    def __init__(self) -> None:
        self.outcomes: dict[str, StageOutcome] = {}
        self.percent = 0

    def activity(self, text: str) -> None:
        pass

    def progress(self, percent: float) -> None:
        pass

    def line(self, text: str) -> None:
        pass

    def stage(self, outcome: StageOutcome) -> None:
        self.outcomes[outcome.kind] = outcome

    def reached(self, percent: int) -> None:
        self.percent = max(percent, self.percent)

    def between(self, low: int, high: int) -> Report:
        return self

    def hits(self) -> dict[str, bool]:
        """Which stages the cache had."""
        return {kind: outcome.hit for kind, outcome in self.outcomes.items()}


class FakeJournal:
    """A `DirectoryJournal` in memory; `noted` are the workspaces there are."""

    def __init__(self) -> None:
        self.noted: set[Path] = set()

    async def add_workspace(self, path: Path) -> None:
        assert not path.exists()
        self.noted.add(path)

    async def drop_workspace(self, path: Path) -> None:
        assert not path.exists()
        self.noted.remove(path)


async def remove_all(path: Path) -> None:
    """Remove a tree of this user; an absent one is no error."""
    if path.exists():
        shutil.rmtree(path)


async def remove_flat(path: Path) -> None:
    """Remove a workspace of `FakeActions`: it has files only."""
    if path.exists():
        for child in path.iterdir():
            child.unlink()
        path.rmdir()
