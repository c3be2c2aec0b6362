"""Descriptors of targets, and the context that a target is made from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from twisted.web.iweb import IAgent

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.process.interface import Processes
from imagefactory.settings.table import Settings
from imagefactory.targets.interface import Target


@dataclass(frozen=True, slots=True)
class TargetContext:
    """What a target is made from.

    Args:
        settings: of this process.
        clock: for waiting; its time is that of the computer's clock, in seconds since 1970.
        agent: the HTTP client; it verifies certificates strictly.
        threads: for calls that block.
        processes: for child processes.
    """

    settings: Settings
    clock: Clock
    agent: IAgent
    threads: Threads
    processes: Processes


@dataclass(frozen=True, slots=True)
class ProviderNames:
    """Names of providers that need no definition.

    Args:
        pattern: what such a name matches as a whole.
        shown: how it looks, for people: "ec2-REGION".
    """

    pattern: re.Pattern[str]
    shown: str


@dataclass(frozen=True, slots=True)
class DefinitionForm:
    """How providers of a target are defined.

    Args:
        file: the file in the directory of provider definitions; empty if there is none.
        keys: the settings that a definition may have, as the manual lists them.
    """

    file: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialsForm:
    """The element below `provider_credentials` that a target reads.

    Args:
        element: its name.
        fields: the names of its children, as the manual lists them.
        spellings: other names of fields, and what they mean.
    """

    element: str
    fields: tuple[str, ...]
    spellings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetDescriptor:
    """How a target is registered: our modules have a `TARGET`, an entry point of `imagefactory.targets` names one.

    Args:
        name: of the target.
        summary: of the cloud, in a few words.
        make: makes the target.
        names: names of its providers that need no definition.
        definition: how others are defined.
        credentials: what a push needs; None for a cloud without.
        concurrency: how many pushes run at once (None: any number), for the settings of this process.
    """

    name: str
    summary: str
    make: Callable[[TargetContext], Target]
    names: tuple[ProviderNames, ...] = ()
    definition: DefinitionForm = DefinitionForm()
    credentials: CredentialsForm | None = None
    concurrency: Callable[[Settings], int | None] = lambda _: None
