"""Conversions by qemu-img."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import CommandFailed, NoSpace
from imagefactory.lib.process.interface import Command
from imagefactory.model.report import Silence
from imagefactory.systems.disk.convert import convert, convert_argv, percent, progress_reader
from imagefactory.systems.disk.interface import Conversion
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import ImmediateThreads

QCOW2 = Conversion("qcow2", {"compression_type": "zstd"}, compress=True)


class Listener(Silence):
    """Remembers the progress."""

    def __init__(self) -> None:
        self.percents: list[float] = []

    def progress(self, percent: float) -> None:
        self.percents.append(percent)


class ProgressTests(SynchronousTestCase):
    """qemu-img -p is understood."""

    def test_a_percentage_is_found(self) -> None:
        """As qemu-img writes it, and not in other lines."""
        self.assertEqual(percent("    (12.34/100%)"), 12.34)
        self.assertEqual(percent("    (100.00/100%)"), 100.0)
        self.assertIsNone(percent("qemu-img: error while writing"))

    @given(st.text())
    def test_any_line_is_taken(self, line: str) -> None:
        """No output whatever breaks it, and nothing is outside 0 to 100."""
        found = percent(line)
        self.assertTrue(found is None or 0 <= found <= 100)

    @given(st.lists(st.floats(0, 100)))
    def test_progress_only_grows(self, values: list[float]) -> None:
        """At most once per whole percent."""
        seen: list[float] = []
        read = progress_reader(seen.append)
        for value in values:
            read(f"    ({value:.2f}/100%)")
        self.assertEqual([int(one) for one in seen], sorted({int(one) for one in seen}))


class ConvertTests(SynchronousTestCase):
    """What is run, and what is left."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        self.source = self.directory / "disk.raw"
        self.source.write_bytes(b"x" * 5000)
        self.destination = self.directory / "image"
        self.processes = ScriptedProcesses.of(self)
        self.report = Listener()

    def start(self, conversion: Conversion = QCOW2) -> Deferred[None]:
        return Deferred.fromCoroutine(
            convert(
                self.source,
                self.destination,
                conversion,
                processes=self.processes,
                threads=ImmediateThreads(),
                report=self.report,
            )
        )

    def left(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}

    def test_the_command_line_has_the_options_of_the_conversion(self) -> None:
        """Compression in parallel only where clusters may come in any order."""
        argv = " ".join(convert_argv(Path("/a"), "raw", Path("/b"), QCOW2))
        self.assertEqual(argv, "qemu-img convert -p -f raw -O qcow2 -c -W -m 16 -o compression_type=zstd /a /b")
        fixed = Conversion("vpc", {"subformat": "fixed", "force_size": "on"})
        argv = " ".join(convert_argv(Path("/a"), "raw", Path("/b"), fixed))
        self.assertEqual(argv, "qemu-img convert -p -f raw -O vpc -o subformat=fixed,force_size=on /a /b")

    def test_stream_optimised_vmdk_has_a_writer_of_its_own(self) -> None:
        """With the options it knows; for others qemu-img does it."""
        options = {"subformat": "streamOptimized", "adapter_type": "pvscsi", "hwversion": "19"}
        self.processes.expect(
            "-m imagefactory.systems.disk.vmdk --adapter pvscsi --hardware 19 --name image .*/disk.raw ",
            effect=unfinished,
        )
        self.successResultOf(self.start(Conversion("vmdk", options)))
        self.processes.expect("^qemu-img convert", effect=unfinished)
        self.successResultOf(self.start(Conversion("vmdk", {**options, "compat6": "on"})))

    def test_the_result_replaces_what_was_there_when_it_is_complete(self) -> None:
        """qemu-img writes to another name; progress is told."""
        self.destination.write_bytes(b"old")

        def write(command: Command) -> None:
            self.assertEqual(self.destination.read_bytes(), b"old")
            Path(command.argv[-1]).write_bytes(b"new")

        self.processes.expect("qemu-img convert", lines=["    (0.00/100%)", "    (50.10/100%)"], effect=write)
        self.successResultOf(self.start())
        self.assertEqual(self.destination.read_bytes(), b"new")
        self.assertEqual(self.left(), {"disk.raw", "image"})
        self.assertEqual(self.report.percents, [0.0, 50.1, 100])

    def test_raw_needs_no_tool(self) -> None:
        """The same bytes under another name; the source stays."""
        self.successResultOf(self.start(Conversion("raw")))
        self.assertEqual(self.destination.read_bytes(), self.source.read_bytes())
        self.assertEqual(self.left(), {"disk.raw", "image"})

    def test_a_failure_leaves_nothing(self) -> None:
        """The unfinished file goes, the error stays qemu-img's."""
        self.processes.expect("qemu-img", exit=1, lines=["qemu-img: Unknown protocol"], effect=unfinished)
        self.failureResultOf(self.start(), CommandFailed)
        self.assertEqual(self.left(), {"disk.raw"})

    def test_a_full_disk_is_told_apart(self) -> None:
        """With path and bytes."""
        line = "qemu-img: error while writing at byte 0: No space left on device"
        self.processes.expect("qemu-img", exit=1, lines=[line], effect=unfinished)
        error = self.failureResultOf(self.start(), NoSpace).value
        self.assertIn("5000 bytes", str(error))
        self.assertEqual(self.left(), {"disk.raw"})

    def test_cancelling_leaves_nothing(self) -> None:
        """The program is ended, its file removed, the cancellation passed on."""
        self.processes.expect("qemu-img", hangs=True, effect=unfinished)
        work = self.start()
        self.assertEqual(len(self.left()), 2)
        work.cancel()
        self.failureResultOf(work, CancelledError)
        self.assertEqual(len(self.processes.cancelled), 1)
        self.assertEqual(self.left(), {"disk.raw"})


def unfinished(command: Command) -> None:
    """What an interrupted qemu-img leaves."""
    Path(command.argv[-1]).write_bytes(b"half")
