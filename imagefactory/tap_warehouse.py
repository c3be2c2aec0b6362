"""The `imagewarehouse` sub-command of twist and twistd: the warehouse alone."""

from __future__ import annotations

from twisted.application.service import IService
from twisted.python import usage

from imagefactory.service.daemon import Daemon
from imagefactory.service.plugin import plugged
from imagefactory.settings.loading import load_here
from imagefactory.settings.option_list import OPTIONS

#: Options under the names that `imagewarehouse` gives them, and their flags in the one table.
FLAGS = {
    "config": "--config",
    "state_dir": "--state_dir",
    "address": "--warehouse_address",
    "port": "--warehouse_port",
    "path": "--warehouse_path",
    "users": "--warehouse_users",
    "ssl_pem": "--warehouse_pem",
    "copies": "--warehouse_copies",
}
_HELP = {declared.option.flag: declared.option.help for declared in OPTIONS}


class Options(usage.Options):
    """The options of `imagewarehouse` that twist does not decide itself."""

    optParameters = [[name, None, None, _HELP[flag]] for name, flag in FLAGS.items()]  # noqa: RUF012 (Twisted's way)

    def arguments(self) -> list[str]:
        """The same as a command line of `imagefactory`."""
        return [f"{flag}={self[name]}" for name, flag in FLAGS.items() if self.get(name) is not None]


def makeService(options: Options) -> IService:
    """The daemon, with twist's log instead of our own and without a pid file."""
    from imagefactory.app.daemons import warehouse_daemon

    def make() -> Daemon:
        settings = load_here([*options.arguments(), "--foreground"])
        return warehouse_daemon(settings, reopen_log=None, pidfile=False)

    return plugged(make)
