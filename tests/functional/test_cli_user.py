"""The command run by an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest

import imagefactory
from tests.functional.command import CommandCase, Done, Running
from tests.functional.tinyos import template

USER = "imagefactory-cli"
IDS = ("/etc/subuid", "/etc/subgid")
TARGET = ("--target", "rhevm")


#: In a mount namespace of its own: $1, which is somewhere below the private directory $2, for everybody to read.
SHOW = """\
mount --bind "$1" "$3" && mount -t tmpfs -o mode=755 none "$2" && mkdir -p "$1" && mount --bind "$3" "$1" || exit 1
shift 3
exec "$@"
"""


def _readable(path: Path, place: Path) -> tuple[str, ...]:
    """What is put in front of a command line so that users can read `path`, whatever lies above it."""
    private = [one for one in (*reversed(path.parents), path) if not one.stat().st_mode & 0o001]
    if not private:
        return ()
    place.mkdir()
    return ("unshare", "--mount", "--", "sh", "-c", SHOW, "sh", str(path), str(private[0]), str(place))


class UserTests(CommandCase):
    """A user who was made for this, and owns the directories."""

    def setUp(self) -> None:
        super().setUp()
        made = subprocess.run(["useradd", "--no-create-home", "--home-dir", str(self.directory), USER], check=False)
        if made.returncode:
            raise SkipTest(f"cannot make a user: useradd ended with {made.returncode}")
        self.addCleanup(subprocess.run, ["userdel", USER], capture_output=True, check=False)
        self.user = pwd.getpwnam(USER)
        become = ("setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--init-groups", "--")
        self.become = (*_readable(Path(sys.base_prefix), self.directory / "python"), *become)
        for path in (self.directory, self.imgdir, self.config):
            shutil.chown(path, USER)
        self._demand_a_python()

    def _demand_a_python(self) -> None:
        source = str(Path(imagefactory.__file__).parent)
        for place in (sys.executable, source):
            if subprocess.run([*self.become, "test", "-r", place], check=False).returncode:
                raise SkipTest(f"an ordinary user cannot read {place}")

    def as_user(self, *arguments: str) -> Done:
        """Run the command to its end."""
        environment = {**os.environ, "HOME": str(self.directory)}
        argv = (*self.become, sys.executable, "-m", "imagefactory", "--config", str(self.config), *arguments)
        running = Running(argv, environment)
        self.addCleanup(running.kill)
        return running.wait(120)

    async def test_a_whole_build(self) -> None:
        """With subordinate ids everything works as for root, and nothing is left."""
        namespaces = [*self.become, "unshare", "--user", "--map-root-user", "--map-auto", "--", "true"]
        if subprocess.run(namespaces, capture_output=True, check=False).returncode:
            raise SkipTest("ordinary users cannot enter user namespaces here")
        packages = ("hello",)
        tdl = self.file(template(packages=packages, commands=("chown 33:33 /opt/hello",), size="96M"))
        done = self.as_user("--template", tdl, *TARGET, "--json")
        self.assertEqual(done.status, 0, done.out + done.err)
        self.nothing_left()
        body = await self.body(done.document["jobs"][0]["id"])
        self.assertEqual(body.stat().st_uid, self.user.pw_uid)
        subprocess.run(["qemu-img", "check", str(body)], check=True, capture_output=True)
        failed = self.as_user("--template", self.file(template(commands=("exit 3",))), *TARGET)
        self.assertEqual(failed.status, 1)
        self.assertIn("exit status 3", failed.out)
        self.nothing_left()

    def test_the_kept_base(self) -> None:
        """Its files belong to subordinate users: it is used again, and evicted all the same."""
        namespaces = [*self.become, "unshare", "--user", "--map-root-user", "--map-auto", "--", "true"]
        if subprocess.run(namespaces, capture_output=True, check=False).returncode:
            raise SkipTest("ordinary users cannot enter user namespaces here")
        for number, size in enumerate(("1G", "1G", "1K")):
            tdl = self.file(template(packages=("hello",), commands=(f"echo {number}",), size="96M"))
            done = self.as_user("--template", tdl, *TARGET, "--cache_size", size)
            self.assertEqual(done.status, 0, done.out + done.err)
            self.assertNotIn("unpacking the base", done.out)
            self.nothing_left()
            kept = [*(self.state / "cache" / "tree").glob("*/root")]
            self.assertEqual(len(kept), 1 if size == "1G" else 0)
        self.assertEqual([], [*(self.state / "cache" / "trash").iterdir()])

    def test_without_subordinate_ids(self) -> None:
        """It is said what an administrator has to do."""
        for name in IDS:
            lines = Path(name).read_text().splitlines(keepends=True)
            Path(name).write_text("".join(line for line in lines if not line.startswith(f"{USER}:")))
        done = self.as_user("--template", self.file(template()), *TARGET)
        self.assertEqual(done.status, 2, done.out)
        self.assertIn("too few subordinate ids in /etc/subuid and /etc/subgid", done.err)
        self.assertIn("usermod --add-subuids", done.err)
        self.nothing_left()

    def test_directories_of_others(self) -> None:
        """Whatever is not ours to write is named."""
        shutil.chown(self.imgdir, "root")
        done = self.as_user("--template", self.file(template()), *TARGET)
        self.assertEqual(done.status, 1, done.out)
        self.assertIn(f"{self.imgdir}", done.out + done.err)
        self.assertIn("hint: make it writable", done.out + done.err)
        self.configure(state_dir="/var/lib/imagefactory-of-root")
        done = self.as_user("--template", self.file(template()), *TARGET)
        self.assertEqual(done.status, 1, done.out)
        self.assertIn("/var/lib/imagefactory-of-root", done.err)
