"""The `imagefactory` sub-command of twist and twistd, and what imagefactory.tac asks for."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Application, IService
from twisted.python import usage

from imagefactory.service.daemon import Daemon
from imagefactory.service.plugin import plugged
from imagefactory.settings.loading import load_here
from imagefactory.settings.option import OptionGroup, OptionKind
from imagefactory.settings.option_list import OPTIONS, Declared

#: What is decided by twist itself, or makes no sense for a daemon.
NOT_HERE = {"rest", "foreground", "json", "verbose", "debug", "plan", "umask", "pid_file", "log_file"}


def _offered(declared: Declared) -> bool:
    return (
        bool(declared.option.flag)
        and declared.option.group is not OptionGroup.BUILDING
        and declared.name not in NOT_HERE
    )


def _long(declared: Declared) -> str:
    return declared.option.flag.removeprefix("--")


class Options(usage.Options):
    """The daemon's options, from the one table.

    A list is given with commas between its members.
    """

    optFlags = [  # noqa: RUF012 (Twisted's way)
        [_long(declared), None, declared.option.help]
        for declared in OPTIONS
        if _offered(declared) and declared.option.kind is OptionKind.FLAG
    ]
    optParameters = [  # noqa: RUF012
        [_long(declared), None, None, declared.option.help]
        for declared in OPTIONS
        if _offered(declared) and declared.option.kind is not OptionKind.FLAG
    ]

    def arguments(self) -> list[str]:
        """The same as a command line of `imagefactory`."""
        given: list[str] = []
        for declared in filter(_offered, OPTIONS):
            value = self.get(_long(declared))
            if declared.option.kind is OptionKind.FLAG:
                given += [declared.option.flag] if value else []
            elif value is not None:
                members = value.split(",") if declared.option.kind is OptionKind.LIST else [value]
                given += [f"{declared.option.flag}={member}" for member in members]
        return given


def makeService(options: Options) -> IService:
    """The daemon, with twist's log instead of our own and without a pid file."""
    from imagefactory.app.daemons import factory_daemon

    def make() -> Daemon:
        settings = load_here([*options.arguments(), "--rest", "--foreground"])
        return factory_daemon(settings, reopen_log=None, pidfile=False)

    return plugged(make)


def make_application() -> Any:
    """The application of imagefactory.tac: the daemon with the settings of the configuration file."""
    application = Application("imagefactory")
    makeService(Options()).setServiceParent(application)  # type: ignore[no-untyped-call]
    return application
