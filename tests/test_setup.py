"""scripts/setup on a system that is not Debian's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

SETUP = Path(__file__).resolve().parents[1] / "scripts" / "setup"
NEEDED = ("bash", "dirname", "sh", "id", "cat")


class SetupTests(SynchronousTestCase):
    """What it says where there is no apt-get: nothing is installed, nothing is made."""

    def report(self, *programs: str) -> str:
        """The report of a system with these programs only, and none of our files."""
        root = Path(self.mktemp()).absolute()
        (root / "scripts").mkdir(parents=True)
        script = SETUP.read_text().replace('PATH="$PATH:/usr/sbin:/sbin"', "")
        (root / "scripts/setup").write_text(script)
        (root / "bin").mkdir()
        for name in (*NEEDED, *programs):
            (root / "bin" / name).symlink_to(shutil.which(name) or "/bin/true")
        done = subprocess.run(
            [shutil.which("bash") or "bash", str(root / "scripts/setup")],
            env={"PATH": str(root / "bin"), "SETUP_ROOT": str(root), "HOME": os.environ.get("HOME", "/")},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertNotIn("ready", done.stdout)
        return done.stdout

    def test_programs_and_files(self) -> None:
        """Both are named, each with the package that has it; what is there is not."""
        said = self.report("dnf")
        self.assertIn("no apt-get", said)
        for name, package in (
            ("mmdebstrap", "mmdebstrap"),
            ("mkfs.vfat", "dosfstools"),
            ("/usr/lib/grub/i386-pc/moddep.lst", "grub-pc-bin"),
            ("/usr/share/OVMF/OVMF_CODE.fd", "ovmf"),
            ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
            ("venv and ensurepip", "python3-venv"),
        ):
            self.assertRegex(said, rf"{name}\s+{package}\n")
        self.assertNotRegex(said, r"\n  dnf\s")
