"""Where to fetch from instead of a template's install and repository URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagefactory.lib.errors import Unavailable
from imagefactory.lib.secret import without_secrets
from imagefactory.model.urls import canonical
from imagefactory.settings.mirrors import APT
from imagefactory.systems.families.interface import Release

#: Prints what this host's apt would read, as its sources have it. It looks at nothing else, so it answers at once.
URIS = ("apt-get", "update", "--print-uris")

#: Knows who made each source, too, for which it reads all lists of packages.
INDEXTARGETS = (
    "apt-get",
    "indextargets",
    "--format",
    "$(SITE)\t$(RELEASE)\t$(ORIGIN)",
    "Created-By: Packages",
)


def mapped(url: str, mirrors: Mapping[str, str]) -> str:
    """`url` with the longest prefix of the mapping that it has (whole path segments) replaced.

    The answer starts with `apt:` when the mapping says so: then it is `host_mirror` that knows the root.
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
    """The first mirror with the release's own suite among the host's sources, from the output of `URIS`."""
    suites = "|".join(re.escape(suite) for suite in (release.codename, release.version))
    found = re.search(rf"^'(https?://\S+?)/+dists/(?:{suites})/(?:InRelease|Release)' ", uris, re.MULTILINE)
    return found[1] if found else None


def host_mirror(targets: str, release: Release, wanted: str) -> str:
    """The mirror of the host's own sources that has the release, from the output of `INDEXTARGETS`.

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
    """What to say where this host's apt knows no mirror for the URL `wanted`."""
    setting = f'"mirrors": {{"{without_secrets(wanted)}": "http://URL-OF-A-MIRROR"}}'
    return Unavailable(
        f"this host's package sources have no mirror of {release.os}",
        where="setting mirrors",
        hint=f"run apt-get update, or name a mirror in the configuration file: {setting}",
    )
