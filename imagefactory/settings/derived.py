"""Settings whose default depends on the user and on other settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from imagefactory.lib.errors import Problem
from imagefactory.lib.http.host_header import is_loopback
from imagefactory.settings.mirrors import with_examples
from imagefactory.settings.table import Settings

SYSTEM_STATE = Path("/var/lib/imagefactory")
ROOT = 0
MADE_CERTIFICATE = "*"  # how version 1.0 spelled "make one" in its files


def derive(settings: Settings, *, environ: Mapping[str, str], uid: int) -> tuple[Settings, list[Problem]]:
    """Fill in the computed defaults.

    Args:
        uid: the effective user id; root keeps state in the system's directories.

    Returns:
        The settings, and the problems found.
    """
    state = _state_dir(settings, environ, uid)
    if state is None:
        reason = "nobody knows where to keep state: HOME is not set; name a directory"
        return settings, [Problem("--state_dir", reason)]
    system = uid == ROOT
    filled = replace(
        settings,
        state_dir=state,
        mirrors=with_examples(settings.mirrors),
        oauth_reads=not is_loopback(settings.address) if settings.oauth_reads is None else settings.oauth_reads,
        ssl_pem="" if Path(settings.ssl_pem).name == MADE_CERTIFICATE else settings.ssl_pem,
        warehouse_path=settings.warehouse_path or str(state / "warehouse"),
        pid_file=settings.pid_file or ("/run/imagefactory.pid" if system else str(state / "imagefactory.pid")),
        log_file=settings.log_file or ("/var/log/imagefactory.log" if system else str(state / "imagefactory.log")),
    )
    return filled, []


def _state_dir(settings: Settings, environ: Mapping[str, str], uid: int) -> Path | None:
    """Returns the directory given, else the system's for root, else one by the XDG base directory specification.

    None if none can be told. Relative directories in the environment do not count, as the specification says.
    """
    if settings.state_dir != Path():
        return settings.state_dir
    if uid == ROOT:
        return SYSTEM_STATE
    for name, below in (("XDG_STATE_HOME", "imagefactory"), ("HOME", ".local/state/imagefactory")):
        if Path(environ.get(name, "")).is_absolute():
            return Path(environ[name]) / below
    return None
