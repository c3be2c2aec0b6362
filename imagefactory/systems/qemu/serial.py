"""What a guest's serial port tells about its boot: a matcher that is fed bytes as they come."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections import deque
from dataclasses import dataclass

KEPT_LINES = 200
_LONGEST_LINE = 4096

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+][ -~]|[0-Z\\^-~])")  # ECMA-48
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LOGIN = re.compile(r"(?:^|\s)(?!Last\b)[\w.-]+ login:\s")

_TROUBLES = (
    (re.compile(r"Kernel panic - not syncing"), "the kernel panicked"),
    (re.compile(r"You are in (?:emergency|rescue) mode"), "the system fell into emergency mode"),
    (re.compile(r"(?:Give root password|Press Enter) for maintenance"), "the system fell into emergency mode"),
    (re.compile(r"Entering emergency mode|Generating \"/run/initramfs/rdsosreport"), "the initrd gave up"),
    (re.compile(r"^\(initramfs\)|Dropping to a shell!"), "the initrd did not find the root file system"),
    (re.compile(r"^grub(?: rescue)?> "), "the boot loader stopped at its prompt"),
    (re.compile(r"BdsDxe: No bootable option or device|UEFI Interactive Shell"), "UEFI found nothing to boot"),
)


@dataclass(frozen=True, slots=True)
class Booted:
    """The login prompt is there."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """It will never be; `text` says why."""

    text: str


class SerialLog:
    """Understands the output of firmware, boot loader, kernel and init, whatever escape sequences it is wrapped in."""

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        self._open = ""
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.outcome: Booted | Trouble | None = None

    def feed(self, data: bytes) -> Booted | Trouble | None:
        """Read on; the outcome, once there is one, stays."""
        *finished, self._open = (self._open + self._decode(data)).split("\n")
        for line in finished:
            text = plain(line)
            self._judge(text)
            if text.strip():
                self._lines.append(text.rstrip())
        self._open = self._open[-_LONGEST_LINE:]
        self._judge(plain(self._open))
        return self.outcome

    def tail(self, count: int = 40) -> tuple[str, ...]:
        """Returns the last lines for people, the unfinished one included."""
        lines = (*self._lines, *filter(str.strip, [plain(self._open)]))
        return lines[-count:]

    def _judge(self, line: str) -> None:
        if self.outcome is not None:
            return
        for pattern, text in _TROUBLES:
            if pattern.search(line):
                self.outcome = Trouble(text)
                return
        if _LOGIN.search(line):
            self.outcome = Booted()


def plain(line: str) -> str:
    """Returns the line as a person sees it: no escape sequences, no control characters, at most 4096 characters."""
    return _CONTROL.sub("", _ESCAPE.sub("", line[-_LONGEST_LINE:]))
