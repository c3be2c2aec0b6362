"""What a target is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.report import Report
from imagefactory.model.template import Template
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.disk.layout import LARGEST_DISK
from imagefactory.systems.families.interface import Needs
from imagefactory.systems.qemu.hardware import Hardware


@dataclass(frozen=True, slots=True)
class Ready:
    """A target image in the warehouse, ready to be pushed.

    `path` is a local file that must not be changed.
    """

    id: str
    path: Path
    size: int
    template: Template | None
    parameters: str | None
    icicle: str | None


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the provider made of it.

    `body` is what the provider image object shall hold in the warehouse (None: the 1.0 sentence).
    """

    identifier: str
    account: str | None = None
    body: Path | bytes | None = None


class Push(Protocol):
    """The push side of a target."""

    def account(self, credentials: Credentials | None, provider: Provider) -> str | None:
        """The `provider_account_identifier`: known before the long part of a push.

        Raises InvalidInput.
        """
        ...

    def files(self, id: str, provider: Provider) -> tuple[Path, ...]:
        """The files of this host (absolute paths) that a push of provider image `id` makes.

        They are written down before it begins: should it be killed, the next start removes them.
        """
        ...

    async def push(
        self, image: Ready, id: str, provider: Provider, credentials: Credentials | None, report: Report
    ) -> Pushed:
        """Bring the image to the provider as provider image `id`; leaves nothing behind on failure or cancel."""
        ...

    async def delete(self, identifier: str, provider: Provider, credentials: Credentials | None) -> None:
        """Remove it from the provider; an image that is not there any more is no error."""
        ...


class Target(Protocol):
    """One cloud.

    `os` False means that it needs no operating system at all (mock): no engine, no guest, `placeholder` is the body.
    `largest_disk` is in bytes. `hardware` is what the image is promised to boot on there, as far as qemu can be made
    of it: the boot check uses it.
    """

    name: str
    os: bool
    largest_disk: int = LARGEST_DISK
    hardware: Hardware = Hardware()
    pushing: Push | None

    def needs(self, template: Template) -> Needs:
        """What the image needs inside to be at home there."""
        ...

    def conversion(self) -> Conversion: ...

    def parameters(self, template: Template, image_id: str, size: int) -> str | None:
        """The `target_parameters` of the target image (libvirt domain XML for some)."""
        return None

    def placeholder(self, template: Template, image_id: str) -> bytes:
        """The body for a target that needs no operating system."""
        return b""


def cloud_info(target: str) -> tuple[str, bytes]:
    """The file by which software in the image knows its cloud, as in version 1.0."""
    return "/etc/sysconfig/cloud-info", f'CLOUD_TYPE="{target}"\n'.encode()


def no_parameters(target: str) -> str:
    """The sentence that version 1.0 stored as `target_parameters` of clouds that have none."""
    return f"No target parameters for cloud type {target}"
