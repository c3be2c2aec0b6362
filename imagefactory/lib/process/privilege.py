"""How an ordinary user becomes root of a tree: user namespaces with subordinate ids (user_namespaces(7), subuid(5))."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Unsupported
from imagefactory.lib.process.interface import Command, Privilege, Processes
from imagefactory.lib.process.supervise import SEARCH_PATH
from imagefactory.lib.process.tools import missing

NEEDED_IDS = 65_535
"""An operating system's files belong to ids up to 65534 (the user `nobody`); 0 is mapped to the user."""

NAMESPACE = ("unshare", "--user", "--map-root-user", "--map-auto", "--")


@dataclass(frozen=True, slots=True)
class HostAbilities:
    """What of this host decides: our user, the texts of /etc/subuid and /etc/subgid, which programs are there, and how
    many user namespaces the kernel allows (None: not known)."""

    uid: int
    user: str
    subuid: str = ""
    subgid: str = ""
    tools: frozenset[str] = frozenset()
    namespaces: int | None = None


def look_at_host() -> HostAbilities:
    """Returns the abilities of this host. Blocks: reads a few small files."""
    uid = os.getuid()
    limit = _read(Path("/proc/sys/user/max_user_namespaces")).strip()
    wanted = ("unshare", "newuidmap", "newgidmap")
    return HostAbilities(
        uid=uid,
        user=_name(uid),
        subuid=_read(Path("/etc/subuid")),
        subgid=_read(Path("/etc/subgid")),
        tools=frozenset(tool for tool in wanted if shutil.which(tool, path=SEARCH_PATH)),
        namespaces=int(limit) if limit.isdecimal() else None,
    )


def decide(host: HostAbilities) -> Privilege:
    """Returns how trees are worked on on `host`.

    Raises:
        MissingTool: a program is not installed.
        Unsupported: an administrator has to change something; the hint says what.
    """
    if host.uid == 0:
        return Privilege()
    for tool in ("unshare", "newuidmap", "newgidmap"):
        if tool not in host.tools:
            raise missing(tool)
    if host.namespaces == 0:
        raise Unsupported(
            "user namespaces are switched off on this host",
            hint="run as root, or: sysctl user.max_user_namespaces=10000",
        )
    short = [
        name for name, text in (("/etc/subuid", host.subuid), ("/etc/subgid", host.subgid)) if not enough(text, host)
    ]
    if short:
        raise Unsupported(
            f"the user {host.user} has too few subordinate ids in {' and '.join(short)}",
            hint=f"run as root, or: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {host.user}"
            " (with a range that nobody else has)",
        )
    return Privilege(NAMESPACE)


def enough(text: str, host: HostAbilities) -> bool:
    """Whether a line of subuid(5) gives our user enough ids in one range."""
    ranges = (line.strip().split(":") for line in text.splitlines())
    return any(
        len(one) == 3 and one[0] in {host.user, str(host.uid)} and one[2].isdecimal() and int(one[2]) >= NEEDED_IDS
        for one in ranges
    )


async def find_privilege(processes: Processes, threads: Threads) -> Privilege:
    """Returns how trees are worked on here; for an ordinary user a namespace is entered once to prove it.

    Raises:
        MissingTool, Unsupported: see `decide`.
    """
    privilege = decide(await threads.run(look_at_host))
    if privilege.prefix:
        await _prove(processes, privilege)
    return privilege


async def _prove(processes: Processes, privilege: Privilege) -> None:
    command = Command(privilege.argv("true"), "entering a user namespace", total=30)
    outcome = await processes.run(command)
    if not outcome.ok:
        raise Unsupported(
            f"this host does not let ordinary users enter user namespaces: {' '.join(outcome.tail) or outcome}",
            hint="run as root, or look at sysctl kernel.apparmor_restrict_unprivileged_userns,"
            " kernel.unprivileged_userns_clone and the container's profile",
        )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
