"""A daemon as a plug-in of twist and twistd, which run it and end the process in their own way."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable

from twisted.application.service import IService

from imagefactory.lib.errors import FactoryError
from imagefactory.service.daemon import Daemon


def plugged(make: Callable[[], Daemon]) -> IService:
    """Returns the daemon; an error that keeps it from being made, or from starting, ends the process with status 1."""
    try:
        daemon = make()
    except FactoryError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        raise SystemExit(f"{error}{hint}") from None  # twist shows a UsageError only while it reads the options
    atexit.register(_exit, daemon)
    service: IService = daemon
    return service


def _exit(daemon: Daemon) -> None:
    """End with status 1: twist's own is 0 whenever its reactor has ended, and a service cannot change it earlier."""
    if daemon.failed:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
