"""Condor cloud: a directory of raw images, each with a libvirt domain beside it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from lxml import etree

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import InvalidInput, Unavailable
from imagefactory.lib.files.holes import Watch
from imagefactory.model.credentials import Credentials
from imagefactory.model.libvirt_xml import Domain, domain_xml
from imagefactory.model.providers import Provider
from imagefactory.model.report import Report
from imagefactory.model.template import Arch, Template
from imagefactory.model.xml import parse_xml
from imagefactory.systems.disk.copies import adopt, clone
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.disk.space import full_disk
from imagefactory.systems.disk.stoppable import stoppable
from imagefactory.systems.families.interface import Needs
from imagefactory.targets.descriptor import ProviderNames, TargetContext, TargetDescriptor
from imagefactory.targets.interface import Pushed, Ready, Target, cloud_info

NAME = "condorcloud"


class CondorPush:
    """Puts images below `storage` (the setting `condorcloud_path`), which has to exist with its `staging`.

    An image is copied to `staging` first; its domain, by which the cloud finds it, appears last.
    """

    def __init__(self, storage: Path, threads: Threads) -> None:
        self._storage = storage
        self._threads = threads

    def account(self, credentials: Credentials | None, provider: Provider) -> None:
        """None: whoever may write to the directory may push."""

    def files(self, id: str, provider: Provider) -> tuple[Path, ...]:
        """See `Push`."""
        return tuple(path.absolute() for path in _Files(self._storage, id).all)

    async def push(
        self, image: Ready, id: str, provider: Provider, credentials: Credentials | None, report: Report
    ) -> Pushed:
        """See `Push`. Raises Unavailable (no such directory), NoSpace, InvalidInput (parameters)."""
        files = _Files(self._storage, id)
        domain = _domain_at(image, files.image)
        report.activity(f"copying the image to {self._storage}")
        try:
            await stoppable(self._threads, lambda watch: files.write(image.path, domain, watch))
        except BaseException:
            await self._threads.run(files.remove)
            raise
        report.progress(100)
        return Pushed(id)

    async def delete(self, identifier: str, provider: Provider, credentials: Credentials | None) -> None:
        """See `Push`."""
        await self._threads.run(_Files(self._storage, identifier).remove)


class _Files:
    """The files of one image; everything here blocks."""

    def __init__(self, storage: Path, id: str) -> None:
        try:
            name = f"condorimage-{UUID(id)}"
        except ValueError:
            raise InvalidInput(f"{id!r} is not an image of {NAME}: its identifiers are UUIDs") from None
        self.image = storage / f"{name}.img"
        self._staged = storage / "staging" / f"{name}.img"
        self._xml = storage / f"{name}.xml"
        self._staged_xml = storage / "staging" / f"{name}.xml"

    @property
    def all(self) -> tuple[Path, ...]:
        """In the order in which they are to be removed."""
        return self._xml, self._staged_xml, self.image, self._staged

    def write(self, source: Path, domain: bytes, watch: Watch) -> None:
        if not self._staged.parent.is_dir():
            hint = "make it with the directory above, or set condorcloud_path"
            raise Unavailable(f"there is no directory {self._staged.parent}", where="condorcloud_path", hint=hint)
        try:
            clone(source, self._staged, watch)
            with full_disk(self._staged_xml, len(domain)):
                self._staged_xml.write_bytes(domain)
            adopt(self._staged, self.image)
            adopt(self._staged_xml, self._xml)
        except PermissionError as error:
            hint = "let this user write there, or set condorcloud_path"
            raise Unavailable(f"{error.strerror}: {error.filename}", where="condorcloud_path", hint=hint) from error

    def remove(self) -> None:
        """The domain first: without its image it would be a promise not kept."""
        for path in self.all:
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()


class Condorcloud(Target):
    """Condor starts the domain by libvirt and KVM."""

    name = NAME
    os = True

    def __init__(self, pushing: CondorPush) -> None:
        self.pushing = pushing

    def needs(self, template: Template) -> Needs:
        """See `Target`."""
        return Needs(
            initrd_modules=("virtio_blk",),
            files=(cloud_info(NAME),),
        )

    def conversion(self) -> Conversion:
        """See `Target`."""
        return Conversion("raw")

    def parameters(self, template: Template, image_id: str, size: int) -> str:
        """See `Target`; a push replaces the path of the disk."""
        disk = f"base-image-{image_id}.dsk"
        name = f"{template.name}-{image_id}"
        return domain_xml(Domain(name, image_id, template.os.arch, disk, "raw", template.name))


def _domain_at(image: Ready, disk: Path) -> bytes:
    """The stored domain with the disk where it is now; an image without one gets one."""
    if image.parameters is None:
        arch = image.template.os.arch if image.template else Arch.X86_64
        return domain_xml(Domain(f"image-{image.id}", image.id, arch, str(disk), "raw")).encode()
    root = parse_xml(image.parameters.encode(), what="libvirt domain of the target image")
    source = root.find("devices/disk[@device='disk']/source")
    if source is None:
        hint = "the attribute target_parameters of the target image should be a libvirt domain; build the image again"
        raise InvalidInput("the libvirt domain of the target image has no disk", hint=hint)
    source.set("file", str(disk))
    return etree.tostring(root, encoding="UTF-8") + b"\n"


def _make(context: TargetContext) -> Condorcloud:
    return Condorcloud(CondorPush(context.settings.condorcloud_path, context.threads))


TARGET = TargetDescriptor(
    NAME,
    "Condor cloud",
    _make,
    names=(ProviderNames(re.compile(r"condorcloud(-.+)?"), "condorcloud or condorcloud-..."),),
)
