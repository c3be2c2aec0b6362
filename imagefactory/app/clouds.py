"""Targets and providers as this installation knows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imagefactory.lib.errors import InvalidInput
from imagefactory.model.providers import Provider, ProviderDefinitions, name_forms, parse_definitions, resolve_provider
from imagefactory.settings import Settings
from imagefactory.targets.interface import Target
from imagefactory.targets.registry import TARGETS, Targets


class InstalledClouds:
    """The registered targets, and the providers named in the directory of definitions.

    The definitions are read at each use: an administrator changes them without a restart.
    """

    def __init__(self, targets: Targets, definitions: Path) -> None:
        self._targets = targets
        self._definitions = definitions

    def target(self, name: str) -> Target:
        """Raises Unsupported."""
        return self._targets.target(name)

    def targets(self) -> Sequence[str]:
        """Names of all targets."""
        return TARGETS.names()

    def install_nothing(self, targets: Sequence[str]) -> bool:
        """Whether no target needs an operating system, so that the template may lack one.

        Raises Unsupported.
        """
        return bool(targets) and not any(self._targets.target(name).os for name in targets)

    def provider(self, text: str) -> Provider:
        """Raises InvalidInput, Unsupported."""
        return resolve_provider(text, self._read())

    def providers(self, target: str) -> Sequence[str]:
        """Names of the defined providers of a target."""
        self._targets.target(target)
        definitions = self._read()
        return sorted({"rhevm": definitions.rhevm, "vsphere": definitions.vsphere}.get(target, {}))

    def forms(self, target: str) -> Sequence[str]:
        """How names look, for people, that belong to a target without a definition."""
        return name_forms(target)

    def _read(self) -> ProviderDefinitions:
        return parse_definitions(*(_file(self._definitions / name) for name in ("rhevm.json", "vsphere.json")))


def target_content(settings: Settings) -> bytes | None:
    """The installation's target_content.xml, None if there is none."""
    return _file(settings.provider_definitions / "target_content.xml")


def _file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"cannot read this file: {error.strerror}", where=str(path)) from None
