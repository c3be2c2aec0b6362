"""Benchmarks: no measurement that fails takes others with it."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from subprocess import CalledProcessError

from twisted.trial.unittest import SynchronousTestCase

from scripts.benchmarks.peers import Work, attempt
from scripts.benchmarks.timing import Cost, Failed
from scripts.benchmarks.trials import Trial, Trials


def _cost(wall: float, status: int = 0, output: str = "") -> Cost:
    return Cost(wall, wall, 1_000_000, status, output)


def _next(results: list[Cost | Exception]) -> Cost:
    result = results.pop(0)
    if isinstance(result, Exception):
        raise result
    return result


class TrialsTests(SynchronousTestCase):
    """The lines of a table while they come, and the table."""

    def setUp(self) -> None:
        self.trials = Trials("Speeds")

    def _measure(self, name: str, *results: Cost | Exception) -> str:
        left = list(results)
        with redirect_stdout(io.StringIO()) as output:
            self.trials.measure(Trial(name, "one"), lambda: _next(left), rounds=len(results))
        return output.getvalue()

    def _shown(self) -> str:
        with redirect_stdout(io.StringIO()) as output:
            self.trials.show()
        return output.getvalue()

    def test_line_at_once(self) -> None:
        """What was measured is printed before anything else is: the best of its runs, against its reference."""
        self._measure("one", _cost(4.0))
        self.assertIn("2.0 s, 2.0 s, 0.50 x, one", self._measure("two", _cost(3.0), _cost(2.0)))

    def test_trouble_is_a_line(self) -> None:
        """A program that is missing, fails or leaves nothing costs its own line alone."""
        for name, error in (
            ("a", FileNotFoundError(2, "?", "tool")),
            ("b", CalledProcessError(3, "x")),
            ("c", Failed("no")),
        ):
            self.assertIn(f"- {name} cannot run here", self._measure(name, error))
        self._measure("one", _cost(4.0))
        shown = self._shown()
        self.assertIn("| one |", shown)
        self.assertIn("- a cannot run here: `tool is not installed`", shown)
        self.assertIn("- c cannot run here: `no`", shown)

    def test_later_round(self) -> None:
        """A run that fails after one that did not takes nothing from the table, and is named below it."""
        self._measure("one", _cost(4.0), Failed("no"))
        self.assertIn("| one | 4.0 s |", self._shown())
        self.assertIn("- one cannot run here: `no`", self._shown())

    def test_without_reference(self) -> None:
        """Without what it is compared with, a measurement still has its seconds."""
        self.assertIn("2.0 s, 2.0 s, -, one", self._measure("two", _cost(2.0)))


class AttemptTests(SynchronousTestCase):
    """One peer in its directory."""

    def setUp(self) -> None:
        self.work = Work(Path(self.mktemp()), "http://mirror", "bookworm", ("less",), "")
        self.work.directory.mkdir()

    def _attempt(self, result: Cost | Exception) -> str:
        return str(attempt("bare, new", lambda *_: _next([result]), self.work, install=False))

    def test_telling_line(self) -> None:
        """Of a failed program's output the line that says why is shown, without what only this machine knows."""
        output = "I: fetching\nE: cannot fetch from http://mirror/x\n"
        self.assertEqual(self._attempt(_cost(1.0, 1, output)), "E: cannot fetch from MIRROR/x")
        self.assertEqual(list(self.work.directory.iterdir()), [])

    def test_missing_program(self) -> None:
        """A program that is not installed is named."""
        self.assertEqual(self._attempt(FileNotFoundError(2, "?", "peer-tool")), "peer-tool is not installed")

    def test_no_image_of_ours(self) -> None:
        """Where nothing could be built there is no image for others, which is said and does not end the run."""
        self.assertRaises(Failed, self.work.keep_image)
