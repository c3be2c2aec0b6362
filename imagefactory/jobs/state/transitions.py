r"""What may become of a job: state x transition -> state, the whole life of a job in one table.

    queued --BEGIN--> running --COMPLETE--> completed
       \---FAIL---------/---FAIL--> failed --REOPEN--> queued

Requests, progress and late reports of processes that have been ended come in any order; what the table does not have
is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from imagefactory.model.jobs import Completed, Failed, Queued, Running, State


class Transition(Enum):
    """What happens to a job.

    Attributes:
        BEGIN: it has its place and is at work.
        PROGRESS: percent, activity, a stage or a log line; the state stays.
        COMPLETE: it has a result.
        FAIL: it was cancelled, went wrong, or its process has ended.
        REOPEN: a retry under the same id.
    """

    BEGIN = auto()
    PROGRESS = auto()
    COMPLETE = auto()
    FAIL = auto()
    REOPEN = auto()


TRANSITIONS: Mapping[tuple[type[State], Transition], type[State]] = {
    (Queued, Transition.BEGIN): Running,
    (Queued, Transition.PROGRESS): Queued,
    (Queued, Transition.FAIL): Failed,
    (Running, Transition.PROGRESS): Running,
    (Running, Transition.COMPLETE): Completed,
    (Running, Transition.FAIL): Failed,
    (Failed, Transition.REOPEN): Queued,
}


def allowed(state: State, transition: Transition) -> bool:
    """Returns whether it may happen to a job in `state`."""
    return (type(state), transition) in TRANSITIONS


def ending(state: State) -> Transition:
    """Returns the transition that ends a job in the final `state`."""
    return Transition.COMPLETE if isinstance(state, Completed) else Transition.FAIL
