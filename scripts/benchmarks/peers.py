"""Other programs that make bootable images or change them; what cannot run here says why."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.timing import Cost, Failed, install_packages, must, run
from scripts.benchmarks.trials import tried

SIZE = "3G"
PATIENCE = 600
#: Where libguestfs finds no kernel of the host, it takes this one.
KERNEL = "linux-image-cloud-amd64"
#: Where peers from PyPI are installed, apart from our own packages.
VENV = Path(sys.prefix) / "bench-dib"
DISK_IMAGE_CREATE = VENV / "bin" / "disk-image-create"
NONE_OF_OURS = "no image of ours was built"


@dataclass(frozen=True, slots=True)
class Work:
    """What all of them are given: a directory, the mirror, the release's code name, the packages, and apt's sources."""

    directory: Path
    mirror: str
    release: str
    packages: tuple[str, ...]
    sources: str

    @property
    def image(self) -> Path:
        """A finished image of ours, to be customised by others."""
        return self.directory / "finished.qcow2"

    def keep_image(self) -> None:
        """Put the newest of ours there. Raises Failed if there is none."""
        bodies = [path for path in (self.directory / "state" / "warehouse").rglob("*") if path.is_file()]
        if not bodies:
            raise Failed(NONE_OF_OURS)
        shutil.copyfile(max(bodies, key=lambda path: path.stat().st_size), self.image)


_TROUBLE = re.compile(r"(?i)\b(error|failed|failure|cannot|can't|no such|unable|not found|unknown|missing|invalid)\b")
_CAUSE = re.compile(r"(?i)open failed|unknown filesystem|support missing|^\w+(Error|Exception): ")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

Peer = Callable[[Work, Path], Cost]


def attempt(name: str, peer: Peer, work: Work, *, install: bool) -> Cost | Failed:
    """Run it in a directory of its own; returns its cost, or why there is none."""
    place = work.directory / name.partition(",")[0].replace(" ", "-")
    place.mkdir()
    try:
        result = tried(lambda: _installed_and_run(name, peer, work, place, install=install))
        return Failed(_hidden(_telling(str(result)), work)) if isinstance(result, Failed) else result
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _installed_and_run(name: str, peer: Peer, work: Work, place: Path, *, install: bool) -> Cost:
    if install:
        if packages := PACKAGES.get(name):
            must(install_packages(packages, place))
        _install_from_pypi(REQUIREMENTS.get(name, ()), place)
    return must(peer(work, place))


def _install_from_pypi(requirements: tuple[str, ...], place: Path) -> None:
    if requirements and not DISK_IMAGE_CREATE.exists():
        must(run(sys.executable, "-m", "venv", VENV, directory=place))
        must(run(VENV / "bin" / "pip", "install", "-q", *requirements, directory=place))


def _telling(output: str) -> str:
    """The line of a failed program's output that tells best why: one that names a cause, or the first that sounds
    like trouble."""
    lines = [_COLOURS.sub("", line).strip(" *\t") for line in output.splitlines()]
    causes = [line for line in lines if _CAUSE.search(line)]
    telling = [line for line in lines if _TROUBLE.search(line) and "Program failed" not in line]
    return (causes or telling or [line for line in lines if line] or ["it says nothing"])[0][:200]


def _hidden(text: str, work: Work) -> str:
    return text.replace(work.mirror, "MIRROR").replace(str(work.directory), "DIR")


def vmdb2(work: Work, place: Path) -> Cost:
    """A specification and its image, MBR with GRUB."""
    packages = ", ".join(work.packages)
    specification = place / "image.vmdb"
    specification.write_text(f"""\
steps:
- {{mkimg: "{{{{ output }}}}", size: {SIZE}}}
- {{mklabel: msdos, device: "{{{{ output }}}}"}}
- {{mkpart: primary, device: "{{{{ output }}}}", start: 1MiB, end: 100%, tag: root}}
- {{kpartx: "{{{{ output }}}}"}}
- {{mkfs: ext4, partition: root}}
- {{mount: root}}
- {{debootstrap: {work.release}, mirror: "{work.mirror}", target: root}}
- {{apt: install, packages: [{packages}], tag: root}}
- {{fstab: root}}
- {{grub: bios, tag: root}}
""")
    argv = ("vmdb2", specification, "--output", place / "image.raw", "--log", "/dev/stderr")
    return run(*argv, directory=place, timeout=PATIENCE, apart=True)


def grml_debootstrap(work: Work, place: Path) -> Cost:
    """One command, MBR with GRUB."""
    argv = (
        *("grml-debootstrap", "--force", "--vmfile", "--vmsize", SIZE, "--target", place / "image.raw"),
        *("--release", work.release, "--mirror", work.mirror, "--hostname", "bench", "--password", "bench"),
        *("--nopackages", "--debopt", f"--include={','.join(work.packages)}"),
    )
    return run(*argv, directory=place, timeout=PATIENCE, apart=True)


def mkosi(work: Work, place: Path) -> Cost:
    """Version 14, GPT with GRUB."""
    argv = (
        *("mkosi", "-d", "debian", "-r", work.release, "-m", work.mirror, "-t", "gpt_ext4", "-b"),
        *("--boot-protocols", "bios", "--root-size", SIZE, "--password", "bench", "-p", ",".join(work.packages)),
        *("--directory", place, "--output-dir", place / "out", "-f", "build"),
    )
    (place / "out").mkdir()
    return run(*argv, directory=place, timeout=PATIENCE, apart=True)


def diskimage_builder(work: Work, place: Path) -> Cost:
    """From PyPI, MBR with GRUB."""
    programs = _diskimage_builder()
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "DIB_RELEASE": work.release,
        "DIB_DISTRIBUTION_MIRROR": work.mirror,
        "DIB_DEBIAN_SECURITY_MIRROR": f"{work.mirror}-security",
        "TMP_DIR": str(place),
        "DIB_NO_TMPFS": "1",
    }
    packages = ",".join(work.packages)
    argv = ("disk-image-create", "-a", "amd64", "-o", place / "image", "--image-size", "3", "-p", packages)
    return run(
        *argv, "vm", "block-device-mbr", "debian-minimal", directory=place, env=env, timeout=PATIENCE, apart=True
    )


def _diskimage_builder() -> Path:
    found = shutil.which("disk-image-create")
    if found:
        return Path(found).parent
    if not DISK_IMAGE_CREATE.exists():
        raise FileNotFoundError(2, "not installed", "disk-image-create (pip install diskimage-builder setuptools)")
    return DISK_IMAGE_CREATE.parent


def customise(work: Work, place: Path) -> Cost:
    """virt-customize adds one package, which it is given, to a finished image."""
    if not work.image.exists():
        raise Failed(NONE_OF_OURS)
    must(run("apt-get", "download", "tree", directory=place, cwd=place))
    package = _first(place, "tree_*.deb")
    image = place / "image.qcow2"
    shutil.copyfile(work.image, image)
    argv = ("virt-customize", "-a", image, "--copy-in", f"{package}:/root", "--run-command", "dpkg -i /root/tree_*.deb")
    env = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg", **_appliance_kernel(place)}
    env["LIBGUESTFS_CACHEDIR"] = str(place)
    with _modules():
        return run(*argv, directory=place, env=env, timeout=PATIENCE, apart=True)


@contextmanager
def _modules() -> Iterator[None]:
    """What makes the appliance fails where this directory is not there, empty or not."""
    place = Path("/usr/lib/modules")
    ours = not place.exists()
    if ours:
        place.mkdir()
    try:
        yield
    finally:
        if ours:
            place.rmdir()


def _appliance_kernel(place: Path) -> Mapping[str, str]:
    """A container has no kernel in /boot, from which libguestfs makes its machine."""
    if any(Path("/boot").glob("vmlinuz-*")):
        return {}
    depends = subprocess.run(["apt-cache", "depends", KERNEL], capture_output=True, text=True, check=True).stdout
    package = next((word for word in depends.split() if word.startswith("linux-image-") and word != KERNEL), KERNEL)
    must(run("apt-get", "download", package, directory=place, cwd=place))
    must(run("dpkg", "-x", _first(place, "linux-image-*.deb"), place / "kernel", directory=place))
    kernel = _first(place / "kernel" / "boot", "vmlinuz-*")
    modules = _first(place / "kernel" / "lib" / "modules", "*")
    must(run("depmod", "-b", place / "kernel", modules.name, directory=place))
    return {"SUPERMIN_KERNEL": str(kernel), "SUPERMIN_MODULES": str(modules)}


def _first(place: Path, pattern: str) -> Path:
    for path in place.glob(pattern):
        return path
    raise Failed(f"there is no {pattern} in {place}")


PEERS: Mapping[str, Peer] = {
    "vmdb2": vmdb2,
    "grml-debootstrap": grml_debootstrap,
    "mkosi": mkosi,
    "diskimage-builder": diskimage_builder,
}
PACKAGES = {
    "bare debootstrap, no image": ("debootstrap",),
    "vmdb2": ("vmdb2", "kpartx"),
    "grml-debootstrap": ("grml-debootstrap",),
    "mkosi": ("mkosi", "systemd-container"),
    "diskimage-builder": ("debootstrap", "kpartx", "gdisk", "qemu-utils", "sudo"),
    "virt-customize": ("libguestfs-tools",),
}
REQUIREMENTS = {"diskimage-builder": ("diskimage-builder", "setuptools")}
