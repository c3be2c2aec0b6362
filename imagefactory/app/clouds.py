"""Targets, providers and credentials of this installation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from twisted.web.client import Agent, HTTPConnectionPool

from imagefactory.app.runtime import Runtime
from imagefactory.lib.concurrency.clock import WallClock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.tls.client import StrictPolicy
from imagefactory.model.credentials import Credentials, parse_credentials
from imagefactory.model.providers import Definition, Provider, parse_definitions
from imagefactory.settings import Settings
from imagefactory.targets.descriptor import TargetContext
from imagefactory.targets.interface import Target
from imagefactory.targets.providers import Definitions, resolve_provider, shown_names
from imagefactory.targets.registry import InstalledTargets

CONNECT_SECONDS = 30


def install_targets(settings: Settings, reactor: Any, runtime: Runtime, stack: AsyncExitStack) -> InstalledTargets:
    """Returns the targets of this process; `stack` closes their connections."""
    pool = HTTPConnectionPool(reactor)
    stack.push_async_callback(pool.closeCachedConnections)
    agent = Agent(reactor, StrictPolicy(), pool=pool, connectTimeout=CONNECT_SECONDS)
    context = TargetContext(settings, WallClock(reactor), agent, runtime.threads, runtime.processes)
    return InstalledTargets(context)


class InstalledClouds:
    """The registered targets, and the providers named in the directory of definitions.

    The definitions are read at each use: an administrator changes them without a restart.
    """

    def __init__(self, targets: InstalledTargets, directory: Path, threads: Threads) -> None:
        self._targets = targets
        self._directory = directory
        self._threads = threads

    def target(self, name: str) -> Target:
        """Returns the target of that name. Raises Unsupported."""
        return self._targets.target(name)

    def targets(self) -> Sequence[str]:
        """Names of all targets."""
        return self._targets.names()

    def concurrency(self, target: str) -> int | None:
        """Returns how many pushes to that target run at once; None: any number. Raises Unsupported."""
        return self._targets.concurrency(target)

    def install_nothing(self, targets: Sequence[str]) -> bool:
        """Whether no target needs an operating system, so that the template may lack one.

        Raises Unsupported.
        """
        return bool(targets) and not any(self._targets.target(name).os for name in targets)

    async def provider(self, text: str) -> Provider:
        """Returns the provider of a name or definition. Raises InvalidInput, Unsupported."""
        return resolve_provider(text, self._targets.descriptors, await self._definitions())

    async def providers(self, target: str) -> Sequence[str]:
        """Names of the defined providers of a target."""
        self._targets.descriptor(target)
        return sorted((await self._definitions()).get(target, {}))

    def forms(self, target: str) -> Sequence[str]:
        """Returns the forms of names, for people, that belong to a target without a definition."""
        return shown_names(self._targets.descriptor(target))

    def credentials(self, document: bytes) -> Credentials:
        """Parse credentials, with the spellings of the installed targets. Raises InvalidInput, TooLarge."""
        forms = [target.credentials for target in self._targets.descriptors if target.credentials]
        return parse_credentials(document, {form.element: form.spellings for form in forms})

    async def _definitions(self) -> Definitions:
        return await self._threads.run(self._read)

    def _read(self) -> Definitions:
        """Blocks."""
        described = ((target.name, target.definition.file) for target in self._targets.descriptors)
        return {name: self._defined(file) for name, file in described if file}

    def _defined(self, file: str) -> Mapping[str, Definition]:
        document = _content(self._directory / file)
        return {} if document is None else parse_definitions(document, file)


def target_content(settings: Settings) -> bytes | None:
    """Returns the installation's target_content.xml, None if there is none. Blocks."""
    return _content(settings.provider_definitions / "target_content.xml")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"cannot read this file: {error.strerror}", where=str(path)) from None
