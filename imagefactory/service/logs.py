"""The log of the daemon and of the command: twisted.logger events as lines of text, above a level, in a file that can
be reopened."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    PredicateResult,
    eventAsText,
    formatTime,
)
from zope.interface import implementer

from imagefactory.lib.errors import FactoryError
from imagefactory.model.visible import visible
from imagefactory.settings import Settings

NOISY = ("twisted.web.", "twisted.internet.", "klein.")


def level_of(settings: Settings, usual: LogLevel = LogLevel.warn) -> LogLevel:
    """Returns the lowest level that is logged: `usual`, info with --verbose, debug with --debug."""
    level: LogLevel = LogLevel.info if settings.verbose else usual
    if settings.debug:
        level = LogLevel.debug
    return level


def line_of(event: LogEvent) -> str:
    """Returns an event as text: time, level, namespace, and its message (a traceback goes on in further lines).

    Control characters in it are escaped: it may quote clients and tools, and is read on terminals.
    """
    level = event.get("log_level", LogLevel.info).name.upper()
    text = visible(eventAsText(event, includeTimestamp=False, includeSystem=False))
    namespace = event.get("log_namespace", "-")
    job = f" job={event['job'][:8]}" if isinstance(event.get("job"), str) else ""
    return f"{formatTime(event.get('log_time'))} {level} {namespace}{job}: {text}\n"


@implementer(ILogObserver)
class LogFile:
    """Appends to a file; `reopen` goes on in a new one after logrotate has moved the old one away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._open()

    def __call__(self, event: LogEvent) -> None:
        self._file.write(line_of(event))

    def reopen(self) -> None:
        """Go on in the file that has the name now; FactoryError if it cannot be opened, and the old one is kept."""
        new = self._open()
        old, self._file = self._file, new
        old.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> TextIO:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return self._path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        except OSError as error:
            raise FactoryError(
                f"cannot write the log file: {error.strerror}",
                where=str(self._path),
                hint="name a writable file with --log_file, or use --foreground",
            ) from None


@implementer(ILogObserver)
class StreamLog:
    """Writes to a stream: standard error, which is a terminal or is collected by a supervisor."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out

    def __call__(self, event: LogEvent) -> None:
        self._out.write(line_of(event))
        self._out.flush()


def at_least(level: LogLevel, observer: ILogObserver) -> ILogObserver:
    """Returns `observer` for events of `level` and above; those of libraries count one level lower."""
    predicate = LogLevelFilterPredicate(defaultLogLevel=level)
    refuse: PredicateResult = PredicateResult.no
    undecided: PredicateResult = PredicateResult.maybe

    def quieter(event: LogEvent) -> PredicateResult:
        namespace = event.get("log_namespace") or ""
        chatter = namespace.startswith(NOISY) or namespace in {"log_legacy", "-"}
        if chatter and event.get("log_level") in {LogLevel.info, LogLevel.debug} and level is not LogLevel.debug:
            return refuse
        return undecided

    filtered: ILogObserver = FilteringLogObserver(observer, [quieter, predicate])  # type: ignore[list-item]
    return filtered
