"""dnf(8): root trees of the rpm families."""

from __future__ import annotations

import re
from pathlib import Path

from imagefactory.systems.engines.bootstrap.tool import ALONE, Invocation, Milestone
from imagefactory.systems.families.interface import Bootstrap
from imagefactory.systems.families.redhat import sources

#: Read below HOME (rpm(8)): a host that is no rpm system has its database elsewhere, and would put the tree's there.
MACROS = b"%_dbpath /var/lib/rpm\n%_db_backend sqlite\n"

#: Below the tree: with --installroot, that is where dnf looks for them.
DOWNLOADS = "/var/cache/dnf"

#: Runs what follows `--`. Then the packages, with copies of the keys, are where the family reads them, if it has to
#: (`kept` is not empty), and the downloads are gone.
TIDY = """\
downloads=$1 kept=$2
shift 2
[ -z "$kept" ] || mkdir -p "$kept" || exit
while [ "$1" != -- ]; do
  [ -z "$kept" ] || cp "$1" "$kept/${1##*/}.key" || exit
  shift
done
shift
"$@" || exit
[ -z "$kept" ] || find "$downloads" -name '*.rpm' -exec mv -t "$kept" {} + || exit
rm -rf "$downloads"/*
"""

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
        """Nothing of this host's own configuration takes part, not even dnf's plugins."""
        config = cache / "dnf.conf"
        argv = (
            *ALONE,
            *("env", f"HOME={cache}"),
            *_tidy(bootstrap, tree, keys),
            *("dnf", "--assumeyes", "--noplugins", f"--config={config}", f"--installroot={tree}"),
            f"--releasever={bootstrap.release.version}",
            f"--forcearch={bootstrap.arch}",
            *("install", *bootstrap.packages),
        )
        files = ((config, _configuration(bootstrap, keys)), (cache / ".rpmmacros", MACROS))
        return Invocation(argv, files=files)

    def files(self, bootstrap: Bootstrap) -> dict[str, bytes]:
        """Returns the sources that customising installs from."""
        text = sources.building(bootstrap.sources, verify=bootstrap.verify)
        return {f"{sources.DIRECTORY}/{sources.OWN}install.repo".lstrip("/"): text.encode()}

    def milestone(self, line: str) -> Milestone | None:
        step = _STEP.match(line)
        if step:
            return Milestone("installing packages", 30 + 65 * min(1.0, int(step[1]) / max(1, int(step[2]))))
        return next((stone for start, stone in _PHASES.items() if line.startswith(start)), None)


def _tidy(bootstrap: Bootstrap, tree: Path, keys: tuple[Path, ...]) -> tuple[str, ...]:
    """Returns the words in front of dnf's."""
    kept = "" if sources.reads_database(bootstrap.release) else f"{tree}{sources.KEPT}"
    return ("sh", "-c", TIDY, "sh", f"{tree}{DOWNLOADS}", kept, *(str(key) for key in keys), "--")


def _configuration(bootstrap: Bootstrap, keys: tuple[Path, ...]) -> bytes:
    """dnf.conf(5) with the sources in it."""
    options = {"reposdir": "/dev/null", "varsdir": "/dev/null", "cachedir": DOWNLOADS, "logdir": DOWNLOADS}
    lines = [
        "[main]",
        *(f"{name}={value}" for name, value in options.items()),
        "install_weak_deps=False",
        "keepcache=True",
    ]
    key = "gpgkey=" + " ".join(f"file://{path}" for path in keys)
    for section in sources.sections(bootstrap.sources, verify=bootstrap.verify):
        lines += [section + key if keys else section]
    return "\n".join((*lines, "")).encode()
