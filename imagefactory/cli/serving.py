"""Becoming a daemon through twistd's own machinery, without looking up plugins."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from twisted.application.service import IService, IServiceMaker
from twisted.logger import ILogObserver, LogLevel
from twisted.plugin import IPlugin
from twisted.python import usage
from zope.interface import implementer

from imagefactory.lib.twisted_private.twistd import ServerOptions, UnixApplicationRunner
from imagefactory.service.daemon import Daemon
from imagefactory.service.logs import LogFile, StreamLog, at_least, level_of
from imagefactory.settings import Settings

Make = Callable[[Callable[[], None] | None], Daemon]
"""Makes the daemon; its argument reopens the log, None in the foreground."""


@implementer(IServiceMaker, IPlugin)
class _Maker:
    description: ClassVar[str] = "the one service of this command"
    options: ClassVar[type[usage.Options]] = usage.Options

    def __init__(self, tapname: str, service: Daemon) -> None:
        self.tapname = tapname
        self._service = service

    def makeService(self, options: usage.Options) -> IService:
        """Returns the daemon, which was made before, so that its errors reach the terminal as they are."""
        del options
        service: IService = self._service
        return service


class _TwistdOptions(ServerOptions):
    """Twistd's options with exactly one sub-command."""

    def __init__(self, maker: _Maker) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._maker = maker

    @property
    def subCommands(self) -> list[tuple[str, None, type[usage.Options], str]]:
        """Ours, whatever plug-ins are installed."""
        self.loadedPlugins = {self._maker.tapname: self._maker}
        return [(self._maker.tapname, None, usage.Options, self._maker.description)]


class _Runner(UnixApplicationRunner):
    """Twistd's, but the process that was started ends only when the daemon answers or has reported why it cannot."""

    def __init__(self, options: _TwistdOptions, daemon: Daemon) -> None:
        super().__init__(options)  # type: ignore[no-untyped-call]
        self._daemon = daemon

    def daemonize(self, reactor: Any) -> None:
        """Fork; twistd, which gets no pipe, leaves it to the daemon to report how it went."""
        pipe = super().daemonize(reactor)  # type: ignore[no-untyped-call]

        def tell(reason: str) -> None:
            words = f"1 {reason}" if reason else "0"
            os.write(pipe, words.encode("ascii", "backslashreplace")[:100])  # as much as twistd reads
            os.close(pipe)

        self._daemon.when_decided(tell)


_observers: list[ILogObserver] = []
"""Where this process logs; twistd asks for it by name when its own log begins, and passes on earlier events."""


def observer() -> ILogObserver:
    """Returns what twistd logs to."""
    return _observers[-1]


def serve_factory(settings: Settings) -> int:
    """Run the daemon of `imagefactory --rest`; returns the exit status."""
    from imagefactory.app.daemons import factory_daemon

    return serve(
        "imagefactory",
        settings,
        lambda reopen: factory_daemon(settings, reopen_log=reopen, pidfile=not settings.foreground),
    )


def serve(name: str, settings: Settings, make: Make) -> int:
    """Open the log, make the daemon, and run it in the foreground or background; returns the exit status.

    To be ended by a signal is no failure.
    """
    os.umask(int(settings.umask, 8))
    reopen = _log(settings)
    daemon = make(reopen)
    options = _TwistdOptions(_Maker(name, daemon))
    arguments = ["--pidfile=", "--rundir=/", f"--umask={settings.umask}", f"--logger={__name__}.observer"]
    options.parseOptions([*(["--nodaemon"] if settings.foreground else []), *arguments, name])  # type: ignore[no-untyped-call]
    _Runner(options, daemon).run()  # type: ignore[no-untyped-call]
    return 1 if daemon.failed else 0


def _log(settings: Settings) -> Callable[[], None] | None:
    """Choose the log; returns what goes on in a new file after a hang-up (None: there is no file)."""
    file = None if settings.foreground else LogFile(Path(settings.log_file))
    _observers.append(at_least(level_of(settings, LogLevel.info), file or StreamLog()))
    return file.reopen if file else None
