"""A daemon as a plugin of twist and twistd, which run it and end the process in their own way."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable

from twisted.application.service import IService

from imagefactory.lib.errors import FactoryError
from imagefactory.service.daemon import Daemon


def plugged(make: Callable[[], Daemon]) -> IService:
    """The made daemon; what keeps it from being made, or later from starting, ends the process with status 1."""
    try:
        daemon = make()
    except FactoryError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        raise SystemExit(f"{error}{hint}") from None  # twist shows a UsageError only while it reads the options
    atexit.register(_exit, daemon)
    service: IService = daemon
    return service


def _exit(daemon: Daemon) -> None:
    """Twist's own status is 0 whenever its reactor has ended, and a service has no say in it before this moment."""
    if daemon.failed:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
