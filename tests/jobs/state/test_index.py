"""Jobs by id, in order and by state."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.jobs.state.index import JobIndex
from imagefactory.lib.errors import NotFound
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Queued, Running, State, is_final
from imagefactory.testing.job_store import job

STATES: tuple[State, ...] = (Queued(), Running("BUILDING"), Running("PUSHING"), Completed(), Failed(Failure("no")))
STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "forget"]), st.integers(0, 7), st.sampled_from(STATES)), max_size=400
)


class IndexTests(SynchronousTestCase):
    """Against a plain list of jobs."""

    @given(STEPS, st.integers(0, 7), st.integers(1, 4))
    def test_any_history(self, steps: list[tuple[str, int, State]], after: int, limit: int) -> None:
        """Every answer is that of a scan of all jobs."""
        index, plain = JobIndex(), dict[str, Job]()
        for count, (step, number, state) in enumerate(steps):
            id = str(number)
            if step == "forget":
                index.forget(id)
                plain.pop(id, None)
            else:
                ended = float(count % 9) or None
                plain[id] = replace(job(id), state=state, ended=ended if is_final(state) else None)
                index.enter(plain[id])
        every = list(plain.values())
        self.assertEqual(list(index.list()), every)
        self.assertEqual(len(index), len(every))
        self.assertEqual(set(index.unfinished()), {each for each in every if not is_final(each.state)})
        self.assertEqual(list(index.of_image("image")), every)
        self.assertEqual(index.of_image("other"), [])
        for time in (0.0, 5.0, 6.5, 99.0):
            ends = sorted((each.ended or each.created, each.id) for each in every if is_final(each.state))
            self.assertEqual(list(index.ended_before(time)), [id for end, id in ends if end < time])
        self.assertEqual(index.counts(), Counter((each.operation, each.state.wire) for each in every))
        for status in {state.wire for state in STATES}:
            self.assertEqual([each for each in every if each.state.wire == status], list(index.list(status)))
        if str(after) in plain:
            later = every[list(plain).index(str(after)) + 1 :]
            self.assertEqual(list(index.list(None, str(after), limit)), later[:limit])
            failed = [each for each in later if isinstance(each.state, Failed)]
            self.assertEqual(list(index.list("FAILED", str(after), limit)), failed[:limit])
        else:
            self.assertRaises(NotFound, index.list, None, str(after))
