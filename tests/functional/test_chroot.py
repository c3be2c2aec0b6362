"""A small busybox tree as a guest, as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from imagefactory.lib.concurrency.clock import sleep
from imagefactory.lib.errors import CommandFailed, Conflict, TimedOut, Unsupported
from imagefactory.lib.process.interface import Command, Privilege
from imagefactory.lib.process.privilege import NAMESPACE, decide, look_at_host
from imagefactory.lib.process.proc import carries, everybody
from imagefactory.lib.process.supervise import TwistedProcesses, base_environment
from imagefactory.lib.process.trees import remove_tree
from imagefactory.systems.guests.chroot import ChrootGuest
from imagefactory.systems.guests.interface import File, Guest
from imagefactory.systems.stages.sealing import aside, back
from imagefactory.testing.guests import GuestContract
from imagefactory.testing.threads import ImmediateThreads
from tests.functional.ordinary import USER, OrdinaryUser

BUSYBOX = Path("/bin/busybox")
MARK = "IMAGEFACTORY_TEST"

MAKE = r"""set -e
mkdir -p "$1"
cd "$1"
mkdir -p bin dev etc proc root run sys tmp usr/sbin
cp /bin/busybox bin/
for applet in base64 cat chmod chown grep head hostname id ln ls mkdir mount mv readlink rm setsid sh sleep stat test \
    rmdir touch true wc; do
    ln -s busybox "bin/$applet"
done
"""


class ChrootCase(TestCase):
    """One tree, one guest, and nothing left of either."""

    privilege = Privilege()
    timeout = 60

    async def setUp(self) -> None:
        if os.getuid() != 0:
            raise SkipTest("needs root")
        if not BUSYBOX.exists():
            raise SkipTest("needs busybox-static")
        self.mark = f"{os.getpid()}-{self.id()}"
        env = {**base_environment(Path("/"), Path("/tmp")), MARK: self.mark}
        self.processes = TwistedProcesses(reactor, reactor, base_env=env)
        self.tree = self.place() / "tree"
        make = Command(self.privilege.argv("sh", "-c", MAKE, "sh", str(self.tree)), "making a tree")
        await self.processes.check(make)
        self.addCleanup(self.nothing_left)
        self.resolv = self.tree.parent / "resolv.conf"
        self.resolv.write_text("nameserver 192.0.2.1\n")
        self.guest = ChrootGuest(self.tree, self.processes, self.privilege, resolv=self.resolv)

    def place(self) -> Path:
        """A directory for the tree."""
        place = Path(self.mktemp()).absolute()
        place.mkdir()
        return place

    async def nothing_left(self) -> None:
        """No process, no mount, no mount point in the tree."""
        self.assertEqual(self.living(), [])
        self.assertNotIn(str(self.tree), Path("/proc/self/mountinfo").read_text())
        if self.tree.exists():
            for path in ("usr/sbin/policy-rc.d", "etc/resolv.conf"):
                self.assertFalse((self.tree / path).exists(), path)
        await remove_tree(self.tree, self.processes, self.privilege, ImmediateThreads())
        self.assertFalse(self.tree.exists())

    def living(self) -> list[int]:
        """Processes of this test."""
        return [one.pid for one in everybody() if not one.dead and carries(one.pid, f"{MARK}={self.mark}".encode())]

    def enter(self, use: Callable[[Guest], Awaitable[None]]) -> Deferred[None]:
        """Run `use` with the entered guest."""

        async def inside() -> None:
            async with self.guest as guest:
                await use(guest)

        return Deferred.fromCoroutine(inside())


class ContractTests(ChrootCase, GuestContract):
    """The contract of all guests, as root."""


class SurroundingsTests(ChrootCase):
    """What a command finds around it."""

    async def test_everything_that_packages_expect(self) -> None:
        """proc of its own processes, sys, devices that work, an empty writable run, name servers."""
        script = """
            [ "$(cat /proc/1/comm)" = sh ]
            [ "$(ls /proc | grep -c '^[0-9]')" -lt 10 ]
            [ -d /sys/kernel ]
            ! touch /sys/kernel/x 2>/dev/null
            echo x > /dev/null
            [ "$(head -c 3 /dev/zero | wc -c)" = 3 ]
            head -c 1 /dev/urandom > /dev/shm/x
            [ -c /dev/ptmx ]
            echo x | cat /dev/stdin > /dev/fd/1
            touch /run/x /run/lock/x
            [ "$(cat /etc/resolv.conf)" = "nameserver 192.0.2.1" ]
            [ "$(id -u)" = 0 ]
            [ "$HOME$LC_ALL$DEBIAN_FRONTEND" = /rootC.UTF-8noninteractive ]
            [ "$TMPDIR" = /tmp ]
        """
        async with self.guest as guest:
            await guest.run(f"set -ex\n{script}", title="looking around")

    async def test_no_service_starts(self) -> None:
        """policy-rc.d forbids it while commands run; it is not in the tree."""
        async with self.guest as guest:
            with self.assertRaises(CommandFailed) as caught:
                await guest.run("exec /usr/sbin/policy-rc.d ssh start", title="asking")
            self.assertIn("exit status 101", str(caught.exception))
            self.assertIn(await guest.get("/usr/sbin/policy-rc.d"), {None, b""})

    async def test_own_policy_stays(self) -> None:
        """A tree that has its own gets it back."""
        async with self.guest as guest:
            await guest.put("/usr/sbin/policy-rc.d", b"mine", mode=0o755)
        async with self.guest as guest:
            self.assertIn("101", await guest.output("cat /usr/sbin/policy-rc.d", title="x"))
        async with self.guest as guest:
            self.assertEqual(await guest.get("/usr/sbin/policy-rc.d"), b"mine")
            await guest.remove("/usr/sbin/policy-rc.d")

    async def test_resolver_that_is_a_dangling_link(self) -> None:
        """Name servers are where the link points, in the run of the command only; the link stays."""
        for link in ("../run/systemd/resolve/stub-resolv.conf", "/run/resolvconf/resolv.conf"):
            async with self.guest as guest:
                await guest.run(f"ln -sfn {link} /etc/link", title="linking")
                await guest.run("rm -f /etc/resolv.conf || true", title="x")
            async with self.guest as guest:
                await guest.run("mv /etc/link /etc/resolv.conf 2>/dev/null || true", title="x")
            os.path.lexists(self.tree / "etc/resolv.conf") or os.symlink(link, self.tree / "etc/resolv.conf")
            async with self.guest as guest:
                self.assertIn("192.0.2.1", await guest.output("cat /etc/resolv.conf", title="reading"))
                self.assertEqual((await guest.output("readlink /etc/resolv.conf", title="reading")).strip(), link)
                await guest.put("/etc/resolv.conf", b"ours")
                self.assertEqual(await guest.get("/etc/resolv.conf"), b"ours")
                await guest.remove("/etc/resolv.conf", "/etc/link")

    async def test_files_see_the_bare_tree(self) -> None:
        """What is put below run or over the resolver is in the tree, and what is removed is the tree's."""
        async with self.guest as guest:
            await guest.put("/run/kept", b"x")
            await guest.put("/etc/resolv.conf", b"ours\n")
            await guest.run("[ ! -e /run/kept ]", title="an empty run")
        self.assertEqual((self.tree / "etc/resolv.conf").read_bytes(), b"ours\n")
        self.assertTrue((self.tree / "run/kept").exists())
        self.assertEqual(self.resolv.read_text(), "nameserver 192.0.2.1\n")
        async with self.guest as guest:
            await guest.remove("/run/*", "/etc/resolv.conf")
        self.assertFalse((self.tree / "run/kept").exists())

    async def test_nothing_is_mounted_for_others(self) -> None:
        """While a command runs, our own mount table does not know of it."""
        seen: list[bool] = []

        def look(line: str) -> None:
            seen.append(str(self.tree) in Path("/proc/self/mountinfo").read_text())

        async with self.guest as guest:
            await guest.run("echo up; mount -t tmpfs x /root", title="mounting", on_line=look)
        self.assertEqual(seen, [False])

    async def test_host_name_is_apart(self) -> None:
        """The builder's name does not get into images, and a command cannot change it."""
        before = os.uname().nodename
        async with self.guest as guest:
            self.assertEqual(await guest.output("hostname", title="asking"), "localhost\n")
            self.assertEqual(await guest.output("hostname changed; hostname", title="changing"), "changed\n")
        self.assertEqual(os.uname().nodename, before)

    async def test_large_script_and_input(self) -> None:
        """Neither is bounded by what a command line may hold."""
        script = "cat > /root/in\n" + "# a long comment\n" * 20_000
        async with self.guest as guest:
            await guest.run(script, title="a long script", stdin=b"x" * 3_000_000)
            self.assertEqual(len(await guest.get("/root/in", limit=4_000_000) or b""), 3_000_000)

    async def test_kept_files(self) -> None:
        """They come back as they were, to places that are gone; what is not there is not missed."""
        paths = ["/tmp/it's/here", "/absent"]
        async with self.guest as guest:
            await guest.put(paths[0], b"x", mode=0o640)
            await guest.run(aside(paths), title="aside")
            await guest.remove("/tmp/*")
            await guest.run(back(paths), title="back")
            self.assertEqual(await guest.output('stat -c %a "/tmp/it\'s/here"', title="looking"), "640\n")
        self.assertFalse([path for path in self.tree.iterdir() if "kept" in path.name])

    async def test_what_cannot_be_written_is_named(self) -> None:
        """The one file of many, by itself or in a batch, and what is in its way."""

        async def use(guest: Guest) -> None:
            await guest.run(
                "mkdir -p /opt; echo > /opt/file; ln -s b /opt/a; ln -s a /opt/b", title="going in a circle"
            )
            for path, hint in (
                ("/etc", "a directory of that name"),
                ("/opt/file/it's\\n", "no directory"),
                ("/opt/a/x", "in a circle"),
                ("/opt/" + "x" * 300, "255"),
            ):
                with self.assertRaises(CommandFailed) as one:
                    await guest.put(path, b"x")
                with self.assertRaises(CommandFailed) as batch:
                    await guest.put_all([File("/tmp/first", b"x"), File(path, b"x"), File("/tmp/last", b"x")])
                for error in (one.exception, batch.exception):
                    self.assertIn(f"writing {path} in the system ended with", str(error))
                    self.assertIn(hint, error.hint)
                self.assertIsNone(await guest.get("/tmp/last"))

        await self.enter(use)

    async def test_modes(self) -> None:
        """Files have the mode they were given."""
        async with self.guest as guest:
            await guest.put("/etc/secret", b"x", mode=0o600)
            await guest.put_all([File("/usr/bin/tool", b"x", 0o4755), File("/etc/secret2", b"x", 0o440)])
            modes = await guest.output("stat -c %a /etc/secret /usr/bin/tool /etc/secret2", title="looking")
        self.assertEqual(modes.split(), ["600", "4755", "440"])


class EndingTests(ChrootCase):
    """Ends of all kinds."""

    async def until(self, condition: Callable[[], object]) -> None:
        """Real processes need real time."""
        for _ in range(250):
            if condition():
                return
            await sleep(reactor, 0.02)
        self.fail("it did not come to that")

    async def test_daemons_end_with_their_command(self) -> None:
        """Whatever they did to get away: another session, ignored signals, a closed output."""
        async with self.guest as guest:
            await guest.run("setsid sh -c \"trap '' TERM HUP; sleep 600\" >/dev/null 2>&1 & sleep 0.1", title="daemon")
            self.assertEqual(self.living(), [])

    async def test_cancel_is_quick(self) -> None:
        """A command that ignores TERM and has daemons is gone at once, and no later command of the script runs."""
        up: Deferred[None] = Deferred()
        script = "trap '' TERM; setsid sleep 600 & echo up; sleep 600; touch /root/later"
        run = self.enter(
            lambda guest: guest.run(script, title="long", on_line=lambda _: None if up.called else up.callback(None))
        )
        await up
        begin = time.monotonic()
        run.cancel()
        run.cancel()
        with self.assertRaises(CancelledError):
            await run
        self.assertLess(time.monotonic() - begin, 3)
        self.assertEqual(self.living(), [])
        self.assertFalse((self.tree / "root/later").exists())

    async def test_time_limit(self) -> None:
        """A command that never ends is ended."""
        async with self.guest as guest:
            with self.assertRaises(TimedOut):
                await guest.run("while :; do sleep 1; done", title="endless", total=0.3)
            self.assertEqual(self.living(), [])

    async def test_kill_of_the_front(self) -> None:
        """If only the front process is killed, as by a dying parent, everybody inside dies."""
        up: Deferred[None] = Deferred()
        run = self.enter(
            lambda guest: guest.run(
                "echo up; sleep 600", title="long", on_line=lambda _: None if up.called else up.callback(None)
            )
        )
        await up
        os.kill(min(self.living()), signal.SIGKILL)
        with self.assertRaises(CommandFailed):
            await run
        await self.until(lambda: not self.living())

    async def test_tree_without_a_shell(self) -> None:
        """It is refused with a reason when it is entered."""
        (self.tree / "bin/sh").unlink()
        with self.assertRaises(Unsupported) as caught:
            await self.enter(lambda guest: guest.run("true", title="x"))
        self.assertIn("/bin/sh", str(caught.exception))

    async def test_foreign_shell(self) -> None:
        """A tree of another architecture says what is missing."""
        (self.tree / "bin/sh").unlink()
        (self.tree / "bin/sh").write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\xf3\0" + b"\0" * 100)
        (self.tree / "bin/sh").chmod(0o755)
        with self.assertRaises(Unsupported) as caught:
            await self.enter(lambda guest: guest.run("true", title="x"))
        self.assertIn("qemu-user", caught.exception.hint)


class HostileTests(ChrootCase):
    """Trees that point at the host."""

    async def setUp(self) -> None:
        await super().setUp()
        self.host = self.tree.parent / "host"
        self.host.mkdir()
        (self.host / "file").write_text("the host's")
        (self.tree / "absolute").symlink_to(self.host)
        (self.tree / "relative").symlink_to("../../../../../../../.." + str(self.host))
        (self.tree / "leaf").symlink_to(self.host / "file")

    async def test_no_way_out(self) -> None:
        """Writing, reading and removing through links stays in the tree."""
        async with self.guest as guest:
            for path in ("/leaf", "/absolute/new", "/relative/new", "/../../../host/up"):
                try:
                    await guest.put(path, b"evil")
                except CommandFailed:
                    continue  # a dangling directory is refused by mkdir
            self.assertEqual(await guest.get("/absolute/file"), None)
            self.assertEqual(await guest.get("/relative/file"), None)
            await guest.remove("/absolute/*", "/relative/file", "/absolute")
        self.assertEqual([path.name for path in self.host.iterdir()], ["file"])
        self.assertEqual((self.host / "file").read_text(), "the host's")

    async def test_mount_points_that_are_links(self) -> None:
        """A tree whose etc and usr point at the host gets nothing written there."""
        shutil.rmtree(self.tree / "etc")
        shutil.rmtree(self.tree / "usr")
        (self.tree / "etc").symlink_to(self.host)
        (self.tree / "usr").symlink_to(self.host)
        (self.host / "sbin").mkdir()
        async with self.guest as guest:
            await guest.run("true", title="x")
        self.assertEqual(sorted(path.name for path in self.host.iterdir()), ["file", "sbin"])
        self.assertEqual(list((self.host / "sbin").iterdir()), [])

    async def test_removal_does_not_follow(self) -> None:
        """Removing the tree leaves what its links point at."""
        await remove_tree(self.tree, self.processes, self.privilege, ImmediateThreads())
        self.assertEqual((self.host / "file").read_text(), "the host's")

    async def test_removal_is_refused_while_something_is_mounted(self) -> None:
        """A bind mount of the host's files in the tree keeps them."""
        subprocess.run(["mount", "--bind", self.host, self.tree / "root"], check=True)
        try:
            with self.assertRaises(Conflict):
                await remove_tree(self.tree, self.processes, self.privilege, ImmediateThreads())
        finally:
            subprocess.run(["umount", self.tree / "root"], check=True)
        self.assertTrue((self.host / "file").exists())


class OrdinaryUserTests(OrdinaryUser, ChrootCase, GuestContract):
    """The contract again, without being root: in a user namespace with subordinate ids."""

    async def test_owners_are_what_they_seem(self) -> None:
        """A file of user 33 is that user's inside, and a subordinate id's outside."""
        async with self.guest as guest:
            await guest.run("mkdir -p /srv/www; chown 33:33 /srv/www; chmod 700 /srv/www", title="giving away")
            self.assertEqual(await guest.output("stat -c %u /srv/www", title="looking"), "33\n")
        self.assertGreater((self.tree / "srv/www").stat().st_uid, 1000)

    async def test_packages_surroundings(self) -> None:
        """proc, devices, name servers and no services are there for an ordinary user, too."""
        async with self.guest as guest:
            script = (
                "set -e; cat /proc/1/comm; echo x >/dev/null; touch /run/x; cat /etc/resolv.conf; test -d /sys/class"
            )
            self.assertIn("192.0.2.1", await guest.output(script, title="looking"))

    async def test_privilege_of_this_host(self) -> None:
        """As root nothing is put in front; the user that was made would have enough ids."""
        host = look_at_host()
        self.assertEqual(decide(host), Privilege())
        self.assertEqual(decide(replace(host, uid=self.user.pw_uid, user=USER)), Privilege(NAMESPACE))
