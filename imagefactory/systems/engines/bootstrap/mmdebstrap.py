"""mmdebstrap(1): root trees of Debian and Ubuntu."""

from __future__ import annotations

from pathlib import Path

from imagefactory.systems.engines.bootstrap.tool import ALONE, Invocation, Milestone
from imagefactory.systems.families.debian import sources
from imagefactory.systems.families.interface import Bootstrap

#: Lines of `mmdebstrap --verbose` with what share of the time lies before them, measured on bookworm.
MILESTONES = {
    "I: running apt-get update": Milestone("reading package lists", 1),
    "I: downloading packages with apt": Milestone("downloading packages", 10),
    "I: extracting archives": Milestone("unpacking essential packages", 20),
    "I: installing essential packages": Milestone("installing essential packages", 25),
    "I: installing remaining packages": Milestone("installing packages", 45),
    "Setting up linux-image": Milestone("setting up the kernel", 80),
    "I: running --customize-hook": Milestone("making the initrd", 85),
    "I: cleaning apt cache": Milestone("cleaning up", 98),
}

# A kernel's own script and then a trigger would each make the initrd. INITRD=No, which the script honours, leaves
# that to this hook: one of two times five seconds.
INITRD = 'test ! -x "$1/usr/sbin/update-initramfs" || chroot "$1" update-initramfs -c -k all'


# What apt knows of its lists, once without and once with what is installed: two files of 37 MB, which every stage would
# pack. From the first one (srcpkgcache.bin) it makes the second in a twentieth of a second.
NO_PKGCACHE = '--aptopt=Dir::Cache::pkgcache ""'


class Mmdebstrap:
    """See `Tool`."""

    name = "mmdebstrap"
    environment = {"INITRD": "No"}  # noqa: RUF012 - read only

    def version(self) -> tuple[str, ...]:
        return ()

    def invocation(self, bootstrap: Bootstrap, tree: Path, cache: Path, keys: tuple[Path, ...]) -> Invocation:  # noqa: ARG002
        """The lists stay in the tree, so that customising needs no `apt-get update`."""
        options = f"[signed-by={keys[0]}]" if keys else "[trusted=yes]"
        argv = (
            *ALONE,
            *("mmdebstrap", "--mode=root", "--variant=apt", "--format=directory", "--verbose"),
            f"--architectures={bootstrap.arch}",
            f"--include={','.join(bootstrap.packages)}",
            '--aptopt=Acquire::Languages "none"',
            NO_PKGCACHE,
            "--dpkgopt=force-unsafe-io",
            "--skip=cleanup/apt/lists",
            f"--customize-hook={INITRD}",
            *(bootstrap.release.codename, str(tree), "-"),
        )
        needs = ("apt-get", "dpkg", *(("gpgv",) if keys else ()))  # without gpgv every signature is a bad one
        return Invocation(argv, sources.entries(bootstrap.sources, options).encode(), needs=needs)

    def files(self, bootstrap: Bootstrap) -> dict[str, bytes]:  # noqa: ARG002
        """It writes everything itself."""
        return {}

    def milestone(self, line: str) -> Milestone | None:
        return next((stone for start, stone in MILESTONES.items() if line.startswith(start)), None)
