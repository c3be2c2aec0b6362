"""Which architectures a host can make."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Unsupported
from imagefactory.model.template import Arch
from imagefactory.systems.engines.bootstrap.hosts import Hosts


class HostsTests(SynchronousTestCase):
    """A host with a binfmt_misc of our own."""

    def setUp(self) -> None:
        self.binfmt = Path(self.mktemp())
        self.binfmt.mkdir(parents=True)
        self.hosts = Hosts("x86_64", self.binfmt)

    def test_native(self) -> None:
        """A PC runs both of its architectures."""
        self.hosts.demand(Arch.X86_64)
        self.hosts.demand(Arch.I386)

    def test_no_emulator(self) -> None:
        """The hint names the package."""
        error = self.assertRaises(Unsupported, self.hosts.demand, Arch.AARCH64)
        self.assertIn("qemu-user-static", error.hint)

    def test_an_emulator(self) -> None:
        """It counts when it is enabled and opened in advance."""
        entry = self.binfmt / "qemu-aarch64"
        for text, usable in (
            ("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\n", True),
            ("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: \n", False),
            ("disabled\nflags: F\n", False),
        ):
            entry.write_text(text)
            if usable:
                self.hosts.demand(Arch.AARCH64)
            else:
                self.assertRaises(Unsupported, self.hosts.demand, Arch.AARCH64)

    def test_others_are_refused(self) -> None:
        """What no disk of ours could boot."""
        for arch in (Arch.PPC64, Arch.PPC64LE, Arch.S390X, Arch.ARMV7L):
            self.assertRaises(Unsupported, self.hosts.demand, arch)
