"""Hosts that lack something: programs, room, rights."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

from twisted.trial.unittest import SkipTest

from imagefactory.lib.files.holes import data_size
from imagefactory.lib.files.space import free_bytes
from tests.functional.command import COMMAND, CommandCase, Done, Running
from tests.functional.tinyos import TREE, serve, template

TARGET = ("--target", "rhevm")
MIRROR = "http://mirror.example/debian"


class MissingToolTests(CommandCase):
    """Programs that are not installed, one at a time."""

    def without(self, program: str, *arguments: str) -> str:
        """What the command says where `program` cannot be executed (in a mount namespace of its own)."""
        hide = '[ ! -e "$place/$0" ] || mount --bind /dev/null "$place/$0"'
        script = f'for place in /usr/sbin /usr/bin /sbin /bin; do {hide}; done; exec "$@"'
        argv = ("unshare", "--mount", "sh", "-c", script, program, *COMMAND, "--config", str(self.config), *arguments)
        done = Running(argv, dict(os.environ)).wait()
        self.assertEqual(done.status, 1, done.out + done.err)
        self.nothing_left()
        return done.out + done.err

    def test_each_is_named_with_its_package(self) -> None:
        """Whatever stage needs it."""
        tdl = self.file(template(size="96M"))
        said = {"dnf": self.without("dnf", "--template", tdl, *TARGET)}
        self.command("--template", tdl, "--target", "ec2")  # base and customised are in the cache from here on
        ends = ("zstd", "tar", "sfdisk", "mkfs.ext4", "mkfs.vfat", "grub-mkimage", "qemu-img")
        for program in ("setsid", "setpriv", "unshare", "mount", "chroot", "base64", *ends):
            said[program] = self.without(program, "--template", tdl, *TARGET)
        said["mmd"] = self.without("mcopy", "--template", tdl, *TARGET)  # the same file under both names
        said["qemu-system-x86_64"] = self.without(
            "qemu-system-x86_64", "--template", tdl, "--target", "ec2", "--boot_check"
        )
        packages = {"setsid": "util-linux", "unshare": "util-linux", "sfdisk": "fdisk", "mkfs.ext4": "e2fsprogs"}
        packages |= {"setpriv": "util-linux", "chroot": "coreutils", "base64": "coreutils"}
        packages |= {"mkfs.vfat": "dosfstools", "mmd": "mtools"}
        packages |= {"grub-mkimage": "grub-common", "qemu-img": "qemu-utils", "qemu-system-x86_64": "qemu-system-x86"}
        for program, text in said.items():
            self.assertIn(f"the program {program} is not installed", text)
            self.assertIn(f"apt-get install {packages.get(program, program)}", text)

    def test_mmdebstrap(self) -> None:
        """For Debian."""
        www = self.directory / "www"
        (www / "dists/bookworm").mkdir(parents=True)
        (www / "dists/bookworm/InRelease").write_text("Suite: bookworm\n")
        self.configure(mirrors={MIRROR: serve(www)})
        tdl = self.file(template(name="Debian", version="12", url=MIRROR))
        for program in ("mmdebstrap", "gpgv"):  # without gpgv apt calls every signature a bad one
            said = self.without(program, "--template", tdl, *TARGET)
            self.assertIn(f"the program {program} is not installed", said)
            self.assertIn(f"apt-get install {program}", said)

    def test_the_modules_of_grub(self) -> None:
        """They are files, not a program, and are named with their packages."""
        tdl = self.file(template(size="96M"))
        for name, package in (("i386-pc", "grub-pc-bin"), ("x86_64-efi", "grub-efi-amd64-bin")):
            place = Path("/usr/lib/grub") / name
            if not place.is_dir():
                raise SkipTest(f"needs {package}")
            hide = 'mount -t tmpfs tmpfs "$0" && exec "$@"'
            argv = ("unshare", "--mount", "sh", "-c", hide, str(place), *COMMAND, "--config", str(self.config))
            done = Running((*argv, "--template", tdl, *TARGET), dict(os.environ)).wait()
            self.assertEqual(done.status, 1, done.out + done.err)
            self.assertIn(f"install the package {package}", done.out + done.err)
            self.nothing_left()


class BadSignatureTests(CommandCase):
    """A mirror that was tampered with."""

    def test_a_forged_release(self) -> None:
        """A changed InRelease is a bad signature."""
        lines = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        sites = [line.split()[0] for line in lines if line.endswith(" bookworm") and line.startswith("http")]
        if not sites:
            raise SkipTest("this host's apt knows no mirror of bookworm")
        with urlopen(f"{sites[0].rstrip('/')}/dists/bookworm/InRelease", timeout=60) as response:
            real = response.read()
        www = self.directory / "www"
        (www / "dists/bookworm").mkdir(parents=True)
        forged = real.replace(b"Origin: Debian", b"Origin: Nobody", 1)
        (www / "dists/bookworm/InRelease").write_bytes(forged)
        self.configure(mirrors={MIRROR: serve(www)})
        tdl = self.file(template(name="Debian", version="12", url=MIRROR))
        self.assertIn("bad signature", self.fails("--template", tdl, *TARGET))


class RoomTests(CommandCase):
    """Small file systems, and those that cannot be written."""

    def small(self, path: Path, size: str) -> None:
        """Mount a file system of this size there."""
        path.mkdir(parents=True, exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=False)
        if mounted.returncode:
            raise SkipTest("cannot mount a tmpfs here")
        self.addCleanup(subprocess.run, ["umount", str(path)], check=False, capture_output=True)

    def full(self, tdl: str) -> Done:
        """A build that finds no room and leaves nothing but what it had."""
        done = self.command("--template", tdl, *TARGET, status=1)
        self.nothing_left()
        self.assertNotIn("Traceback", done.out + done.err)
        self.assertNotIn("unexpected", done.out + done.err)
        return done

    def test_a_full_imgdir(self) -> None:
        """The base, a command's output: it is said that there is no room, and where."""
        sizes: list[tuple[str, Callable[[], str]]] = [
            ("8M", template),
            ("60M", lambda: template(commands=("dd if=/dev/zero of=/large bs=1M count=100",))),
        ]
        for size, wanted in sizes:
            self.small(self.imgdir, size)
            done = self.full(self.file(wanted()))
            self.assertRegex(done.out, "FAILED .*(full|no space|No space)")
            self.assertIn("hint:", done.out)
            subprocess.run(["umount", str(self.imgdir)], check=True)
        self.command("--template", self.file(template()), *TARGET)

    def test_no_room_for_the_disk(self) -> None:
        """The system fits, the disk beside it does not, or what the disk is converted to: each is named."""
        tdl = self.file(template(size="96M"))
        self.small(self.state, "256M")
        self.command("--template", tdl, "--target", "ec2")  # base and customised system are in the cache
        self.small(self.imgdir, "28M")  # one and a half times the system
        done = self.full(tdl)
        self.assertRegex(done.out, f"FAILED .*{self.imgdir}/.*/disk: no space left for disk, which needs \\d+ MiB")
        self.assertIn("hint: make room there", done.out)
        subprocess.run(["umount", str(self.imgdir)], check=True)
        ballast = self.state / "ballast"
        ballast.write_bytes(bytes(free_bytes(self.state) - (8 << 20)))
        done = self.full(tdl)
        self.assertRegex(done.out, f"converting to qcow2(?s:.*)FAILED .*{self.state}/cache/.*no space left")
        ballast.unlink()
        self.command("--template", tdl, *TARGET)

    async def test_an_image_is_stored_where_there_is_no_room_for_two(self) -> None:
        """The warehouse and the cache have one file under two names."""
        tdl = self.file(template(size="96M"))
        self.small(self.state, "256M")
        first = self.command("--template", tdl, "--target", "ec2", "--json").document["jobs"][0]
        size = data_size(await self.body(first["id"]))  # about that of any image that is not compressed
        ballast = self.state / "ballast"
        ballast.write_bytes(bytes(free_bytes(self.state) - size * 3 // 2))
        job = self.command("--template", tdl, *TARGET, "--json").document["jobs"][0]
        self.assertGreater(job["size"], size * 3 // 4)
        body = await self.body(job["id"])
        names = [path for path in self.state.rglob("*") if path.samefile(body)]
        self.assertEqual(sorted(path.relative_to(self.state).parts[0] for path in names), ["cache", "warehouse"])

    def test_a_full_state_directory(self) -> None:
        """What could not be stored is not half there; with room the next run works."""
        for size in ("4k", "256k", "20M", "40M"):
            self.small(self.state, size)
            done = self.full(self.file(template(size="96M")))
            self.assertRegex(done.out + done.err, "(?i)full|no space")
            subprocess.run(["umount", str(self.state)], check=True)

    def test_a_place_that_cannot_be_written(self) -> None:
        """It is named."""
        self.configure(imgdir="/proc/nowhere")
        said = self.fails("--template", self.file(template()), *TARGET)
        self.assertIn("/proc/nowhere", said)
        self.assertIn("set imgdir", said)
        self.assertNotIn(TREE, said)
