"""Children that yield."""

from __future__ import annotations

import os
from subprocess import DEVNULL, Popen

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.runtime.priority import NICE, LowerPriority


class YieldingTests(SynchronousTestCase):
    """What happens to a child that was started."""

    def test_a_child_yields(self) -> None:
        """Its priority is lower than ours, which stays."""
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        with Popen(["sleep", "60"], stdout=DEVNULL) as child:
            LowerPriority().started(child.pid)
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, child.pid), NICE)
            child.kill()
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, 0), ours)

    def test_a_child_that_is_gone(self) -> None:
        """It is no error, nor is one of another user."""
        for error in (ProcessLookupError(), PermissionError()):

            def refuse(*_: int, error: OSError = error) -> None:
                raise error

            LowerPriority(refuse).started(1)
