"""Certificates and directories that keep the daemon from starting: said on the terminal, before it forks."""

from __future__ import annotations

import os
import ssl
import subprocess
import urllib.request
from datetime import timedelta

from cryptography.hazmat.primitives import serialization

from imagefactory.lib.tls.identity import make, today
from imagefactory.lib.tls.pem import Identity
from tests.functional.command import COMMAND, Running
from tests.functional.daemon import ANSWERS, DaemonCase
from tests.functional.warehouse_process import can_mount


def encrypted(identity: Identity) -> bytes:
    """The key with a pass phrase, and the certificate."""
    best = serialization.BestAvailableEncryption(b"phrase")
    key = identity.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, best)
    return key + identity.leaf.public_bytes(serialization.Encoding.PEM)


class PemTests(DaemonCase):
    """`--ssl_pem`."""

    def refused(self, pem: bytes) -> str:
        """What is said of this file."""
        path = self.directory / "given.pem"
        path.write_bytes(pem)
        said = self.command("--rest", "--ssl_pem", str(path), status=2).err
        self.assertIn(str(path), said)
        self.assertNotIn("Traceback", said)
        self.assertFalse((self.directory / "daemon.pid").exists())
        return said

    def test_each_defect_has_its_name(self) -> None:
        """Expired, encrypted, without key, with another key, no PEM at all, not there."""
        good, other = (make(["127.0.0.1"], today()) for _ in range(2))
        expired = make(["127.0.0.1"], today() - timedelta(days=500))
        self.assertIn("the certificate expired on", self.refused(expired.pem()))
        self.assertIn("the private key is encrypted", self.refused(encrypted(good)))
        certificate = good.leaf.public_bytes(serialization.Encoding.PEM)
        self.assertIn("there is no private key in the file", self.refused(certificate))
        self.assertIn("does not belong to any of the certificates", self.refused(other.key_pem() + certificate))
        self.assertIn("there is no certificate in the file", self.refused(good.key_pem()))
        self.assertIn("there is no private key", self.refused(b"\x00\xffnothing"))
        said = self.command("--rest", "--ssl_pem", str(self.directory / "absent"), status=2).err
        self.assertIn("cannot be read: No such file or directory", said)

    def test_a_good_one(self) -> None:
        """Is what clients get, who trust it."""
        identity = make(["127.0.0.1"], today())
        given = self.directory / "given.pem"
        given.write_bytes(identity.pem())
        self.rest("--ssl_pem", str(given))
        context = ssl.create_default_context(cafile=str(given))
        with urllib.request.urlopen(f"{self.url}/imagefactory", context=context, timeout=30) as answer:
            self.assertEqual(answer.status, 200)
        self.stop()

    def test_a_certificate_that_is_kept(self) -> None:
        """Has the same fingerprint after a restart; one that is not kept has another."""

        def fingerprint() -> str:
            self.rest()
            self.stop()
            return self.log.rpartition("SHA-256 ")[2].split()[0]

        self.assertEqual(fingerprint(), fingerprint())
        self.configure(ssl_keep=False)
        self.assertNotEqual(fingerprint(), fingerprint())


class PlaceTests(DaemonCase):
    """Directories that cannot be written."""

    def said(self, *before: str) -> str:
        """What the command says that is started by `before`."""
        argv = (*before, *COMMAND, "--config", str(self.config), "--rest")
        done = Running(argv, {**os.environ, "HOME": str(self.directory)}).wait()
        self.assertEqual(done.status, 1, done.err)
        self.assertNotIn("Traceback", done.err)
        self.assertNotIn(ANSWERS, self.log)
        return done.err

    def test_a_state_directory_that_is_read_only(self) -> None:
        """Named, with the way out."""
        if not can_mount():
            self.skipTest("needs to mount")
        self.state.mkdir()
        script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        said = self.said("unshare", "--mount", "sh", "-c", script, str(self.state))
        self.assertIn("the state directory cannot be written: Read-only file system", said)
        self.assertIn("--state_dir", said)

    def test_a_log_and_a_pid_file_that_cannot_be_written(self) -> None:
        """Each is named, with its option."""
        self.configure(log_file="/proc/nowhere/daemon.log")
        self.assertIn("--log_file", self.said())
        self.configure(pid_file="/proc/nowhere/daemon.pid")
        self.assertIn("cannot write the pid file", self.said())

    def test_a_state_that_cannot_be_used(self) -> None:
        """What is found out after the fork is said by the command all the same."""
        self.state.mkdir()
        (self.state / "jobs.db").write_bytes(b"this is no database" * 100)
        self.assertIn("job", self.said())
        self.assertIn("jobs.db", self.log)
        self.assertFalse((self.directory / "daemon.pid").exists())


class UserTests(DaemonCase):
    """An ordinary user."""

    def test_the_state_of_another_user(self) -> None:
        """Is refused; an own one works, without root."""
        if os.geteuid() != 0:
            self.skipTest("needs root to become another user")
        self.state.mkdir()
        self.directory.chmod(0o777)
        self.imgdir.chmod(0o777)
        become = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        if subprocess.run([*become, *COMMAND, "--version"], capture_output=True, check=False).returncode:
            self.skipTest("an ordinary user cannot read this checkout")
        os.chown(self.config, 65534, 65534)  # it has secrets, so that it is its user's alone
        argv = (*become, *COMMAND, "--config", str(self.config), "--rest")
        done = Running(argv, dict(os.environ)).wait()
        self.assertEqual(done.status, 1, done.err)
        self.assertIn("the state directory cannot be written: Permission denied", done.err)
        self.assertIn("--state_dir", done.err)
