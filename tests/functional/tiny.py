"""A system of one kernel and one busybox that boots in seconds, for everything that needs a bootable tree."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.functional.debs import NATIVE, Debs

BUSYBOX = Path("/usr/bin/busybox")
KERNELS = {"x86_64": "linux-image-cloud-amd64", "i386": "linux-image-686", "aarch64": "linux-image-cloud-arm64"}
MODULES = (
    *("virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"),
    *("failover", "net_failover", "virtio_net"),
)

INIT = """\
#!/bin/sh
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
grep -q tiny.panic /proc/cmdline && exit 1
grep -q tiny.emergency /proc/cmdline && echo 'You are in emergency mode.'
for again in 1 2 3; do
    for module in {modules}; do insmod /lib/$module.ko 2>/dev/null; done
done
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
nc -ll -p 22 -e echo SSH-2.0-tiny &
echo "started with $(cat /proc/cmdline)"
printf '\\ntiny login: '
while true; do sleep 1000; done
"""


def tiny_tree(tree: Path, arch: str = NATIVE) -> None:
    """Make a root tree with kernel and initrd as Debian names them, links in / included.

    The kernel comes from the mirror of the host's own apt; SkipTest if it cannot be had.
    """
    if not BUSYBOX.exists() or "statically" not in _output("file", "-L", str(BUSYBOX)):
        raise SkipTest("needs busybox-static")
    debs = Debs(tree.parent, arch)
    busybox = BUSYBOX if arch == NATIVE else debs.unpacked("busybox-static") / "bin/busybox"
    unpacked = debs.unpacked(debs.dependency(KERNELS[arch], "linux-image-"))
    (tree / "boot" / "grub").mkdir(parents=True)
    (tree / "etc").mkdir()
    (kernel,) = (unpacked / "boot").glob("vmlinuz-*")
    shutil.move(kernel, tree / "boot" / kernel.name)
    release = kernel.name.removeprefix("vmlinuz-")
    _initrd(unpacked, busybox, tree / "boot" / f"initrd.img-{release}")
    (tree / "vmlinuz").symlink_to(f"boot/vmlinuz-{release}")
    (tree / "initrd.img").symlink_to(f"boot/initrd.img-{release}")
    shutil.rmtree(unpacked)


def _initrd(unpacked: Path, busybox: Path, destination: Path) -> None:
    root = unpacked / "initrd"
    for name in ("bin", "lib", "dev", "proc", "sys"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    subprocess.run([BUSYBOX, "--install", "-s", root / "bin"], check=True)  # the host's own, which it can run
    for link in (root / "bin").iterdir():
        if link.is_symlink():
            link.unlink()
            link.symlink_to("busybox")
    (modules,) = (unpacked / "lib" / "modules").iterdir()
    built_in = {Path(line).stem for line in (modules / "modules.builtin").read_text().split()}
    for module in MODULES:
        if module not in built_in:
            (path,) = modules.glob(f"kernel/**/{module}.ko")
            shutil.copy(path, root / "lib")
    init = root / "init"
    init.write_text(INIT.format(modules=" ".join(MODULES)))
    init.chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    archive = subprocess.run(
        ["cpio", "--create", "--format=newc", "--quiet", "--owner=0:0"],
        cwd=root,
        input=names.encode(),
        check=True,
        capture_output=True,
    )
    destination.write_bytes(archive.stdout)


def _output(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
