"""An rpm system of one package that installs in a second and boots, with an install tree that serves it."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import threading
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SkipTest

from imagefactory.systems.families.interface import Release
from imagefactory.systems.families.redhat.releases import base_packages
from tests.functional.test_boot import shared_tree
from tests.functional.tiny import BUSYBOX

TREE = "http://mirror.example/almalinux/9/BaseOS/x86_64/os"
"""What templates name; the setting mirrors maps it to the served tree."""

PROVIDED = (*base_packages(Release("redhat", "AlmaLinux", "9")), "cloud-init", "qemu-guest-agent", "open-vm-tools")

DNF = """\
#!/bin/sh
# Installs what the install tree has, one rpm for one name.
set -e
tree=$(sed -n 's/^baseurl=//p' /etc/yum.repos.d/imagefactory-install.repo | head -n 1)
while [ "$1" != -- ]; do shift; done
shift
for package in "$@"; do
    grep -qx "$package" /var/lib/tiny/provided && continue
    if ! wget -q -O /tmp/package.rpm "$tree/more/$package.rpm"; then
        echo "No match for argument: $package"
        exit 1
    fi
    (cd / && rpm2cpio /tmp/package.rpm | cpio -idm 2>/dev/null)
    rm /tmp/package.rpm
    printf '%s-1-1.noarch\\t1-1\\tnoarch\\n' "$package" >> /var/lib/tiny/installed
done
"""
RPM = """\
#!/bin/sh
case $1 in
    -qa) sort /var/lib/tiny/installed ;;
    -E) echo /var/lib/rpm ;;
esac
"""

SYSTEM = """\
Name: tiny
Version: 1
Release: 1
Summary: A system for tests
License: none
AutoReqProv: no
Provides: /bin/sh {provided}

%description
A static busybox and a kernel.

%install
cp -a {root}/. %{{buildroot}}

%files
/
"""
PACKAGE = """\
Name: {name}
Version: 1
Release: 1
Summary: One file
License: none
BuildArch: noarch
AutoReqProv: no

%description
One file.

%install
mkdir -p %{{buildroot}}/opt
echo {name} > %{{buildroot}}/opt/{name}

%files
/opt/{name}
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Output is discarded."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


class TinyOs:
    """The install tree in a directory, and the URL that serves it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.www = directory / "www"
        self.tree = self.www / "tree"
        self.tree.mkdir(parents=True)
        self._system()
        (self.tree / "more").mkdir()
        for name in ("hello", "openssh-server"):
            self._rpm(name, PACKAGE.format(name=name)).rename(self.tree / "more" / f"{name}.rpm")
        run("createrepo_c", "--quiet", "--general-compress-type=gz", str(self.tree))
        self.url = f"{serve(self.www)}/tree"

    def _system(self) -> None:
        root = self.directory / "system"
        for name in ("bin", "boot", "etc/yum.repos.d", "usr/bin", "usr/sbin", "var/lib/tiny", "var/log", "root"):
            (root / name).mkdir(parents=True)
        for name in ("dev", "proc", "sys", "run", "tmp", "var/tmp"):
            (root / name).mkdir()
        (root / "bin/busybox").write_bytes(_without_rpm(BUSYBOX.read_bytes()))
        (root / "bin/busybox").chmod(0o755)
        applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
        for applet in {*applets} - {"busybox", "rpm"}:
            (root / "bin" / applet).symlink_to("busybox")
        boot = shared_tree()
        shutil.copy((boot / "vmlinuz").resolve(), root / "boot/vmlinuz-1.el9")
        shutil.copy((boot / "initrd.img").resolve(), root / "boot/initramfs-1.el9.img")
        (root / "var/lib/tiny/provided").write_text("".join(f"{name}\n" for name in PROVIDED))
        (root / "var/lib/tiny/installed").write_text("tiny-1-1.x86_64\t1-1\tx86_64\n")
        for name, text in (("dnf", DNF), ("rpm", RPM)):
            (root / "usr/bin" / name).write_text(text)
            (root / "usr/bin" / name).chmod(0o755)
        spec = SYSTEM.format(root=root, provided=" ".join(PROVIDED))
        self._rpm("tiny", spec).rename(self.tree / "tiny.rpm")
        shutil.rmtree(root)

    def _rpm(self, name: str, spec: str) -> Path:
        file = self.directory / f"{name}.spec"
        file.write_text(spec)
        rpms = self.directory / "rpms" / name
        define = ("--define", f"_topdir {self.directory}/build", "--define", f"_rpmdir {rpms}")
        quick = ("--define", "_binary_payload w1.gzdio", "--define", "__os_install_post %{nil}")
        run("rpmbuild", "-bb", "--quiet", *define, *quick, str(file))
        (made,) = rpms.rglob("*.rpm")
        return made


def _without_rpm(busybox: bytes) -> bytes:
    """Its shell prefers its own applets to programs, and its rpm cannot list packages: take the name away."""
    before, after = b"\0route\0rpm\0rpm2cpio\0", b"\0route\0rpl\0rpm2cpio\0"
    if busybox.count(before) != 1:
        raise SkipTest("needs another busybox-static")
    return busybox.replace(before, after)


def run(*argv: str) -> None:
    """Run a program; its output is shown only when it fails."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{argv}: {done.stdout}{done.stderr}")


def serve(directory: Path) -> str:
    """The URL at which the files of a directory are served until the tests are over."""

    def handler(*args: Any) -> _Quiet:
        return _Quiet(*args, directory=str(directory))

    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    atexit.register(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}"


@cache
def tiny_os() -> TinyOs:
    """The system, made once; SkipTest where it cannot be."""
    if os.geteuid() != 0:
        raise SkipTest("needs root")
    for tool in ("dnf", "rpmbuild", "createrepo_c", "qemu-img"):
        if not shutil.which(tool):
            raise SkipTest(f"needs {tool}")
    scratch = TemporaryDirectory(prefix="factory-tinyos.")
    atexit.register(scratch.cleanup)
    directory = Path(scratch.name)
    directory.chmod(0o755)
    return TinyOs(directory)


def template(*, packages: tuple[str, ...] = (), commands: tuple[str, ...] = (), size: str = "", **names: str) -> str:
    """A template of the system; commands are called first, second and so on."""
    named = {"name": "AlmaLinux", "version": "9", "url": f"{TREE}/", **names}
    wanted = "".join(f'<package name="{name}"/>' for name in packages)
    order = ("first", "second", "third")
    run = "".join(f'<command name="{name}">{text}</command>' for name, text in zip(order, commands, strict=False))
    return f"""\
<template version="1.0">
  <name>tiny</name>
  <description>A tiny system</description>
  <os>
    <name>{named["name"]}</name>
    <version>{named["version"]}</version>
    <arch>x86_64</arch>
    <install type="url"><url>{named["url"]}</url></install>
  </os>
  {f"<disk><size>{size}</size></disk>" if size else ""}
  <repositories>
    <repository name="tree"><url>{named["url"]}</url><signed>no</signed><persisted>no</persisted></repository>
  </repositories>
  <packages>{wanted}</packages>
  <files><file name="/etc/motd">hello</file></files>
  <commands>{run}</commands>
</template>
"""
