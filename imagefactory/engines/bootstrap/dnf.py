"""dnf(8): root trees of the rpm families."""

from __future__ import annotations

import re
from pathlib import Path

from imagefactory.engines.bootstrap.tool import Invocation, Milestone
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
        argv = (
            *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
            *("dnf", "--assumeyes", "--noplugins", "--config=/dev/null", f"--installroot={tree}"),
            f"--releasever={bootstrap.release.version}",
            f"--forcearch={bootstrap.arch}",
            *self._options(cache),
            *self._repositories(bootstrap, keys),
            *("install", "--", *bootstrap.packages),
        )
        return Invocation(argv)

    def _options(self, cache: Path) -> tuple[str, ...]:
        options = {
            "reposdir": "/dev/null",
            "varsdir": "/dev/null",
            "cachedir": str(cache),
            "logdir": str(cache),
            "install_weak_deps": "False",
        }
        return tuple(f"--setopt={name}={value}" for name, value in options.items())

    def _repositories(self, bootstrap: Bootstrap, keys: tuple[Path, ...]) -> tuple[str, ...]:
        arguments: list[str] = []
        for one in bootstrap.sources:
            id = f"install-{one.suite}"
            arguments += [f"--repofrompath={id},{one.url}", f"--setopt={id}.gpgcheck={int(bootstrap.verify)}"]
            arguments += [f"--setopt={id}.gpgkey=file://{key}" for key in keys]
        return tuple(arguments)

    def files(self, bootstrap: Bootstrap) -> dict[str, bytes]:
        """The sources that customising installs from."""
        text = sources.building(bootstrap.sources, verify=bootstrap.verify)
        return {f"{sources.DIRECTORY}/install.repo".lstrip("/"): text.encode()}

    def milestone(self, line: str) -> Milestone | None:
        step = _STEP.match(line)
        if step:
            return Milestone("installing packages", 30 + 65 * min(1.0, int(step[1]) / max(1, int(step[2]))))
        return next((stone for start, stone in _PHASES.items() if line.startswith(start)), None)
