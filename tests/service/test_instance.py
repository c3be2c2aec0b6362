"""One daemon per state directory."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.model.errors import Conflict, FactoryError
from imagefactory.service.instance import Instance


class InstanceTests(SynchronousTestCase):
    """The claim on a state directory."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())

    def test_a_second_claim_names_the_first(self) -> None:
        """Who is refused learns which process to look at."""
        first = Instance(self.directory)
        first.claim()
        self.addCleanup(first.release)
        error = self.assertRaises(Conflict, Instance(self.directory).claim)
        self.assertIn(str(os.getpid()), error.message)

    def test_a_released_directory_can_be_claimed(self) -> None:
        """The end of one daemon is the chance of the next."""
        first, second = Instance(self.directory), Instance(self.directory)
        first.claim()
        first.release()
        second.claim()
        self.addCleanup(second.release)

    def test_a_directory_that_cannot_be_made_is_an_error_with_a_way_out(self) -> None:
        """The error names the directory and the option."""
        self.directory.write_text("a file")
        error = self.assertRaises(FactoryError, Instance(self.directory / "state").claim)
        self.assertIn("--state_dir", error.hint)
