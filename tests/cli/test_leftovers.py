"""Leftovers at the terminal."""

import io
import json
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.cli.leftovers import reap, show_leftovers
from imagefactory.cli.terminal import Terminal
from imagefactory.cli.watch import NoProgress
from imagefactory.lib.errors import Unavailable
from tests.push.world import PROVIDER, World


class LeftoverTests(SynchronousTestCase):
    """A push was killed before its record was stored."""

    def setUp(self) -> None:
        world = World(gated=True)
        process = world.start()
        process.push()
        process.step_to("store")
        self.process = process.kill()
        world.gated = False

    def run_with(self, command: Any, *arguments: Any, document: bool = False) -> tuple[Any, str]:
        """What a command returns and prints."""
        out = io.StringIO()
        factory = SimpleNamespace(leftovers=self.process.leftovers)
        work = command(factory, *arguments, Terminal(out, NoProgress(), document))
        return self.successResultOf(self.process.begin(work)), out.getvalue()

    def test_shown(self) -> None:
        """A line has where, what, since when and for whom; a document has all that is known."""
        _, text = self.run_with(show_leftovers)
        self.assertEqual(
            text.splitlines(),
            [
                f"cloud-1, account me: {kind} id of p/{kind}, kept 1970-01-01T00:00:00.000Z by push p: the {kind}"
                for kind in ("disk", "image")
            ],
        )
        _, text = self.run_with(show_leftovers, document=True)
        found = json.loads(text)["leftovers"]
        self.assertEqual(["p/disk", "p/image"], [each["token"] for each in found])
        self.assertEqual({"kept"}, {each["state"] for each in found})

    def test_reaped(self) -> None:
        """What went is named; with nothing left over that is said."""
        gone, text = self.run_with(reap, [PROVIDER], None)
        self.assertTrue(gone)
        self.assertEqual(
            ["cloud-1: image id of p/image is deleted", "cloud-1: disk id of p/disk is deleted"], text.splitlines()
        )
        for command in ((show_leftovers,), (reap, [PROVIDER], None)):
            self.assertEqual("Nothing is left over.\n", self.run_with(*command)[1])

    def test_what_stays(self) -> None:
        """It is named with the reason, and the command has failed."""
        self.process.cloud.failing["sweep"] = Unavailable("the cloud is closed")
        gone, text = self.run_with(reap, [PROVIDER], None, document=True)
        self.assertFalse(gone)
        self.assertEqual({"the cloud is closed"}, {each["error"] for each in json.loads(text)["reaped"]})
        gone, text = self.run_with(reap, [PROVIDER], None)
        self.assertIn("cloud-1: image id of p/image is still there: the cloud is closed", text)
