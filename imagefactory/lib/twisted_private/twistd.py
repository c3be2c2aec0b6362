"""Of twistd: the options and the runner that make a daemon of a process."""

from __future__ import annotations

from twisted.scripts._twistd_unix import ServerOptions, UnixApplicationRunner

__all__ = ["ServerOptions", "UnixApplicationRunner"]
