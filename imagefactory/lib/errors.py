"""The one family of expected errors.

Every error says what happened (`message`), where (`where`) and what to do (`hint`). Which HTTP status and which exit
code a class stands for is decided in one table at the rim (`imagefactory.rest.errors`, `imagefactory.cli`), never
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: `place` is a line, an element or a key; `reason` says what and what is
    allowed."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place else self.reason


class FactoryError(Exception):
    """What happened, where, and what to do about it."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


def restored(kind: str, message: str, hint: str) -> FactoryError:
    """Returns an error as it was raised elsewhere, from its class's name and text.

    Classes with fields of their own, and names that are unknown, become BuildFailed.
    """
    found = globals().get(kind)
    if isinstance(found, type) and issubclass(found, FactoryError) and found is not CommandFailed:
        return found(message, hint=hint)
    return BuildFailed(message, hint=hint)


class InvalidInput(FactoryError):
    """What the caller gave is wrong; all that is wrong with it is reported together."""

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n  ".join([super().__str__(), *(str(problem) for problem in self.problems)])


class Unsupported(InvalidInput):
    """A well-formed wish that this factory or this host cannot fulfil (unknown OS, target, provider, architecture)."""


class NotFound(FactoryError):
    """No such image, build, job, bucket or object."""


class Conflict(FactoryError):
    """The thing is in use, exists already, or is in a state that does not allow this."""


class TooLarge(FactoryError):
    """The input is over its limit."""


class Unauthorized(FactoryError):
    """The caller did not prove who it is."""


class Forbidden(FactoryError):
    """The caller is known and may not do this; or a source is not on the allowed list."""


class NoSpace(FactoryError):
    """A file system is full, or would be."""


class MissingTool(FactoryError):
    """An external program is not installed; the hint names the package that has it."""


class Unavailable(FactoryError):
    """Something on the other side (mirror, warehouse, cloud) does not answer or answers rubbish."""


class Busy(FactoryError):
    """Too many requests at once; the same may be sent again later."""


class BuildFailed(FactoryError):
    """A step of a build or push went wrong."""


class CommandFailed(BuildFailed):
    """A child process failed: its title, how it ended, its last lines."""

    def __init__(self, title: str, outcome: str, tail: Sequence[str] = (), *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{title} {outcome}", where=where, hint=hint)
        self.title = title
        self.outcome = outcome
        self.tail = tuple(tail)

    def __str__(self) -> str:
        return "\n  | ".join([super().__str__(), *self.tail])


class NotBooting(CommandFailed):
    """A finished image did not come to its login prompt; `tail` are the last lines of its serial port."""


class TimedOut(BuildFailed):
    """A step took longer than its limit, or was silent for too long."""


class Stopped(FactoryError):
    """The work was ended on purpose: cancelled by a user, or the daemon stopped."""
