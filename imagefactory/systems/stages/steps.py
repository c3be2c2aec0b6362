"""Running steps in a guest, so that the log has every line and a failure has its cause."""

from __future__ import annotations

from collections.abc import Sequence

from imagefactory.lib.errors import CommandFailed, FactoryError, NoSpace
from imagefactory.model.report import Report
from imagefactory.systems.families.causes import CauseDetector
from imagefactory.systems.families.interface import Change, Family, Step
from imagefactory.systems.guests.interface import Guest


class Steps:
    """Steps in one guest; `timeout` is in seconds, for each of them."""

    def __init__(self, guest: Guest, family: Family, report: Report, timeout: float | None) -> None:
        self.guest = guest
        self.family = family
        self._report = report
        self._timeout = timeout

    async def change(self, change: Change) -> None:
        """Install packages, write files, run steps."""
        if change.packages:
            await self.run(self.family.refresh(()))
            await self.run(self.family.install(change.packages))
        await self.guest.put_all(change.files)
        for step in change.steps:
            await self.run(step)

    async def run(self, step: Step, stdin: bytes = b"") -> None:
        """Run a family's step; what its tools say about a failure becomes the error."""
        await self._run(step, stdin, FactoryError)

    async def run_own(self, title: str, script: str) -> None:
        """Run a template's own command: only a full disk is explained, the rest it has to say itself."""
        await self._run(Step(title, script), b"", NoSpace)

    async def _run(self, step: Step, stdin: bytes, explained: type[FactoryError]) -> None:
        self._report.activity(step.title)
        telling = CauseDetector(lambda lines: self._explained(lines, explained))

        def read(line: str) -> None:
            self._report.line(line)
            telling.note(line)

        try:
            await self.guest.run(step.script, title=step.title, on_line=read, stdin=stdin, total=self._timeout)
        except CommandFailed as error:
            for line in error.tail:
                telling.note(line)
            raise telling.cause() or error from error

    def _explained(self, lines: Sequence[str], wanted: type[FactoryError]) -> FactoryError | None:
        cause = self.family.explain(lines)
        return cause if isinstance(cause, wanted) else None
