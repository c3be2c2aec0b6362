"""The interface of engines: from a template to a base, which is either a root tree or a disk."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from twisted.web.iweb import IResponse

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.process.interface import Privilege, Processes
from imagefactory.model.report import Report
from imagefactory.model.template import Repository, Template
from imagefactory.settings.table import Settings
from imagefactory.systems.families.interface import Family, Release


class SystemKind(Enum):
    """What a system is until it becomes an image; the actions of the stages are those for its kind."""

    TREE = "tree"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class BasePlan:
    """How a base will be made: what all engines say of it. An engine's own facts are in a subclass.

    Args:
        kind: of the base.
        inputs: all things that shape the base, by name, for its stage key.
        family: of the OS.
        release: of the OS.
        repositories: those of the template, each with the URL that the build reads it from.
        repository_indexes: what is in them now, by their names; it shapes what is made of the base.
    """

    kind: SystemKind
    inputs: Mapping[str, str]
    family: Family
    release: Release
    repositories: tuple[Repository, ...] = ()
    repository_indexes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RootTree:
    """A base as a directory tree, owned by the ids of the `Privilege` that made it."""

    path: Path


@dataclass(frozen=True, slots=True)
class InstalledDisk:
    """A base as a disk image file."""

    path: Path
    format: str


Base = RootTree | InstalledDisk


class Http(Protocol):
    """The part of treq's `HTTPClient` that engines need."""

    def get(self, url: str) -> Awaitable[IResponse]:
        """Ask for a document."""
        ...


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine is made from.

    Args:
        settings: of this process.
        clock: for waiting.
        http: for package indexes; in a daemon it keeps to the networks that the settings allow (Forbidden).
        threads: for calls that block.
        processes: for child processes.
        privilege: how a tree's files are worked on.
    """

    settings: Settings
    clock: Clock
    http: Http
    threads: Threads
    processes: Processes
    privilege: Privilege


class Engine(Protocol):
    """One way to make bases."""

    name: str

    def __init__(self, context: EngineContext) -> None: ...

    def check(self, template: Template) -> SystemKind:
        """Refuse at once what can be refused without a network.

        Returns the kind that its plan will have.

        Raises Unsupported.
        """
        ...

    async def plan(self, template: Template, report: Report) -> BasePlan:
        """Decide everything, fetch nothing but package indexes.

        Raises Unsupported, Unavailable (mirror), MissingTool, BuildFailed (bad signature).
        """
        ...

    async def build(self, plan: BasePlan, workspace: Path, report: Report) -> Base:
        """Make the base below `workspace`.

        Args:
            plan: made by this engine.
            workspace: an empty directory.
            report: gets activity, progress and log lines.
        """
        ...
