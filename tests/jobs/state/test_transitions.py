"""The life of a job, as a table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.jobs.state.transitions import TRANSITIONS, Transition, allowed, ending
from imagefactory.model.jobs import Completed, Failed, Failure, Queued, Running, State, is_final

EXAMPLES: dict[type[State], State] = {
    Queued: Queued(),
    Running: Running("BUILDING"),
    Completed: Completed(),
    Failed: Failed(Failure("no")),
}


class TableTests(SynchronousTestCase):
    """What the table promises."""

    def test_every_state_is_reached_and_known(self) -> None:
        """From the first one; all but COMPLETED can be left."""
        self.assertEqual(set(TRANSITIONS.values()) | {Queued}, set(EXAMPLES))
        self.assertEqual({state for state, _ in TRANSITIONS}, set(EXAMPLES) - {Completed})

    @given(st.lists(st.sampled_from(list(Transition))))
    def test_any_order(self, transitions: list[Transition]) -> None:
        """A final state is left by a retry only, and COMPLETED never; progress changes no state."""
        state: State = Queued()
        for transition in transitions:
            if not allowed(state, transition):
                continue
            after = EXAMPLES[TRANSITIONS[type(state), transition]]
            self.assertNotIsInstance(state, Completed)
            self.assertTrue(not is_final(state) or transition is Transition.REOPEN)
            self.assertEqual(type(after) is type(state), transition is Transition.PROGRESS)
            if is_final(after):
                self.assertIs(ending(after), transition)
            state = after
