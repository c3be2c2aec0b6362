"""Package sources of Debian and Ubuntu: where suites are on a mirror, and the one-line entries of apt.

The format is that of sources.list(5).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.model.template import Repository
from imagefactory.systems.families.debian.releases import generation
from imagefactory.systems.families.interface import Release, Source
from imagefactory.systems.guests.interface import File

MARK = "# The build fetched from "
_ENTRY = re.compile(r"deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?(?P<url>\S+:/\S+)\s+(?P<suite>\S+)(?P<components>.*)")
_SIGNED = ("InRelease", "Release")
_FLAT = ("Packages", "Packages.xz", "Packages.gz")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def mirror_root(url: str) -> str:
    """Returns the root of a mirror, from its own URL or that of anything below `dists/` (old templates name the netboot
    directory)."""
    return re.sub(r"/dists(/.*)?$", "", url.rstrip("/")).rstrip("/")


def sources(release: Release, root: str) -> tuple[Source, ...]:
    """Returns the suites of a release on a mirror; all but the release's own may be missing."""
    components = ("main", "universe") if release.os == "Ubuntu" else ("main",)

    def suite(name: str, where: str = root, *, optional: bool = True) -> Source:
        return Source(where, name, components, f"{where}/dists/{name}/InRelease", optional)

    code = release.codename
    if code == "sid":
        return (suite(code, optional=False),)
    return (suite(code, optional=False), suite(f"{code}-updates"), suite(*_security(release, root)))


def _security(release: Release, root: str) -> tuple[str, str]:
    """Suite and place of security updates: Debian keeps them beside the mirror (below it, where it is a whole host),
    and named the suite otherwise before release 11."""
    if release.os == "Ubuntu":
        return f"{release.codename}-security", root
    tail = "-security" if generation(release) >= 11 else "/updates"
    return release.codename + tail, _beside(root)


def _beside(root: str) -> str:
    return f"{root}-security" if urlsplit(root).path else f"{root}/debian-security"


def entries(found: tuple[Source, ...], options: str) -> str:
    """Returns the sources.list of a build, with a first line that tells it from a list that a template brings along."""
    lines = (f"deb {options} {one.url} {one.suite} {' '.join(one.components)}" for one in found)
    return "\n".join((MARK + found[0].url, *lines, ""))


def published(building: bytes, root: str) -> bytes:
    """Returns the list for the finished image: every URL of the build's mirror becomes the template's."""
    mark, _, rest = building.decode(errors="surrogateescape").partition("\n")
    if not mark.startswith(MARK):
        return building
    before = mark.removeprefix(MARK)
    places = {_beside(before): _beside(root), before: root}
    found = re.compile("|".join(map(re.escape, places)))
    return found.sub(lambda match: places[match[0]], rest).encode(errors="surrogateescape")


def repository_file(repository: Repository) -> str:
    """Returns where apt reads the entry of this repository; its name is one that apt does not ignore."""
    return f"/etc/apt/sources.list.d/{_UNSAFE.sub('-', repository.name).strip('-') or 'repository'}.list"


def repository_source(wanted: Repository, release: Release, arch: str) -> Source:
    """Returns where the entry's packages are; a flat one may have no Release where it is trusted."""
    found = _parsed(wanted, release)
    url, suite, components = found["url"], found["suite"].replace("$(ARCH)", arch), tuple(found["components"].split())
    flat = suite.endswith("/")
    place = "/".join((url.rstrip("/"), *([] if flat else ["dists"]), suite.removeprefix("./").strip("/"))).rstrip("/")
    first, *others = (f"{place}/{name}" for name in (*_SIGNED, *(_FLAT if flat else ())))
    return Source(url, suite, components, first, other_indexes=tuple(others))


def repository(wanted: Repository, release: Release) -> File:
    """The entry of a template's repository: a whole one-line entry, or the URL of a mirror that has the release's
    suite.

    apt verifies it with the keys in the image. A repository without a known key says so in apt's own words
    (`deb [trusted=yes] ...`): TDL's `signed` says nothing here, because in old templates it is always "no".
    """
    return File(repository_file(wanted), f"{_parsed(wanted, release)[0]}\n".encode())


def _parsed(wanted: Repository, release: Release) -> re.Match[str]:
    url = wanted.url.strip()
    if re.fullmatch(r"https?://\S+", url):
        url = f"deb {url} {release.codename} main"
    found = _ENTRY.fullmatch(url) if url.isprintable() else None
    if found is None:
        raise InvalidInput(
            f"repository {wanted.name} cannot be a package source of {release.os}",
            problems=(Problem("repositories/repository/url", f"{wanted.url!r} is no entry of apt's sources.list"),),
            hint="write it as: deb http://mirror.example/debian bookworm-backports main",
        )
    return found
