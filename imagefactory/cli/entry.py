"""From an argument list to an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from twisted.logger import globalLogBeginner

from imagefactory.cli import results
from imagefactory.cli.modes import Mode, ServeMode, mode_of
from imagefactory.cli.watch import NoProgress, PlainProgress, ProgressView
from imagefactory.lib.errors import Conflict, FactoryError, Forbidden, InvalidInput, NotFound, TooLarge
from imagefactory.service.logs import StreamLog, at_least, level_of
from imagefactory.settings import Settings
from imagefactory.settings.loading import load_here
from imagefactory.settings.manual import early_answer

SUCCESS, FAILURE, USAGE = 0, 1, 2

#: Errors of the caller; all others are failures of the work.
CALLERS = (InvalidInput, NotFound, Conflict, Forbidden, TooLarge)


def factory_command(argv: Sequence[str]) -> int:
    """`imagefactory`: build, push and import in this process, or become the daemon."""
    return _answered(argv, lambda: early_answer(argv), lambda: _factory(load_here(argv)))


def warehouse_command(argv: Sequence[str]) -> int:
    """`imagewarehouse`: the warehouse alone."""
    from imagefactory.cli import warehouse

    return _answered(argv, lambda: warehouse.early_answer(argv), lambda: warehouse.serve(argv))


def exit_status(error: FactoryError) -> int:
    """Returns 2 for an error that the caller can correct, 1 for a failure of the work."""
    return USAGE if isinstance(error, CALLERS) else FAILURE


def _answered(argv: Sequence[str], early: Callable[[], str | None], work: Callable[[], int]) -> int:
    try:
        answer = early()
        if answer is not None:
            sys.stdout.write(answer)
            return SUCCESS
        return work()
    except FactoryError as error:
        return _refused(error, document="--json" in argv)


def _refused(error: FactoryError, *, document: bool) -> int:
    if document:
        sys.stdout.write(f"{results.error_document(error)}\n")
    sys.stderr.write(f"{results.error_text(error)}\n")
    return exit_status(error)


def _factory(settings: Settings) -> int:
    mode = mode_of(settings)
    if isinstance(mode, ServeMode):
        from imagefactory.cli.serving import serve_factory

        return serve_factory(settings)
    return _local(settings, mode)


def _local(settings: Settings, mode: Mode) -> int:
    from twisted.internet import reactor

    from imagefactory.app import compose
    from imagefactory.cli.local import run
    from imagefactory.cli.running import Run
    from imagefactory.cli.terminal import Terminal

    globalLogBeginner.beginLoggingTo(
        [at_least(level_of(settings), StreamLog(sys.stderr))], redirectStandardIO=False, discardBuffer=True
    )
    terminal = Terminal(sys.stdout, _watcher(settings), settings.json)

    async def body() -> int:
        factory = await compose(settings, reactor, resume=False)
        try:
            return await run(factory, mode, terminal)
        finally:
            await factory.stop()

    session = Run(reactor, body)
    session.run_to_end()
    if session.error is not None:
        return _refused(session.error, document=settings.json)
    return session.status if session.status is not None else FAILURE


def _watcher(settings: Settings) -> ProgressView:
    if settings.json:
        return NoProgress()
    if sys.stdout.isatty() and not (settings.verbose or settings.debug):
        from rich.console import Console

        from imagefactory.cli.bars import ProgressBars

        return ProgressBars(Console())
    return PlainProgress(sys.stdout, full=settings.verbose or settings.debug)
