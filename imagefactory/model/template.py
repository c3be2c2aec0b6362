"""A template (TDL) as a value: what to install, from where, and how to customise it.

`imagefactory.model.tdl` makes it from XML; nothing else does. Texts are stripped, sizes are bytes, defaults are
filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from imagefactory.lib.secret import Secret


class Arch(StrEnum):
    """The architectures that TDL knows, in its spelling."""

    I386 = "i386"
    X86_64 = "x86_64"
    PPC64 = "ppc64"
    PPC64LE = "ppc64le"
    AARCH64 = "aarch64"
    ARMV7L = "armv7l"
    S390X = "s390x"


@dataclass(frozen=True, slots=True)
class UrlInstall:
    """Install from a package tree."""

    url: str


@dataclass(frozen=True, slots=True)
class Extra:
    """A file or directory to add to install media; `destination` is relative and normalised."""

    source: str
    destination: str
    directory: bool


@dataclass(frozen=True, slots=True)
class Checksum:
    """Where the checksum file of a medium is: `algorithm` is md5, sha1 or sha256."""

    algorithm: str
    url: str


@dataclass(frozen=True, slots=True)
class IsoInstall:
    """Install from a medium."""

    iso: str
    checksum: Checksum | None = None
    extras: tuple[Extra, ...] = ()


Install = UrlInstall | IsoInstall


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """The `os` element.

    `version` is as written; a family gives it its meaning.
    """

    name: str
    version: str
    arch: Arch
    install: Install
    kernel_parameters: str = ""
    root_password: Secret | None = None
    key: Secret | None = None
    icicle_extra_command: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """A package repository of the build, and if `persisted` of the finished system.

    `signed` is None where the template says nothing: only what says that it is not signed goes unverified.
    """

    name: str
    url: str
    signed: bool | None = None
    persisted: bool = True
    ssl_verify: bool = False


@dataclass(frozen=True, slots=True)
class Inline:
    """Content that stands in the template (raw or base64, decoded)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Remote:
    """Content to be fetched from `url` when the template is accepted."""

    url: str


Content = Inline | Remote


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file to put into the image; `name` is an absolute path in the guest."""

    name: str
    content: Content


@dataclass(frozen=True, slots=True)
class Script:
    """A shell text to run as root in the guest; `name` is for people."""

    name: str
    content: Content


@dataclass(frozen=True, slots=True)
class Template:
    """One parsed template.

    `source` is the XML as it was given (UTF-8), for storing and showing.
    """

    name: str
    os: OperatingSystem
    description: str = ""
    disk_size: int | None = None
    repositories: tuple[Repository, ...] = ()
    packages: tuple[str, ...] = ()
    files: tuple[GuestFile, ...] = ()
    precommands: tuple[Script, ...] = ()
    commands: tuple[Script, ...] = ()
    source: bytes = field(default=b"", repr=False)  # holds the passwords in clear


Parse = Callable[[bytes], Template]
"""Makes a template from its XML; raises InvalidInput."""
