"""From an argument list to an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from twisted.logger import globalLogBeginner

from imagefactory.cli import results
from imagefactory.cli.modes import Mode, Serve, mode_of
from imagefactory.cli.watch import Lines, Quiet, Watcher
from imagefactory.lib.errors import Conflict, FactoryError, Forbidden, InvalidInput, NotFound, TooLarge
from imagefactory.service.logs import Lines as LogLines
from imagefactory.service.logs import at_least, level_of
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
    """2 for what the caller can put right, 1 for what went wrong on the way."""
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
    if isinstance(mode, Serve):
        from imagefactory.cli.serving import serve_factory

        return serve_factory(settings)
    return _local(settings, mode)


def _local(settings: Settings, mode: Mode) -> int:
    from twisted.internet import reactor

    from imagefactory.app import compose
    from imagefactory.cli.local import Terminal, run
    from imagefactory.cli.running import Run

    globalLogBeginner.beginLoggingTo(
        [at_least(level_of(settings), LogLines(sys.stderr))], redirectStandardIO=False, discardBuffer=True
    )
    terminal = Terminal(sys.stdout, _watcher(settings), settings.json)

    async def body() -> int:
        factory = await compose(settings, reactor, resume=False)
        try:
            return await run(factory, mode, terminal)
        finally:
            await factory.stop()

    session = Run(reactor, body)
    session.to_the_end()
    if session.error is not None:
        return _refused(session.error, document=settings.json)
    return session.status if session.status is not None else FAILURE


def _watcher(settings: Settings) -> Watcher:
    if settings.json:
        return Quiet()
    if sys.stdout.isatty() and not (settings.verbose or settings.debug):
        from rich.console import Console

        from imagefactory.cli.bars import Bars

        return Bars(Console())
    return Lines(sys.stdout, full=settings.verbose or settings.debug)
