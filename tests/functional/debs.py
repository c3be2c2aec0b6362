"""Packages of Debian, of any architecture, from the mirror of this host's own apt; nothing is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

NAMES = {"x86_64": "amd64", "i386": "i386", "aarch64": "arm64"}
NATIVE = "x86_64"


class Debs:
    """The packages of one architecture (TDL's spelling); another one than the host's has its indexes in `directory`."""

    def __init__(self, directory: Path, arch: str = NATIVE) -> None:
        if not shutil.which("apt-get"):
            raise SkipTest("needs apt")
        self._directory = directory
        self._options: tuple[str, ...] = ()
        if arch != NATIVE:
            self._options = _apart(directory / f"apt-{arch}", NAMES[arch])
            # One index of many may be missing on the mirror: what is asked for next tells whether it mattered.
            subprocess.run(["apt-get", *self._options, "update", "-qq"], check=False, capture_output=True)

    def dependency(self, name: str, prefix: str) -> str:
        """The package of this prefix that a package depends on."""
        depends = self._apt("apt-cache", "depends", "--no-recommends", name)
        names = [line.split()[-1] for line in depends.splitlines() if f"Depends: {prefix}" in line]
        if not names:
            raise SkipTest(f"apt knows no {name}")
        return names[0]

    def unpacked(self, name: str) -> Path:
        """A directory with the package's files; SkipTest if it cannot be had."""
        place = self._directory / name
        place.mkdir()
        self._apt("apt-get", "download", "-qq", name, cwd=place)
        (package,) = place.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, place], check=True, capture_output=True)
        package.unlink()
        return place

    def _apt(self, program: str, *argv: str, cwd: Path | None = None) -> str:
        try:
            command = [program, *self._options, *argv]
            return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout
        except subprocess.CalledProcessError as failure:
            raise SkipTest(f"{program} {argv[0]} failed: {failure.stderr}") from failure


def _apart(place: Path, arch: str) -> tuple[str, ...]:
    """Options of apt for a state of its own."""
    (place / "lists/partial").mkdir(parents=True)
    (place / "cache/archives/partial").mkdir(parents=True)
    settings = {
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Sandbox::User": "",  # as the user of the tests: no other may write here
        "Dir::State::lists": place / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": place / "cache",
    }
    return tuple(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))
