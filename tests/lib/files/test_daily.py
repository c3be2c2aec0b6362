"""Work that is done once a day."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.files.daily import DAY, claim_daily


class DailyTests(SynchronousTestCase):
    """One mark."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.mark = directory / "mark"

    def test_once_a_day(self) -> None:
        """The first time, and again when a day has passed."""
        self.assertTrue(claim_daily(self.mark, 0.0))
        os.utime(self.mark, (1000.0, 1000.0))
        self.assertFalse(claim_daily(self.mark, 1000.0 + DAY - 1))
        self.assertTrue(claim_daily(self.mark, 1000.0 + DAY))

    def test_always(self) -> None:
        """Who insists is told to, and the mark is new for the others."""
        claim_daily(self.mark, 0.0)
        os.utime(self.mark, (0.0, 0.0))
        self.assertTrue(claim_daily(self.mark, 1.0, always=True))
        self.assertGreater(self.mark.stat().st_mtime, 1.0)

    def test_a_clock_that_was_set_back(self) -> None:
        """A mark of the future stops nothing."""
        claim_daily(self.mark, 0.0)
        self.assertTrue(claim_daily(self.mark, self.mark.stat().st_mtime - 10))

    def test_a_directory_that_is_gone(self) -> None:
        """Nothing can be noted, so it is due each time."""
        gone = self.mark / "gone" / "mark"
        self.assertTrue(claim_daily(gone, 0.0))
        self.assertTrue(claim_daily(gone, 0.0))
