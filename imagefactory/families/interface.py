"""What an OS family knows.

Everything here is pure: commands are built, never run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from imagefactory.model.template import Arch, Repository, Template


@dataclass(frozen=True, slots=True)
class Release:
    """One supported version of one OS: `os` is the canonical name (Debian), `version` the number, `codename` where
    there is one."""

    family: str
    os: str
    version: str
    codename: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One package source of a bootstrap: for Debian a suite with its components, for rpm an install tree.

    `index` is the URL of the signed index whose digest goes into the stage key (InRelease, repodata/repomd.xml). An
    `optional` source that the mirror does not have (404) is left out.
    """

    url: str
    suite: str = ""
    components: tuple[str, ...] = ()
    index: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What makes a root tree of this family.

    `packages` is the base set (kernel, init, network, boot needs) that every image has. `tool` names the program
    (`mmdebstrap`, `dnf`); `keyring` is the file or directory of keys that must have signed the indexes (empty:
    template says unsigned).
    """

    tool: str
    release: Release
    arch: Arch
    sources: tuple[Source, ...]
    packages: tuple[str, ...]
    keyring: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """An installed package, for the ICICLE: `name` is the line that old ICICLEs had; version and architecture are
    ours."""

    name: str
    version: str = ""
    arch: str = ""


@dataclass(frozen=True, slots=True)
class Kernel:
    """Where the kernel of a finished tree is: paths inside the guest, for the boot loader's configuration."""

    image: str
    initrd: str


@dataclass(frozen=True, slots=True)
class Step:
    """One shell text for a guest, with the name that a person reads in the log."""

    title: str
    script: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What a target wants of the system, in words every family understands; a family turns them into packages and
    files."""

    cloud_init: tuple[str, ...] = ()  # data sources, in order ("Ec2", "None"); empty: no cloud-init
    guest_agent: str = ""  # "qemu", "vmware" or none
    kernel_parameters: tuple[str, ...] = ()
    initrd_modules: tuple[str, ...] = ()
    predictable_names: bool = False  # False: net.ifnames=0, the NIC is eth0
    files: tuple[tuple[str, bytes], ...] = field(default=())
    fstab_nofail: bool = False


class Family(Protocol):
    """One OS family."""

    name: str

    def release(self, os: str, version: str) -> Release | None:
        """The release that this pair names in any accepted spelling, or None; raises nothing."""
        ...

    def known(self) -> tuple[str, ...]:
        """What this family accepts, for people ("Debian 11, 12, 13")."""
        ...

    def bootstrap(self, template: Template, release: Release, url: str) -> Bootstrap:
        """How to make the base tree; `url` is the install URL after mirrors have been applied.

        Raises Unsupported, InvalidInput.
        """
        ...

    def configure(self, template: Template, release: Release) -> tuple[tuple[str, bytes, int], ...]:
        """Files (path, data, mode) that every image gets: hostname, network, package sources, ssh host keys on first
        boot, ..."""
        ...

    def add_repositories(
        self, repositories: tuple[Repository, ...], release: Release
    ) -> tuple[tuple[str, bytes, int], ...]:
        """Files that make the repositories known."""
        ...

    def forget_repositories(self, repositories: tuple[Repository, ...]) -> tuple[str, ...]:
        """Paths to remove for those that are not persisted."""
        ...

    def refresh(self) -> Step:
        """Read the package lists."""
        ...

    def install(self, packages: tuple[str, ...]) -> Step:
        """Install packages, asking nothing."""
        ...

    def list_packages(self) -> str:
        """A shell text whose output `parse_packages` reads."""
        ...

    def parse_packages(self, output: str) -> tuple[PackageInfo, ...]: ...

    def fulfil(self, needs: Needs) -> tuple[tuple[str, ...], tuple[tuple[str, bytes, int], ...], tuple[Step, ...]]:
        """What a target's needs mean here: packages, files, steps (in this order)."""
        ...

    def kernel(self) -> str:
        """A shell text that prints two lines: path of the newest kernel, path of its initrd (absolute, in the
        guest)."""
        ...

    def seal(self) -> tuple[str, ...]:
        """Paths and patterns to remove at the very end: ssh host keys, leases, logs, package caches, the builder's
        resolv.conf."""
        ...
