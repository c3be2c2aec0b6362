"""Package sources of the rpm families: install trees and .repo files (dnf.conf(5))."""

from __future__ import annotations

import re

from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.model.template import Repository
from imagefactory.systems.families.interface import Bootstrap, Release, Source
from imagefactory.systems.families.redhat.releases import is_fedora, major
from imagefactory.systems.guests.interface import File

MARK = "# The build fetched from "
DIRECTORY = "/etc/yum.repos.d"
OWN = "imagefactory-"
"""What the names of our own sections and files begin with."""

KEPT = "/var/cache/imagefactory"
"""Where the packages of a base are whose rpm cannot read the database that the host's rpm wrote."""

FIRST_SQLITE_EL, FIRST_SQLITE_FEDORA = 9, 33  # rpm 4.16
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_VARIABLE = re.compile(r"\$(?:(releasever|basearch|arch)\b|\{(releasever|basearch|arch)\})")
_BASEOS = re.compile(r"/(BaseOS|baseos)(?:/latest)?(?=/|$)")  # Oracle's has a "latest" below, its AppStream has not
_URL = re.compile(r"(?:https?|file|ftp)://[^\s\"']+")


def sources(release: Release, url: str) -> tuple[Source, ...]:
    """The install tree, and what belongs to it on the same mirror: updates (Fedora, old EL) or AppStream (EL 8 on)."""
    tree = url.rstrip("/")
    found = [_source(tree, "base")]
    if is_fedora(release):
        updates = re.sub(r"/releases/(\d+)/(Everything|Server)/([^/]+)/os$", r"/updates/\1/Everything/\3", tree)
    elif major(release) >= 8:
        updates = _BASEOS.sub(lambda found: "/AppStream" if found[1][0].isupper() else "/appstream", tree)
    else:
        updates = re.sub(r"/os/([^/]+)$", r"/updates/\1", tree)
    if updates != tree:
        found.append(_source(updates, "more", optional=True))
    return tuple(found)


def reads_database(release: Release) -> bool:
    """Returns whether the release's rpm reads what today's rpm writes: sqlite, which took the place of Berkeley DB."""
    return major(release) >= (FIRST_SQLITE_FEDORA if is_fedora(release) else FIRST_SQLITE_EL)


def _source(url: str, name: str, *, optional: bool = False) -> Source:
    return Source(url, name, index=f"{url}/repodata/repomd.xml", optional=optional)


def building(found: tuple[Source, ...], *, verify: bool) -> str:
    """Returns the .repo file of a build, with a first line that tells it from a file that a template brings along.

    It names no keys: those that signed the base are in its rpm database.
    """
    return MARK + found[0].url + "\n" + "\n".join(sections(found, verify=verify))


def sections(found: tuple[Source, ...], *, verify: bool) -> tuple[str, ...]:
    """Returns the sources as sections of dnf's configuration, each ended by a line end."""
    return tuple(_section(f"{OWN}{one.suite}", one.url, verify=verify, ssl=True) for one in found)


def published(building: bytes, url: str) -> bytes:
    """Returns the file for the finished image: the template's URL instead of the mirror of the build."""
    mark, _, rest = building.decode(errors="surrogateescape").partition("\n")
    if not mark.startswith(MARK):
        return building
    before, after = _prefixes(mark.removeprefix(MARK), url.rstrip("/"))
    return rest.replace(before, after).encode(errors="surrogateescape")


def _prefixes(before: str, after: str) -> tuple[str, str]:
    """Two URLs without the tail they share, so that trees beside the install tree are renamed with it."""
    shared = 0
    for mine, theirs in zip(reversed(before), reversed(after), strict=False):
        if mine != theirs:
            break
        shared += 1
    return before[: len(before) - shared], after[: len(after) - shared]


def repository_id(repository: Repository) -> str:
    """Returns a repository's name as dnf allows it.

    InvalidInput for one that is the base's, or dnf's own (dnf.conf(5): `main`).
    """
    id = _id(repository.name)
    if id == "main" or id.startswith(OWN):
        raise InvalidInput(
            f"no repository can be called {repository.name}",
            problems=(Problem("repositories/repository", f"{id!r} means something else to dnf"),),
            hint=f"take another name: not main, and not one that begins with {OWN}",
        )
    return id


def _id(name: str) -> str:
    return _UNSAFE.sub("-", name).strip("-") or "repository"


def repository_file(repository: Repository) -> str:
    """Returns the path of its file, where dnf reads it."""
    return f"{DIRECTORY}/{repository_id(repository)}.repo"


def repository(wanted: Repository) -> File:
    """Returns a template's repository; `signed` and `sslverify` mean what they say in TDL.

    Where nothing is said of signatures they are verified: with the keys that the system knows by then.
    """
    url = _checked(wanted)
    section = _section(repository_id(wanted), url, verify=wanted.signed is not False, ssl=wanted.ssl_verify)
    return File(repository_file(wanted), section.encode())


def repository_source(wanted: Repository, bootstrap: Bootstrap) -> Source:
    """Where a template's repository is, with dnf's variables in its URL (dnf.conf(5)) as they are in the system."""
    arch = bootstrap.arch
    values = {"releasever": bootstrap.release.version, "arch": arch, "basearch": {"i686": "i386"}.get(arch, arch)}
    repository_id(wanted)
    url = _checked(wanted)
    place = _VARIABLE.sub(lambda found: values[found[1] or found[2]], url)
    return Source(url, wanted.name, index=f"{place.rstrip('/')}/repodata/repomd.xml")


def _checked(wanted: Repository) -> str:
    if not _URL.fullmatch(wanted.url.strip()):
        raise InvalidInput(
            f"repository {wanted.name} has no URL that dnf could use",
            problems=(Problem("repositories/repository/url", repr(wanted.url)),),
            hint="name the directory that has repodata/ in it",
        )
    return wanted.url.strip()


def _section(name: str, url: str, *, verify: bool, ssl: bool) -> str:
    lines = [f"[{name}]", f"name={name}", f"baseurl={url}", "enabled=1"]
    lines += [f"gpgcheck={int(verify)}", f"sslverify={int(ssl)}"]
    return "\n".join((*lines, ""))
