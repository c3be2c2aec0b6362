"""The serial port is understood."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.systems.qemu.serial import KEPT_LINES, Booted, SerialLog, Trouble, plain

BOOT = (
    b"\x1b[2J\x1b[01;01H\x1b[=3hBooting `Linux'\r\n"
    b"[    0.000000] Linux version 6.1.0 (debian-kernel@example)\r\n"
    b"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mgetty\xe2\x80\xa6\x1b[0m.\r\n"
    b"\r\nDebian GNU/Linux 12 host-1 ttyS0\r\n\r\nhost-1 login: "
)


def outcome(text: str) -> Booted | Trouble | None:
    """What a log of this text means."""
    return SerialLog().feed(text.encode())


class SerialTests(SynchronousTestCase):
    """Prompts and troubles."""

    @given(st.lists(st.integers(0, len(BOOT)), max_size=8))
    def test_a_boot_is_recognised_however_it_is_cut(self, cuts: list[int]) -> None:
        """Escape sequences and characters of several bytes may be cut anywhere; not a byte too early."""
        edges = sorted({0, len(BOOT) - 1, *(cut for cut in cuts if cut < len(BOOT))})
        log = SerialLog()
        for start, end in pairwise(edges):
            self.assertIsNone(log.feed(BOOT[start:end]))
        log.feed(BOOT[edges[-1] :])
        self.assertEqual(log.outcome, Booted())
        self.assertEqual(
            log.tail()[-3:], ("[  OK  ] Started getty….", "Debian GNU/Linux 12 host-1 ttyS0", "host-1 login: ")
        )

    @given(st.binary(max_size=300), st.binary(max_size=300))
    def test_any_bytes_are_taken(self, first: bytes, second: bytes) -> None:
        """And what is kept for people has no control characters."""
        log = SerialLog()
        log.feed(first)
        log.feed(second)
        self.assertFalse([line for line in log.tail() if set(line) & set(map(chr, range(9)))])

    def test_a_prompt_with_a_kernel_message_behind_it_counts(self) -> None:
        """The kernel does not wait until the prompt has been seen."""
        self.assertEqual(outcome("host login: [   30.1] random: crng init done\n"), Booted())

    def test_talk_about_logins_is_no_prompt(self) -> None:
        """A person's last login, a service's name, a password prompt."""
        for text in ("Last login: Tue", "Last login: ", "Starting systemd-logind", "login: ", "Password: "):
            self.assertIsNone(outcome(text), text)

    def test_what_cannot_end_well_is_recognised(self) -> None:
        """Each with words of its own."""
        cases = {
            "[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n": "panicked",
            "You are in emergency mode. After logging in\n": "emergency mode",
            "Give root password for maintenance\n": "emergency mode",
            "Press Enter for maintenance\n": "emergency mode",
            "ALERT!  UUID=1 does not exist.  Dropping to a shell!\n": "did not find the root",
            "(initramfs) ": "did not find the root",
            'Generating "/run/initramfs/rdsosreport.txt"\n': "initrd gave up",
            "grub rescue> ": "boot loader",
            "\x1b[mgrub> ": "boot loader",
            "BdsDxe: No bootable option or device was found.\n": "UEFI",
        }
        for text, words in cases.items():
            found = outcome(text)
            assert isinstance(found, Trouble), text
            self.assertIn(words, found.text)

    def test_the_first_outcome_stays(self) -> None:
        """A panic after the prompt is another story."""
        log = SerialLog()
        log.feed(b"host login: ")
        self.assertEqual(log.feed(b"\nKernel panic - not syncing\n"), Booted())

    def test_memory_is_bounded(self) -> None:
        """Neither many lines nor one endless line is kept."""
        log = SerialLog()
        log.feed(b"line\n" * 10_000)
        for _ in range(100):
            log.feed(b"x" * 10_000)
        self.assertEqual(len(log.tail(10**6)), KEPT_LINES + 1)
        self.assertEqual(len(log.tail()[-1]), 4096)

    def test_escape_sequences_are_removed(self) -> None:
        """Colours, cursor positions, titles."""
        self.assertEqual(plain("\x1b[1;32mgreen\x1b[0m\x1b[8;78H \x1b]0;title\x07\x1b(Bend\r"), "green end")
