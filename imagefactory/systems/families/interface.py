"""What an OS family knows.

Everything here is pure: commands are built, never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imagefactory.lib.errors import FactoryError, Unsupported
from imagefactory.model.icicle import PackageInfo
from imagefactory.model.template import Arch, Repository, Template, UrlInstall
from imagefactory.systems.guests.interface import File


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
    `optional` source that the mirror does not have (404) is left out. `other_indexes` are asked in turn where there is
    no `index`.
    """

    url: str
    suite: str = ""
    components: tuple[str, ...] = ()
    index: str = ""
    optional: bool = False
    other_indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What makes a root tree of this family.

    `packages` is the base set (kernel, init, network, boot needs) that every image has. `tool` names the program
    (`mmdebstrap`, `dnf`) and `arch` is the family's spelling of the architecture. With `verify`, `keyrings` are the
    files, absolute or below a directory of keys, one of which must have signed the sources; `keyring_package` is what
    has them.
    """

    tool: str
    release: Release
    arch: str
    sources: tuple[Source, ...]
    packages: tuple[str, ...]
    verify: bool = True
    keyrings: tuple[str, ...] = ()
    keyring_package: str = ""


def install_url(template: Template) -> str:
    """Where the packages of a bootstrapped system come from; Unsupported for one that is installed from media."""
    if isinstance(template.os.install, UrlInstall):
        return template.os.install.url
    raise Unsupported(
        "the engine bootstrap installs from package trees, not from media",
        where="os/install",
        hint='use <install type="url"> with the URL of a mirror',
    )


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
class Change:
    """A change of a system, made in this order: packages installed, files written, steps run."""

    packages: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    steps: tuple[Step, ...] = ()


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
    sources_file: str  # where the package sources of a tree are listed; see `published_sources`

    def release(self, os: str, version: str) -> Release | None:
        """Returns the release that this pair names in any accepted spelling, or None; raises nothing."""
        ...

    def known(self) -> tuple[str, ...]:
        """Returns what this family accepts, for people ("Debian 11, 12, 13")."""
        ...

    def arch(self, arch: Arch, release: Release) -> str:
        """Returns the family's name of the architecture; Unsupported if the release does not exist for it."""
        ...

    def bootstrap(self, template: Template, release: Release, url: str) -> Bootstrap:
        """How to make the base tree; `url` is the install URL after mirrors have been applied.

        Raises Unsupported, InvalidInput.
        """
        ...

    def published_sources(self, building: bytes, template: Template) -> bytes:
        """The content of `sources_file` for the finished image: the template's URLs instead of the mirror that the
        build used.

        A file that is not the build's own (a template may replace it) stays as it is.
        """
        ...

    def configure(self, template: Template) -> Change:
        """Returns what every image gets: hostname, network, locale, ssh host keys on first boot."""
        ...

    def add_repositories(self, repositories: tuple[Repository, ...], release: Release) -> tuple[File, ...]:
        """Files that make the repositories known; InvalidInput for an entry that cannot be one."""
        ...

    def repository_source(self, repository: Repository, bootstrap: Bootstrap) -> Source:
        """Returns where the packages of a template's repository are; `url` is spelt as it is in the repository.

        Raises InvalidInput for an entry that cannot be one.
        """
        ...

    def forget_repositories(self, repositories: tuple[Repository, ...]) -> tuple[str, ...]:
        """Returns the file of each repository: what to remove if it is not persisted."""
        ...

    def refresh(self, repositories: tuple[Repository, ...]) -> Step:
        """Read the package lists of these added repositories, and those of the base if they are not there."""
        ...

    def install(self, packages: tuple[str, ...], repositories: tuple[Repository, ...] = ()) -> Step:
        """Install packages from the base's sources and these added repositories, asking nothing."""
        ...

    def explain(self, lines: Sequence[str]) -> FactoryError | None:
        """The cause that a failed package tool's last lines tell, as an error that says what to do; None: nothing
        known."""
        ...

    def list_packages(self) -> str:
        """Returns a shell text whose output `parse_packages` reads."""
        ...

    def parse_packages(self, output: str) -> tuple[PackageInfo, ...]: ...

    def fulfil(self, needs: Needs) -> Change:
        """What a target's needs mean here."""
        ...

    def kernel(self) -> str:
        """Returns a shell text that prints two lines: path of the kernel to boot, path of its initrd (absolute, in the
        guest)."""
        ...

    def seal(self) -> tuple[str, ...]:
        """Paths and patterns of this family to remove at the very end: package caches and lists, traces of the build.

        What every Linux system has (ssh host keys, leases, logs, histories) is the sealing stage's own business.
        """
        ...
