"""Where to fetch from instead of a template's install and repository URLs."""

from __future__ import annotations

from collections.abc import Mapping

from imagefactory.families.interface import Release
from imagefactory.model.errors import Unavailable

APT = "apt:"
"""A mapping's value that means the mirror of this host's own package sources."""

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
    fitting = [prefix for prefix in mirrors if _is_below(url, prefix.rstrip("/"))]
    if not fitting:
        return url
    prefix = max(fitting, key=len)
    value = mirrors[prefix]
    rest = url[len(prefix.rstrip("/")) :]
    return value if value == APT else value.rstrip("/") + rest


def _is_below(url: str, prefix: str) -> bool:
    return url == prefix or url.startswith(prefix + "/")


def host_mirror(targets: str, release: Release) -> str:
    """The mirror of the host's own sources that has the release, from the output of `INDEXTARGETS`.

    A source of that very suite is best; another release's of the same OS will do, a mirror has all of them. Raises
    Unavailable.
    """
    rows = [row for line in targets.splitlines() if len(row := line.split("\t")) == 3]
    for site, suite, _ in rows:
        if suite in {release.codename, release.version}:
            return site.rstrip("/")
    for site, suite, origin in rows:
        if origin == release.os and "-" not in suite and "/" not in suite:
            return site.rstrip("/")
    raise Unavailable(
        f"this host's package sources have no mirror of {release.os}",
        where="setting mirrors",
        hint="run apt-get update, or name a mirror's URL in the setting instead of apt:",
    )
