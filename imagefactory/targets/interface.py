"""The interface of targets: the build side, and the push side of those that have one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
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
from imagefactory.targets.images import ImageReader
from imagefactory.targets.resources import PushResources, Resource


@dataclass(frozen=True, slots=True)
class Ready:
    """A target image in the warehouse, ready to be pushed.

    Args:
        id: of the target image.
        size: in bytes, as its record has it.
        open: opens the image for reading, by its data extents.
        template: what it was built from, if that is known.
        parameters: the `target_parameters` that the target gave it.
        icicle: the id of the list of its packages.
        path: a local file with the image, not to be changed; None where the warehouse has no files.
    """

    id: str
    size: int
    open: Callable[[], AbstractAsyncContextManager[ImageReader]]
    template: Template | None = None
    parameters: str | None = None
    icicle: str | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class PushContext:
    """One push, as its target sees it.

    Args:
        id: of the provider image that it makes; the same when an interrupted push runs again.
        provider: where to.
        credentials: for that provider.
        resources: where everything is written down that the push makes there.
        report: takes activity, progress in percent, and log lines.
    """

    id: str
    provider: Provider
    credentials: Credentials | None = field(repr=False)
    resources: PushResources
    report: Report


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the provider made of the image.

    Args:
        identifier: the provider's name for it.
        account: the `provider_account_identifier`, if the push found out more than `account` knew.
        body: what the provider image object holds in the warehouse (None: the sentence of version 1.0).
    """

    identifier: str
    account: str | None = None
    body: Path | bytes | None = None


class CloudPush(Protocol):
    """The push side of a target."""

    def account(self, credentials: Credentials | None, provider: Provider) -> str | None:
        """Returns the `provider_account_identifier`: known before the long part of a push.

        Raises InvalidInput.
        """
        ...

    async def push(self, image: Ready, context: PushContext) -> Pushed:
        """Bring the image to the provider.

        Everything made there is made with `context.resources`, which deletes it by `sweep` if this fails or is
        cancelled. A push that was interrupted runs again with the same id and finds what it made by the same tokens.
        """
        ...

    async def sweep(self, resource: Resource, provider: Provider, credentials: Credentials | None) -> None:
        """Delete a resource by its kind, by its identifier or, if that is not known, its token.

        One that is not there, or never was, is no error.
        """
        ...

    async def delete(self, identifier: str, provider: Provider, credentials: Credentials | None) -> None:
        """Remove an image from the provider; one that is not there any more is no error."""
        ...


class Target(Protocol):
    """One cloud.

    Attributes:
        name: as users and records write it.
        os: False if images need no operating system at all: no engine, no guest, `placeholder` is the body.
        largest_disk: in bytes.
        hardware: what an image has to boot on, as far as qemu has it; the boot check uses it.
        pushing: the push side, None if this version has none.
    """

    name: str
    os: bool
    largest_disk: int = LARGEST_DISK
    hardware: Hardware = Hardware()
    pushing: CloudPush | None

    def needs(self, template: Template) -> Needs:
        """Returns what has to be inside the image for it to run there."""
        ...

    def conversion(self) -> Conversion:
        """Returns the format of the image file."""
        ...

    def parameters(self, template: Template, image_id: str, size: int) -> str | None:
        """Returns the `target_parameters` of the target image (libvirt domain XML for some).

        Args:
            template: what the image is built from.
            image_id: of the target image.
            size: of the disk, in bytes.
        """
        return None

    def placeholder(self, template: Template, image_id: str) -> bytes:
        """Returns the body of an image that needs no operating system."""
        return b""


def cloud_info(target: str) -> tuple[str, bytes]:
    """Returns path and content of the file by which software in the image knows its cloud, as in version 1.0."""
    return "/etc/sysconfig/cloud-info", f'CLOUD_TYPE="{target}"\n'.encode()


def no_parameters(target: str) -> str:
    """Returns the sentence that version 1.0 stored as `target_parameters` of clouds that have none."""
    return f"No target parameters for cloud type {target}"
