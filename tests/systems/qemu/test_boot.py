"""The boot proof, with a machine that the test plays."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from imagefactory.lib.errors import BuildFailed, CommandFailed, NoSpace
from imagefactory.lib.process.interface import Exit
from imagefactory.model.report import Silence
from imagefactory.systems.qemu.accel import Accel
from imagefactory.systems.qemu.boot import KVM_SILENCE, BootProof, boot_check
from imagefactory.systems.qemu.hardware import DiskBus, Hardware, NetworkCard
from imagefactory.systems.qemu.running import Network
from imagefactory.testing.threads import ImmediateThreads
from tests.systems.qemu.fakes import Control, FakeQemu

VIRTIO = Hardware()


class Decided:
    """An `Acceleration` that knows already."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    async def choose(self, arch: str) -> Accel:
        return Accel(self._kind, "test")


class Lines(Silence):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


@implementer(IStreamClientEndpoint)
class Ssh:
    """The forwarded port: closed at first, then a server."""

    def __init__(self, greetings: list[bytes]) -> None:
        self._greetings = greetings

    def connect(self, factory: Factory) -> Deferred[Any]:
        protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        protocol.makeConnection(StringTransport())
        greeting = self._greetings.pop(0)
        if greeting:
            protocol.dataReceived(greeting)
        else:
            protocol.connectionLost(Failure(ConnectionDone()))
        return succeed(protocol)


class BootTestCase(SynchronousTestCase):
    """Starts a check and plays its machine."""

    def setUp(self) -> None:
        self.tmpdir = Path(mkdtemp(prefix="boot-test."))  # not trial's: a socket's path has to be short
        self.addCleanup(self.tmpdir.rmdir)  # fails if something was left
        self.clock = Clock()
        self.qemu = FakeQemu()
        self.control = Control(self.qemu)
        self.ports: list[tuple[str, int]] = []
        self.greetings = [b"", b"SSH-2.0-test\r\n"]
        self.report = Lines()

    def start(
        self,
        *,
        ssh: bool = False,
        kind: str = "tcg",
        limit: float = 60,
        tmpdir: Path | None = None,
        hardware: Hardware = VIRTIO,
    ) -> Deferred[BootProof]:
        def tcp(host: str, port: int) -> Ssh:
            self.ports.append((host, port))
            return Ssh(self.greetings)

        return Deferred.fromCoroutine(
            boot_check(
                Path("/image"),
                "qcow2",
                arch="x86_64",
                ssh=ssh,
                acceleration=Decided(kind),  # type: ignore[arg-type]
                processes=self.qemu,  # type: ignore[arg-type]
                threads=ImmediateThreads(),
                clock=self.clock,
                network=Network(unix=lambda _: self.control, tcp=tcp),
                tmpdir=tmpdir or self.tmpdir,
                limit=limit,
                report=self.report,
                hardware=hardware,
            )
        )

    def advance(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))


class BootTests(BootTestCase):
    """What a boot can come to."""

    def test_a_login_prompt_is_the_proof(self) -> None:
        """The machine is told to quit, and is over when the proof comes."""
        work = self.start()
        self.control_answers()
        self.qemu.say("Linux version 6.1\n")
        self.advance(5)
        self.assertNoResult(work)
        self.qemu.say("host login: ")
        self.advance(1)
        proof = self.successResultOf(work)
        self.assertEqual((proof.login, proof.ssh_banner, proof.firmware, proof.accel), (True, None, "bios", "tcg"))
        self.assertTrue(5 <= proof.seconds <= 6)
        self.assertEqual(proof.tail, ("Linux version 6.1", "host login: "))
        self.assertEqual(self.qemu.cancelled, 0)

    def test_the_machine_has_what_the_image_was_promised(self) -> None:
        """Disk and card are those of the hardware, and the proof says which disk it was."""
        work = self.start(ssh=True, hardware=Hardware(DiskBus.PVSCSI, NetworkCard.VMXNET3))
        self.control_answers()
        self.qemu.say("host login: ")
        self.advance(2)
        self.assertIs(self.successResultOf(work).disk, DiskBus.PVSCSI)
        self.assertIn("vmxnet3,netdev=net,romfile=", self.qemu.commands[0].argv)

    def test_what_this_qemu_lacks_is_said_and_replaced(self) -> None:
        """An image can be checked all the same; a machine of virtio asks nothing."""
        work = self.start(hardware=Hardware(DiskBus.NVME))
        self.control_answers()
        self.qemu.say("host login: ")
        self.advance(1)
        self.assertIs(self.successResultOf(work).disk, DiskBus.VIRTIO)
        self.assertIn("this qemu has no nvme: the check is made with virtio-blk-pci", self.report.lines)
        self.control = Control(self.qemu)
        again = self.start()
        again.cancel()
        self.failureResultOf(again, CancelledError)
        self.assertEqual(self.qemu.questions, [("qemu-system-x86_64", "-device", "help")])

    def test_with_ssh_the_server_has_to_answer(self) -> None:
        """On the port that qemu found free; again and again until it does."""
        work = self.start(ssh=True)
        self.control_answers()
        self.qemu.say("host login: ")
        self.advance(0.5)
        self.assertNoResult(work)
        self.advance(1.5)
        self.assertEqual(self.successResultOf(work).ssh_banner, "SSH-2.0-test")
        self.assertEqual(self.ports, [("127.0.0.1", 40123)])

    def test_trouble_fails_at_once_with_the_last_lines(self) -> None:
        """The machine is ended."""
        work = self.start()
        self.control_answers()
        self.qemu.say("first\nKernel panic - not syncing: no init\n")
        self.advance(0.5)
        error = self.failureResultOf(work, CommandFailed).value
        self.assertIn("the kernel panicked", str(error))
        self.assertEqual(error.tail, ("first", "Kernel panic - not syncing: no init"))
        self.assertEqual(self.qemu.cancelled, 1)

    def test_the_limit_ends_it(self) -> None:
        """The error says what was missing."""
        work = self.start(limit=10)
        self.control_answers()
        self.qemu.say("booting")
        self.advance(10.5)
        self.assertIn("saw no login prompt in 10 s", str(self.failureResultOf(work, CommandFailed).value))
        self.assertEqual(self.qemu.cancelled, 1)

    def test_a_missing_ssh_server_is_named(self) -> None:
        """The login prompt was there."""
        self.greetings = [b""] * 20
        work = self.start(ssh=True, limit=10)
        self.control_answers()
        self.qemu.say("host login: ")
        self.advance(10.5)
        self.assertIn("saw no SSH server in 10 s", str(self.failureResultOf(work, CommandFailed).value))

    def test_qemu_that_dies_is_reported_with_its_words(self) -> None:
        """Within two seconds."""
        work = self.start()
        self.qemu.end(Exit(1, None, ("qemu: cannot open the image",)))
        self.advance(2)
        error = self.failureResultOf(work, CommandFailed).value
        self.assertEqual(str(error), "qemu ended with exit status 1\n  | qemu: cannot open the image")

    def test_a_lost_control_connection_gives_way_to_the_reason(self) -> None:
        """qemu may die after the connection was made; why it died is what matters."""
        work = self.start(ssh=True)
        self.control.silent = True
        self.control_answers()
        self.control.protocol.connectionLost(Failure(ConnectionDone()))
        self.advance(1)
        self.assertNoResult(work)
        self.qemu.end(Exit(1, None, ("qemu: cannot open the image",)))
        self.advance(1)
        self.assertIn("cannot open the image", str(self.failureResultOf(work, CommandFailed).value))

    def test_a_machine_that_switches_itself_off_did_not_boot(self) -> None:
        """qemu's exit status 0 proves nothing; what the guest said last is the reason."""
        work = self.start()
        self.control_answers()
        self.qemu.say("Rebooting in 1 seconds..\n")
        self.qemu.end(Exit(0, None))
        self.advance(2)
        error = self.failureResultOf(work, CommandFailed).value
        self.assertIn("reset or switch itself off", str(error))
        self.assertEqual(error.tail, ("Rebooting in 1 seconds..",))

    def test_a_full_disk_is_noticed(self) -> None:
        """qemu freezes the guest then, and nothing would ever come."""
        work = self.start()
        self.control_answers()
        self.control.say({"event": "BLOCK_IO_ERROR", "data": {"nospace": True, "action": "stop"}})
        self.advance(0.5)
        error = self.failureResultOf(work, NoSpace).value
        self.assertEqual(error.where, str(self.tmpdir))
        self.assertEqual(self.qemu.cancelled, 1)

    def test_cancelling_ends_the_machine(self) -> None:
        """Once, and nothing stays."""
        work = self.start()
        self.control_answers()
        work.cancel()
        self.failureResultOf(work, CancelledError)
        self.assertEqual(self.qemu.cancelled, 1)

    def test_a_path_too_long_for_a_socket_is_refused(self) -> None:
        """With a hint, instead of a machine that never listens."""
        long = self.tmpdir / ("x" * 100)
        long.mkdir()
        error = self.failureResultOf(self.start(tmpdir=long), BuildFailed).value
        long.rmdir()
        self.assertIn("tmpdir", error.hint)

    def control_answers(self) -> None:
        """The second attempt to connect is answered."""
        self.advance(0.1)


class KvmTests(BootTestCase):
    """KVM that does not work after all."""

    def test_silence_under_kvm_is_tried_again_by_emulation(self) -> None:
        """Once."""
        work = self.start(kind="kvm", limit=100)
        self.advance(KVM_SILENCE + 1)
        self.assertEqual(len(self.qemu.commands), 2)
        self.assertEqual(self.qemu.commands[1].argv[3:5], ("-accel", "tcg"))
        self.qemu.say("host login: ")
        self.advance(1)
        self.assertEqual(self.successResultOf(work).accel, "tcg")
        self.assertEqual(self.qemu.cancelled, 1)

    def test_qemu_that_aborts_under_kvm_is_tried_again_by_emulation(self) -> None:
        """As -cpu host does on some hosts."""
        work = self.start(kind="kvm")
        self.qemu.end(Exit(None, 6, ("Assertion failed",)))
        self.advance(1)
        self.assertEqual(self.qemu.commands[1].argv[3:5], ("-accel", "tcg"))
        self.qemu.end(Exit(1, None, ("still broken",)))
        self.advance(1)
        self.assertIn("still broken", str(self.failureResultOf(work, CommandFailed).value))

    def test_a_guest_that_spoke_under_kvm_is_not_tried_again(self) -> None:
        """Then the fault is the image's."""
        work = self.start(kind="kvm")
        self.advance(0.2)
        self.qemu.say("Kernel panic - not syncing\n")
        self.advance(1)
        self.failureResultOf(work, CommandFailed)
        self.assertEqual(len(self.qemu.commands), 1)
