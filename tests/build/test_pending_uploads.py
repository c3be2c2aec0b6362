"""Images that wait for the warehouse, and other processes that remove theirs meanwhile."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.image_writer import BuiltImage
from imagefactory.build.pending_uploads import DAYS, PendingUploads
from imagefactory.testing.threads import ImmediateThreads

NOW = 1e9


class SweepTests(SynchronousTestCase):
    """Three images that are too old; the next one is removed by its job while an earlier one is looked at."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.uploads = PendingUploads(self.root, ImmediateThreads(), self.now)
        for name in ("one", "two", "three"):
            (self.root / name).mkdir(parents=True)
            os.utime(self.root / name, (0, 0))
        self.vanishing = True

    def now(self) -> float:
        """The time; called after a place was looked at, when there are others still."""
        places = list(self.root.glob("*"))
        if self.vanishing and len(places) == 3:
            self.vanishing = False
            for place in places[1:2]:
                shutil.rmtree(place)
        return NOW

    def test_one_that_vanishes(self) -> None:
        """The others are removed all the same."""
        self.successResultOf(Deferred.fromCoroutine(self.uploads.sweep()))
        self.assertEqual([], list(self.root.iterdir()))

    def test_keeping_another_one(self) -> None:
        """It is not lost because the sweep before it met one that vanished."""
        kept = self.uploads.keep("new", Path(__file__), BuiltImage(b"", 0))
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(kept)))
        self.assertEqual(["new"], [path.name for path in self.root.iterdir()])

    def test_a_young_one_stays(self) -> None:
        """For a week."""
        self.vanishing = False
        os.utime(self.root / "two", (NOW, NOW - DAYS * 86_400 + 1))
        self.successResultOf(Deferred.fromCoroutine(self.uploads.sweep()))
        self.assertEqual(["two"], [path.name for path in self.root.iterdir()])
