"""What happens around an installation of packages, with a shell and an apt of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.systems.families.debian import FAMILY


class InstallTests(SynchronousTestCase):
    """The text for the guest, run by a real shell."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()

    def test_no_rsa_host_key_is_made(self) -> None:
        """While packages are installed a file is where that key would be; afterwards all is as it was before."""
        for made, left in ((":", []), ("touch ssh/sshd_config", ["sshd_config"])):
            self.assertEqual(self.installing(made), left)
        (self.root / "ssh" / "ssh_host_rsa_key").write_text("a key")
        self.assertEqual(self.installing(":"), ["ssh_host_rsa_key", "sshd_config"])

    def test_a_failed_installation_fails(self) -> None:
        """Nothing that is done after it hides its status."""
        self.assertRaises(subprocess.CalledProcessError, self.installing, "exit 100")

    def installing(self, made: str) -> list[str]:
        """What is in the directory of ssh after an installation that found the key there and did `made`."""
        apt = self.root / "apt-get"
        apt.write_text(f"#!/bin/sh\nset -e\ncd {self.root}\n[ -e ssh/ssh_host_rsa_key ]\n{made}\n")
        apt.chmod(0o755)
        script = FAMILY.install(("openssh-server",)).script.replace("/etc/ssh", f"{self.root}/ssh")
        env = {"PATH": f"{self.root}:/usr/bin:/bin"}
        subprocess.run(["sh", "-c", script], env=env, check=True, capture_output=True)
        ssh = self.root / "ssh"
        return sorted(path.name for path in ssh.iterdir()) if ssh.exists() else []
