"""Where to fetch from instead of a template's install and repository URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from twisted.logger import Logger

from imagefactory.lib.concurrency.shared import SharedRuns
from imagefactory.lib.errors import FactoryError, Unavailable
from imagefactory.lib.process.interface import Command, Processes
from imagefactory.lib.secret import without_secrets
from imagefactory.model.urls import canonical
from imagefactory.settings.mirrors import APT
from imagefactory.systems.families.interface import Release

_log = Logger()

#: Prints what this host's apt would read, as its sources have it. It looks at nothing else, so it takes no time.
URIS = ("apt-get", "update", "--print-uris")

#: Knows who made each source, too, for which it reads all lists of packages.
INDEXTARGETS = (
    "apt-get",
    "indextargets",
    "--format",
    "$(SITE)\t$(RELEASE)\t$(ORIGIN)",
    "Created-By: Packages",
)


class TrustedServers:
    """The servers that an administrator of this host sends builds to: those of the setting `mirrors`, and those of
    apt's sources. They may have any address.

    apt is asked each time, so that a change of its sources needs no restart; it takes a few hundredths of a second.
    """

    def __init__(self, mirrors: Mapping[str, str], processes: Processes) -> None:
        self._named = set(filter(None, map(server, mirrors.values())))
        self._processes = processes
        self._asking: SharedRuns[str, set[tuple[str, int]]] = SharedRuns()

    async def trusts(self, host: str, port: int) -> bool:
        """Returns whether `host` (a name, or an address without brackets) with this port is one of them."""
        wanted = (host.lower(), port)
        return wanted in self._named or wanted in await self._asking.run("apt", self._of_apt)

    async def _of_apt(self) -> set[tuple[str, int]]:
        try:
            uris = await self._processes.output(Command(URIS, "reading this host's package sources", total=60))
        except FactoryError as error:  # a host without apt, or sources that apt cannot read
            _log.debug("the package sources of this host are not known: {error}", error=error)
            return set()
        return set(filter(None, map(server, re.findall(r"^'(https?://[^']+)' ", uris, re.MULTILINE))))


def server(url: str) -> tuple[str, int] | None:
    """Returns host and port of an HTTP URL; None for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def mapped(url: str, mirrors: Mapping[str, str]) -> str:
    """Returns `url` with the longest prefix of the mapping that it has (whole path segments) replaced.

    It is `apt:` when the mapping says so: then `host_mirror` knows the root.
    """
    shortest = canonical(url)
    places = {canonical(prefix).rstrip("/"): place for prefix, place in mirrors.items()}
    fitting = [prefix for prefix in places if _is_below(shortest, prefix)]
    if not fitting:
        return url
    prefix = max(fitting, key=len)
    return APT if places[prefix] == APT else places[prefix].rstrip("/") + shortest.removeprefix(prefix)


def _is_below(url: str, prefix: str) -> bool:
    return url == prefix or url.startswith(prefix + "/")


def named_mirror(uris: str, release: Release) -> str | None:
    """Returns the first mirror with the release's own suite among the host's sources, from the output of `URIS`."""
    suites = "|".join(re.escape(suite) for suite in (release.codename, release.version))
    found = re.search(rf"^'(https?://\S+?)/+dists/(?:{suites})/(?:InRelease|Release)' ", uris, re.MULTILINE)
    return found[1] if found else None


def host_mirror(targets: str, release: Release, wanted: str) -> str:
    """Returns the mirror of the host's own sources that has the release, from the output of `INDEXTARGETS`.

    A source of that very suite is best; another release's of the same OS will do, a mirror has all of them. Raises
    Unavailable, which says what to set for the URL `wanted`.
    """
    lines = (line.split("\t") for line in targets.splitlines() if line.startswith(("http://", "https://")))
    rows = [row for row in lines if len(row) == 3]
    for site, suite, _ in rows:
        if suite in {release.codename, release.version}:
            return site.rstrip("/")
    for site, suite, origin in rows:
        if origin == release.os and "-" not in suite and "/" not in suite:
            return site.rstrip("/")
    raise no_mirror(release, wanted)


def no_mirror(release: Release, wanted: str) -> Unavailable:
    """Returns what to say where this host's apt knows no mirror for the URL `wanted`."""
    setting = f'"mirrors": {{"{without_secrets(wanted)}": "http://URL-OF-A-MIRROR"}}'
    return Unavailable(
        f"this host's package sources have no mirror of {release.os}",
        where="setting mirrors",
        hint=f"run apt-get update, or name a mirror in the configuration file: {setting}",
    )
