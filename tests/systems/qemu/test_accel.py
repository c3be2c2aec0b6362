"""Whether KVM is believed."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Unsupported
from imagefactory.lib.process.interface import Command, Exit
from imagefactory.systems.qemu.accel import Accel, Acceleration, Host, boot_sector, objection
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import ImmediateThreads

PC = Host("x86_64", True, frozenset({"kvm", "kvm_intel"}))


class ObjectionTests(SynchronousTestCase):
    """What can be seen without trying."""

    def test_hardware_virtualisation_is_worth_a_try(self) -> None:
        """32-bit guests included."""
        self.assertIsNone(objection(PC, "x86_64"))
        self.assertIsNone(objection(PC, "i386"))

    def test_a_foreign_architecture_is_not(self) -> None:
        """Either way round."""
        self.assertIn("not native", objection(PC, "aarch64") or "")
        self.assertIn("not native", objection(Host("aarch64", True, frozenset()), "x86_64") or "")

    def test_a_device_that_cannot_be_opened_is_not(self) -> None:
        """Missing or forbidden."""
        self.assertIn("/dev/kvm", objection(Host("x86_64", False, frozenset({"kvm_intel"})), "x86_64") or "")

    def test_a_kvm_for_special_guests_is_not(self) -> None:
        """kvm_pvm alone runs no stock kernel; beside a real one it does no harm."""
        self.assertIn("pvm", objection(Host("x86_64", True, frozenset({"kvm", "kvm_pvm"})), "x86_64") or "")
        self.assertIsNone(objection(Host("x86_64", True, frozenset({"kvm_pvm", "kvm_amd"})), "x86_64"))


class AccelerationTests(SynchronousTestCase):
    """The decision."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.processes = ScriptedProcesses.of(self)
        self.tmpdir = Path(self.mktemp())
        self.tmpdir.mkdir(parents=True)

    def acceleration(self, wish: str = "auto", host: Host = PC) -> Acceleration:
        return Acceleration(
            wish,
            processes=self.processes,
            threads=ImmediateThreads(),
            clock=self.clock,
            tmpdir=self.tmpdir,
            host=lambda: host,
        )

    def choose(self, acceleration: Acceleration, arch: str = "x86_64") -> Accel:
        return self.successResultOf(Deferred.fromCoroutine(acceleration.choose(arch)))

    def probe(self, kind: str, seconds: float, exit: int | Exit = 33) -> None:
        self.processes.expect(f"-accel {kind} ", exit=exit, effect=lambda _: self.clock.advance(seconds))

    def test_kvm_that_proves_itself_is_used(self) -> None:
        """The reason has both times; it is found out once."""
        self.probe("tcg", 0.3)
        self.probe("kvm", 0.1)
        acceleration = self.acceleration()
        found = self.choose(acceleration)
        self.assertEqual(found, Accel("kvm", "KVM ran a boot sector in 0.10 s (emulation: 0.30 s)"))
        self.assertIs(self.choose(acceleration), found)
        self.assertEqual(list(self.tmpdir.iterdir()), [])

    def test_kvm_that_is_too_slow_is_not(self) -> None:
        """It is killed when it has had three times what emulation needs."""
        self.probe("tcg", 0.8)
        self.probe("kvm", 2.4, Exit(None, 9))
        self.assertEqual(self.choose(self.acceleration()).kind, "tcg")
        self.assertEqual(self.processes.commands[1].argv[:3], ("timeout", "--signal=KILL", "2.4"))

    def test_kvm_that_ends_in_another_way_is_not(self) -> None:
        """qemu that aborts proves nothing."""
        self.probe("tcg", 0.1)
        self.probe("kvm", 0.1, 134)
        found = self.choose(self.acceleration())
        self.assertEqual(found, Accel("tcg", "KVM did not run a boot sector in 1.5 s (emulation: 0.10 s)"))

    def test_without_a_chance_nothing_is_tried(self) -> None:
        """The objection is the reason."""
        found = self.choose(self.acceleration(host=Host("x86_64", False, frozenset())))
        self.assertEqual(found.kind, "tcg")
        self.assertEqual(self.processes.commands, [])

    def test_a_demand_is_believed(self) -> None:
        """Whatever the host looks like."""
        host = Host("x86_64", False, frozenset())
        self.assertEqual(self.choose(self.acceleration("kvm", host)).kind, "kvm")
        self.assertEqual(self.choose(self.acceleration("tcg")).kind, "tcg")

    def test_kvm_cannot_be_demanded_for_a_foreign_architecture(self) -> None:
        """No qemu could do it."""
        work = Deferred.fromCoroutine(self.acceleration("kvm").choose("aarch64"))
        self.failureResultOf(work, Unsupported)

    def test_two_who_ask_at_once_share_one_probe(self) -> None:
        """The second waits for the first one's result."""
        self.probe("tcg", 0.1)
        hanging = self.processes.expect("-accel kvm ", hangs=True)
        acceleration = self.acceleration()
        first = Deferred.fromCoroutine(acceleration.choose("x86_64"))
        second = Deferred.fromCoroutine(acceleration.choose("x86_64"))
        self.assertEqual((len(self.processes.commands), hanging.times), (2, 0))
        self.probe("tcg", 0.1)
        self.probe("kvm", 0.1)
        first.cancel()  # and the second one does it itself then
        first.addErrback(lambda _: None)
        self.assertEqual(self.successResultOf(second).kind, "kvm")

    def test_the_boot_sector_is_one(self) -> None:
        """512 bytes with the signature of the BIOS."""
        self.assertEqual((len(boot_sector()), boot_sector()[-2:]), (512, b"\x55\xaa"))

    def test_the_probe_runs_our_image(self) -> None:
        """The file exists while qemu runs."""

        def look(command: Command) -> None:
            drive = command.argv[command.argv.index("-drive") + 1]
            path = Path(drive.removeprefix("file=").partition(",")[0])
            self.assertEqual(path.read_bytes(), boot_sector())

        self.processes.expect("-accel tcg", exit=33, effect=look)
        self.processes.expect("-accel kvm", exit=33, effect=look)
        self.choose(self.acceleration())
