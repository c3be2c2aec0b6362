"""Condor cloud: a directory of raw images, each with a libvirt domain beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from lxml import etree

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import InvalidInput, Unavailable
from imagefactory.lib.files.holes import Watch
from imagefactory.model.credentials import Credentials
from imagefactory.model.libvirt_xml import Domain, domain_xml
from imagefactory.model.providers import Provider
from imagefactory.model.template import Arch, Template
from imagefactory.model.xml import parse_xml
from imagefactory.systems.disk.copies import adopt, clone
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.disk.space import full_disk
from imagefactory.systems.disk.stoppable import stoppable
from imagefactory.systems.families.interface import Needs
from imagefactory.targets.descriptor import ProviderNames, TargetContext, TargetDescriptor
from imagefactory.targets.images import pieces
from imagefactory.targets.interface import PushContext, Pushed, Ready, Target, cloud_info
from imagefactory.targets.resources import Resource

NAME = "condorcloud"


class CondorPush:
    """Copies images to a directory.

    Args:
        storage: the directory (setting `condorcloud_path`), which has to exist, with a directory `staging` in it. An
            image is copied to `staging` first; its domain, by which the cloud finds it, appears last.
        threads: for the work on files.
    """

    def __init__(self, storage: Path, threads: Threads) -> None:
        self._storage = storage
        self._threads = threads

    def account(self, credentials: Credentials | None, provider: Provider) -> None:
        """Returns None: the right to write to the directory is the right to push."""

    async def push(self, image: Ready, context: PushContext) -> Pushed:
        """See `CloudPush`. Raises Unavailable (no such directory), NoSpace, InvalidInput (parameters)."""
        files = _Files(self._storage, context.id)
        domain = _domain_at(image, files.image)
        context.report.activity(f"copying the image to {self._storage}")
        async with context.resources.creating("image", f"{NAME}:{context.id}") as resource:
            if not resource.identifier:
                await self._copy(image, files)
                await self._threads.run(files.publish, domain)
                await resource.created(context.id)
        context.report.progress(100)
        return Pushed(context.id)

    async def _copy(self, image: Ready, files: _Files) -> None:
        await self._threads.run(files.prepare)
        if image.path is not None:
            path = image.path
            await stoppable(self._threads, lambda watch: files.clone(path, watch))
            return
        async with image.open() as reader:
            await self._threads.run(files.allocate, reader.size)
            async for start, data in pieces(reader):
                await self._threads.run(files.write, data, start)

    async def sweep(self, resource: Resource, provider: Provider, credentials: Credentials | None) -> None:
        """See `CloudPush`."""
        await self.delete(resource.push, provider, credentials)

    async def delete(self, identifier: str, provider: Provider, credentials: Credentials | None) -> None:
        """See `CloudPush`."""
        await self._threads.run(_Files(self._storage, identifier).remove)


class _Files:
    """The files of one image; everything here blocks."""

    def __init__(self, storage: Path, id: str) -> None:
        try:
            name = f"condorimage-{UUID(id)}"
        except ValueError:
            raise InvalidInput(f"{id!r} is not an image of {NAME}: its identifiers are UUIDs") from None
        self.image = storage / f"{name}.img"
        self.staged = storage / "staging" / f"{name}.img"
        self._xml = storage / f"{name}.xml"
        self._staged_xml = storage / "staging" / f"{name}.xml"

    @property
    def all(self) -> tuple[Path, ...]:
        """All paths, in the order in which they are to be removed."""
        return self._xml, self._staged_xml, self.image, self.staged

    def prepare(self) -> None:
        """Make way for a new image. Raises Unavailable."""
        if not self.staged.parent.is_dir():
            hint = "make it with the directory above, or set condorcloud_path"
            raise Unavailable(f"there is no directory {self.staged.parent}", where="condorcloud_path", hint=hint)
        with _permitted():
            self.staged.unlink(missing_ok=True)  # of an interrupted push

    def clone(self, source: Path, watch: Watch) -> None:
        """Copy a local image. Raises NoSpace, Unavailable."""
        with _permitted():
            clone(source, self.staged, watch)

    def allocate(self, size: int) -> None:
        """Make the image one hole of `size` bytes."""
        with _permitted(), self.staged.open("xb") as file:
            file.truncate(size)

    def write(self, data: bytes, start: int) -> None:
        """Fill in data."""
        with full_disk(self.staged, len(data)), self.staged.open("r+b") as file:
            file.seek(start)
            file.write(data)

    def publish(self, domain: bytes) -> None:
        """Let the cloud find the image. Raises NoSpace, Unavailable."""
        with _permitted():
            with full_disk(self._staged_xml, len(domain)):
                self._staged_xml.write_bytes(domain)
            adopt(self.staged, self.image)
            adopt(self._staged_xml, self._xml)

    def remove(self) -> None:
        """The domain first: a domain without its image could not be started."""
        for path in self.all:
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()


@contextmanager
def _permitted() -> Iterator[None]:
    """Say what to do about a directory that this user may not write to."""
    try:
        yield
    except PermissionError as error:
        hint = "let this user write there, or set condorcloud_path"
        raise Unavailable(f"{error.strerror}: {error.filename}", where="condorcloud_path", hint=hint) from error


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
    """Returns the stored domain with the new path of the disk, or a new domain for an image without one."""
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
