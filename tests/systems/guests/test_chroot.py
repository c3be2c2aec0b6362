"""ChrootGuest: the commands it makes, and that it leaves no trace."""

import base64
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import CommandFailed, Unsupported
from imagefactory.lib.process.interface import Privilege
from imagefactory.systems.guests.chroot import ChrootGuest
from imagefactory.systems.guests.interface import File
from imagefactory.testing.processes import ScriptedProcesses

ENTER = "^enter -- unshare .*echo ..path.*/usr/sbin/policy-rc.d /etc/resolv.conf$"
LEAVE = "^enter -- unshare .*rm -f .* /etc/resolv.conf$"
SCRIPT = "^enter -- unshare .*/run/imagefactory/script"


class ChrootGuestTests(SynchronousTestCase):
    """Without a tree."""

    def setUp(self) -> None:
        self.processes = ScriptedProcesses.of(self)
        self.guest = ChrootGuest(Path("/srv/tree"), self.processes, Privilege(("enter", "--")))

    def inside(self, *steps: object) -> Deferred[None]:
        """Enter, await the steps (coroutine functions of the guest), leave."""

        async def block() -> None:
            async with self.guest:
                for step in steps:
                    await step()  # type: ignore[operator]

        return Deferred.fromCoroutine(block())

    def placed(self) -> None:
        """Entering makes one mount point, which leaving takes away."""
        self.processes.expect(ENTER, lines=["/etc/resolv.conf"])
        self.processes.expect(LEAVE)

    def test_mount_points_are_taken_away(self) -> None:
        """After success."""
        self.placed()
        self.successResultOf(self.inside())

    def test_mount_points_are_taken_away_after_a_failure(self) -> None:
        """And the failure is the step's."""
        self.placed()
        self.processes.expect(SCRIPT, exit=3, lines=["no"])
        self.failureResultOf(self.inside(lambda: self.guest.run("false", title="step")), CommandFailed)

    def test_mount_points_are_taken_away_after_a_cancel(self) -> None:
        """The command is cancelled, the clean-up is not."""
        self.placed()
        self.processes.expect(SCRIPT, hangs=True)
        block = self.inside(lambda: self.guest.run("sleep", title="step"))
        block.cancel()
        self.failureResultOf(block, CancelledError)
        self.assertEqual([command.title for command in self.processes.cancelled], ["step"])

    def test_a_clean_up_that_fails_does_not_hide_the_failure(self) -> None:
        """The first error counts; alone, the clean-up's is one."""
        self.processes.expect(ENTER, lines=["/etc/resolv.conf"], times=2)
        self.processes.expect(LEAVE, exit=9, times=2)
        self.processes.expect(SCRIPT, exit=3)
        error = self.failureResultOf(self.inside(lambda: self.guest.run("false", title="step")), CommandFailed).value
        self.assertIn("exit status 3", str(error))
        self.assertIn("exit status 9", str(self.failureResultOf(self.inside(), CommandFailed).value))

    def test_what_was_put_in_place_of_a_mount_point_stays(self) -> None:
        """A file that was written there is not ours to remove."""
        self.processes.expect(ENTER, lines=["/etc/resolv.conf"])
        self.processes.expect("cat > ")
        self.successResultOf(self.inside(lambda: self.guest.put("/etc/resolv.conf", b"")))

    def test_a_command_that_never_ends(self) -> None:
        """Questions have the limit they are given; work on files, which may be pipes, has the guest's own."""
        self.guest = ChrootGuest(Path("/srv/tree"), self.processes, Privilege(("enter", "--")), timeout=7)
        self.processes.expect(ENTER)
        self.processes.expect(SCRIPT)
        self.processes.expect("cat > ")
        self.successResultOf(
            self.inside(
                lambda: self.guest.output("date", title="x", total=9), lambda: self.guest.put("/etc/motd", b"hello")
            )
        )
        self.assertEqual([command.total for command in self.processes.commands], [7, 9, 7])

    def test_script_is_not_in_the_command_line(self) -> None:
        """It may hold a secret: it goes in by standard input, and what the script reads follows it."""
        self.processes.expect(ENTER)
        self.processes.expect(SCRIPT)
        self.successResultOf(
            self.inside(lambda: self.guest.run("chpasswd # hush", title="x", stdin=b"root:pw", total=9))
        )
        command = self.processes.commands[-1]
        self.assertNotIn("hush", " ".join(command.argv))
        first, _, rest = command.stdin.partition(b"\n")
        self.assertEqual((base64.b64decode(first), rest), (b"chpasswd # hush", b"root:pw"))
        self.assertEqual((command.total, command.env["DEBIAN_FRONTEND"]), (9, "noninteractive"))

    def test_many_files_are_one_command(self) -> None:
        """Fifty small ones in one, large ones in batches; their content is not in the command line."""
        self.processes.expect(ENTER)
        self.processes.expect("exec /bin/sh -s", times=4)
        self.successResultOf(
            self.inside(
                lambda: self.guest.put_all([File(f"/etc/{number}", b"x") for number in range(50)]),
                lambda: self.guest.put_all([File(f"/srv/{number}", b"x" * 700_000) for number in range(3)]),
            )
        )

    def test_tree_that_cannot_be_entered(self) -> None:
        """The reasons that an administrator can do something about have a hint."""
        for said, hint in (
            ("chroot: failed to run command '/bin/sh': Exec format error", "qemu-user-static"),
            ("unshare: unshare failed: Operation not permitted", "CAP_SYS_ADMIN"),
            ("chroot: failed to run command '/bin/sh': No such file or directory", "/bin/sh"),
        ):
            self.processes.expect(ENTER, error_lines=[said], exit=126)
            error = self.failureResultOf(self.inside(), Unsupported).value
            self.assertIn(said, str(error))
            self.assertIn(hint, error.hint)
