"""dnf(8): root trees of the rpm families."""

from __future__ import annotations

import re
from pathlib import Path

from imagefactory.engines.bootstrap.tool import ALONE, Invocation, Milestone
from imagefactory.families.interface import Bootstrap
from imagefactory.families.redhat import sources

_PHASES = {
    "Dependencies resolved": Milestone("downloading packages", 10),
    "Running transaction check": Milestone("installing packages", 30),
    "Complete!": Milestone("cleaning up", 98),
}
_STEP = re.compile(r"\s+(?:Installing|Running scriptlet)\s*:.*?(\d+)/(\d+)\s*$")


class Dnf:
    """See `Tool`."""

    name = "dnf"
    environment: dict[str, str] = {}  # noqa: RUF012 - read only

    def version(self) -> tuple[str, ...]:
        return ("dnf", "--version")

    def invocation(self, bootstrap: Bootstrap, tree: Path, cache: Path, keys: tuple[Path, ...]) -> Invocation:
        """Nothing of this host's own dnf configuration takes part, not even its plugins."""
        config = cache / "dnf.conf"
        argv = (
            *ALONE,
            *("dnf", "--assumeyes", "--noplugins", f"--config={config}", f"--installroot={tree}"),
            f"--releasever={bootstrap.release.version}",
            f"--forcearch={bootstrap.arch}",
            *("install", *bootstrap.packages),
        )
        return Invocation(argv, files=((config, _configuration(bootstrap, cache, keys)),))

    def files(self, bootstrap: Bootstrap) -> dict[str, bytes]:
        """The sources that customising installs from."""
        text = sources.building(bootstrap.sources, verify=bootstrap.verify)
        return {f"{sources.DIRECTORY}/install.repo".lstrip("/"): text.encode()}

    def milestone(self, line: str) -> Milestone | None:
        step = _STEP.match(line)
        if step:
            return Milestone("installing packages", 30 + 65 * min(1.0, int(step[1]) / max(1, int(step[2]))))
        return next((stone for start, stone in _PHASES.items() if line.startswith(start)), None)


def _configuration(bootstrap: Bootstrap, cache: Path, keys: tuple[Path, ...]) -> bytes:
    """dnf.conf(5) with the sources in it."""
    options = {"reposdir": "/dev/null", "varsdir": "/dev/null", "cachedir": cache, "logdir": cache}
    lines = ["[main]", *(f"{name}={value}" for name, value in options.items()), "install_weak_deps=False"]
    key = "gpgkey=" + " ".join(f"file://{path}" for path in keys)
    for section in sources.sections(bootstrap.sources, verify=bootstrap.verify):
        lines += [section + key if keys else section]
    return "\n".join((*lines, "")).encode()
