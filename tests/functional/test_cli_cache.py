"""Two commands at once, and a cache that was damaged."""

from __future__ import annotations

from pathlib import Path

from tests.functional.command import CommandCase
from tests.functional.tinyos import template

TARGET = ("--target", "rhevm")


class SharedTests(CommandCase):
    """Two commands with one state directory."""

    def test_one_run_for_both(self) -> None:
        """Who comes second waits for what the first one makes, and is served."""
        tdl = self.file(template(commands=("date +%s%N > /opt/when; sleep 2",), size="96M"))
        first = self.start("--template", tdl, *TARGET)
        first.until("command first")
        second = self.start("--template", tdl, *TARGET)
        mine, other = first.wait(), second.wait()
        self.assertEqual((mine.status, other.status), (0, 0), mine.out + other.out + mine.err + other.err)
        self.assertEqual(mine.out.count("MISS"), 3, mine.out)
        self.assertNotIn("command first", other.out)
        self.assertEqual(len([*(self.state / "cache/customise").iterdir()]), 1)
        self.nothing_left()

    def test_who_waits_is_not_cancelled_with_the_other(self) -> None:
        """The first one is interrupted: the second makes it itself."""
        tdl = self.file(template(commands=("sleep 3",), size="96M"))
        first = self.start("--template", tdl, *TARGET)
        first.until("command first")
        second = self.start("--template", tdl, *TARGET)
        second.until("waiting for another process")
        first.signal(2)
        self.assertEqual(first.wait(10).status, 1)
        done = second.wait()
        self.assertEqual(done.status, 0, done.out + done.err)
        self.assertIn("command first", done.out)
        self.nothing_left()


class DamageTests(CommandCase):
    """Entries whose content is not what was stored."""

    def test_it_is_made_again(self) -> None:
        """And the log says so; what is delivered is whole."""
        tdl = self.file(template(size="96M"))
        self.command("--template", tdl, *TARGET)
        for stage in ("adapt", "base"):
            self.damage(stage)
        more = self.file(template(size="96M", packages=("hello",)), "more.tdl")
        done = self.command("--template", more, *TARGET)
        self.assertRegex(done.out + done.err, "cache/base/.* is damaged")
        self.assertRegex(done.out, "rhevm: base [0-9a-f]{12} MISS")
        again = self.command("--template", tdl, *TARGET)
        self.assertRegex(again.out, "rhevm: adapt [0-9a-f]{12} MISS")
        self.assertRegex(again.out + again.err, "damaged")
        last = self.command("--template", tdl, *TARGET)
        self.assertEqual(last.out.count("HIT"), 3, last.out)
        self.nothing_left()

    def damage(self, stage: str) -> None:
        """Flip a byte in the middle of the one entry."""
        (body,) = Path(self.state / "cache" / stage).glob("*/body")
        mode = body.stat().st_mode
        body.chmod(0o644)
        with body.open("r+b") as file:
            file.seek(body.stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 0xFF]))
        body.chmod(mode)
