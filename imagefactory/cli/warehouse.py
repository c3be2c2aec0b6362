"""The command `imagewarehouse`: the warehouse alone, with the names of iwhd's options where it had them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from imagefactory import __version__
from imagefactory.lib.errors import InvalidInput, Problem

DESCRIPTION = "Store images and their metadata, over the HTTP API of iwhd."


class _WarehouseParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInput(
            "these options cannot be used", problems=[Problem("", message)], hint="imagewarehouse --help lists all"
        )


def parser() -> argparse.ArgumentParser:
    """The options; the manual page has the same."""
    made = _WarehouseParser(prog="imagewarehouse", description=DESCRIPTION, allow_abbrev=False)
    add = made.add_argument
    add("--version", action="store_true", help="show the version and exit")
    add("--config", metavar="FILE", help="read settings from this JSON file, see imagefactory.conf(5)")
    add("--address", metavar="ADDRESS", help="listen on this address (default: 127.0.0.1)")
    add("-p", "--port", metavar="PORT", help="listen on this port (default: 9090)")
    add("--path", metavar="DIR", help="keep everything in this directory (default: STATE_DIR/warehouse)")
    add("-o", "--oauth", action="store_true", help="demand OAuth (as --users alone does); needs --users")
    add(
        "-u",
        "--users",
        metavar="FILE",
        help='demand OAuth of those in this JSON file, mode 0600: [{"name": KEY, "secret": SECRET}]',
    )
    add("--ssl_pem", metavar="FILE", help="serve TLS with the key and certificate chain in this PEM file")
    add("--copies", metavar="DIR", help="allow copies below this directory (providers of type fs; default: none)")
    add("-f", "--foreground", action="store_true", help="stay in the foreground and log to the terminal")
    add("-l", "--log_file", metavar="FILE", help="log file of the daemon (default: STATE_DIR/imagewarehouse.log)")
    add("--pid_file", metavar="FILE", help="process id file (default: STATE_DIR/imagewarehouse.pid)")
    add("-v", "--verbose", action="store_true", help="log more of what is going on")
    add("--debug", action="store_true", help="log everything")
    return made


def early_answer(argv: Sequence[str]) -> str | None:
    """Returns what is printed before any setting is read (help, version); None for all other runs."""
    if "-h" in argv or "--help" in argv:
        return parser().format_help()
    return f"imagewarehouse {__version__}\n" if "--version" in argv else None


def settings_arguments(argv: Sequence[str]) -> list[str]:
    """Translate a command line of `imagewarehouse` into one of `imagefactory`."""
    given = parser().parse_args(argv)
    if given.oauth and not given.users:
        raise InvalidInput("--oauth needs --users", hint="without users nobody could sign anything")
    values = {
        "--config": given.config,
        "--warehouse_address": given.address,
        "--warehouse_port": given.port,
        "--warehouse_path": given.path,
        "--warehouse_users": given.users,
        "--warehouse_pem": given.ssl_pem,
        "--warehouse_copies": given.copies,
        "--log_file": given.log_file,
        "--pid_file": given.pid_file,
    }
    flags = {"--foreground": given.foreground, "--verbose": given.verbose, "--debug": given.debug}
    return [
        *(f"{flag}={value}" for flag, value in values.items() if value is not None),
        *(flag for flag, on in flags.items() if on),
    ]


def serve(argv: Sequence[str]) -> int:
    """Run the daemon and return the exit status."""
    from imagefactory.app.daemons import warehouse_daemon
    from imagefactory.cli.serving import serve as run
    from imagefactory.settings.loading import load_here, with_changes

    arguments = settings_arguments(argv)
    settings = load_here(arguments)
    state = settings.state_dir
    defaults = {"log_file": state / "imagewarehouse.log", "pid_file": state / "imagewarehouse.pid"}
    changes = {name: str(path) for name, path in defaults.items() if not _says(arguments, f"--{name}")}
    settings = with_changes(settings, **changes)
    return run(
        "imagewarehouse",
        settings,
        lambda reopen: warehouse_daemon(settings, reopen_log=reopen, pidfile=not settings.foreground),
    )


def _says(arguments: Sequence[str], flag: str) -> bool:
    return any(argument.startswith(f"{flag}=") for argument in arguments)
