"""The last two things done to a system before it becomes a disk: what its cloud needs, and the seal.

A sealed system has nothing of the build in it and nothing that two machines must not share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from shlex import quote

from imagefactory.lib.errors import BuildFailed, CommandFailed
from imagefactory.model.icicle import PackageInfo
from imagefactory.model.report import Report
from imagefactory.model.template import Repository, Template
from imagefactory.systems.families.interface import Family, Kernel, Needs
from imagefactory.systems.guests.interface import Guest
from imagefactory.systems.stages.customise import installed
from imagefactory.systems.stages.steps import Steps

RECIPE = "2"
"""Part of every key of this stage: raise it when a change of code changes the result of the same needs."""

TRACES = (
    "/etc/ssh/ssh_host_*",
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/var/lib/dbus/machine-id",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/credential.secret",
    "/var/lib/dhcp/*.lease*",
    "/var/lib/dhclient/*.lease*",
    "/var/lib/NetworkManager/*lease*",
    "/var/lib/systemd/network/*",
    "/var/lib/cloud/*",
    "/var/log/journal/*",
    "/var/log/*.gz",
    "/var/log/*.[0-9]",
    "/root/.*history",
    "/root/.viminfo",
    "/root/.cache",
    "/home/*/.*history",
    "/tmp/*",  # noqa: S108 - the guest's
    "/tmp/.[!.]*",  # noqa: S108
    "/var/tmp/*",  # noqa: S108
    "/var/tmp/.[!.]*",  # noqa: S108
    "/var/cache/ldconfig/aux-cache",
)

# Services keep the log files they were given, with owner and mode: those are emptied, not removed.
EMPTY_LOGS = "find /var/log -type f -exec truncate -s 0 {} +"

# The builder's resolv.conf is gone; a system that resolves by itself has a link there.
RESOLVER = """\
if systemctl is-enabled --quiet systemd-resolved.service 2>/dev/null; then
  ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
fi
"""


LOGS = "/var/log/"
_ASIDE = "/.imagefactory-kept"


def aside(paths: Sequence[str]) -> str:
    """Returns a shell text that moves these files aside, with owner and mode; one that is absent is no error."""
    moves = (f"[ ! -e {quote(path)} ] || mv {quote(path)} {_ASIDE}/{place}" for place, path in enumerate(paths))
    return "\n".join(("set -e", f"mkdir -m 0700 {_ASIDE}", *moves))


def back(paths: Sequence[str]) -> str:
    """Returns a shell text that undoes `aside`."""
    moves = []
    for place, path in enumerate(paths):
        above, kept = quote(path.rpartition("/")[0]), f"{_ASIDE}/{place}"
        moves.append(f"[ ! -e {kept} ] || {{ mkdir -p {above}; mv {kept} {quote(path)}; }}")
    return "\n".join(("set -e", *moves, f"rmdir {_ASIDE}"))


def _covers(pattern: str, path: str) -> bool:
    """Returns whether removing `pattern` would remove `path`: part by part, and a directory goes with all in it."""
    wanted, parts = pattern.split("/"), path.split("/")
    pairs = zip(wanted, parts, strict=False)
    return len(parts) >= len(wanted) and all(
        fnmatchcase(part, want) and (want[:1] == "." or part[:1] != ".") for want, part in pairs
    )


def sealing_inputs(needs: Needs, family: Family, template: Template) -> Mapping[str, str]:
    """Returns what an adapted and sealed system depends on besides the customised one, for the stage key."""
    return {
        "recipe": RECIPE,
        "needs": _digest(needs),
        "what the needs mean": _digest(family.fulfil(needs)),
        "seal": "\n".join((*TRACES, *family.seal())),
        "published sources": repr(template.os.install),
    }


def _digest(value: object) -> str:
    """Of a frozen value, which its repr says completely."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


async def fulfil_needs(
    guest: Guest, family: Family, needs: Needs, template: Template, report: Report, *, timeout: float | None = None
) -> tuple[PackageInfo, ...]:
    """Give the system what its target needs.

    Returns what is installed then.

    Raises as `customise`.
    """
    await Steps(guest, family, report, timeout).change(family.fulfil(needs))
    return await installed(guest, family, template, timeout=timeout)


async def kernel(guest: Guest, family: Family, *, timeout: float | None = None) -> Kernel:
    """Returns where the kernel and its initrd are; BuildFailed if there is none."""
    try:
        found = (await guest.output(family.kernel(), title="find the kernel", total=timeout)).split()
    except CommandFailed as error:
        raise _no_kernel() from error
    if len(found) != 2:
        raise _no_kernel()
    return Kernel(found[0], found[1])


def _no_kernel() -> BuildFailed:
    return BuildFailed("the system has no kernel with an initrd in /boot", hint="a command may have removed it")


async def seal(
    guest: Guest,
    family: Family,
    template: Template,
    report: Report,
    *,
    repositories: tuple[Repository, ...] = (),
    timeout: float | None = None,
) -> None:
    """Remove what must not be in an image: keys, ids, leases, logs, histories, caches, and the mirrors of the build.

    `repositories` are the template's as the build read them, where that was elsewhere. The last thing to do:
    afterwards nothing may run in the guest any more.
    """
    report.activity("sealing")
    await _publish_sources(guest, family, template)
    for wanted, used in zip(template.repositories, repositories, strict=False):
        if wanted != used:
            await _publish_repository(guest, family, wanted, used)
    own = {file.name for file in template.files}
    resolver = () if "/etc/resolv.conf" in own else ("/etc/resolv.conf",)
    patterns = (*TRACES, *family.seal())
    kept = sorted(name for name in own if name.startswith(LOGS) or any(_covers(one, name) for one in patterns))
    if kept:  # what the template put there belongs there, whatever it looks like
        await guest.run(aside(kept), title="keep the template's files", on_line=report.line, total=timeout)
    await guest.run(EMPTY_LOGS, title="empty the logs", on_line=report.line, total=timeout)
    await guest.remove(*patterns, *resolver)
    if kept:
        await guest.run(back(kept), title="put the template's files back", on_line=report.line, total=timeout)
    if resolver:
        await guest.run(RESOLVER, title="link resolv.conf", on_line=report.line, total=timeout)
    # Empty, and not absent: an absent one means a first boot, which would enable services that the template disabled
    # (machine-id(5)).
    await guest.put("/etc/machine-id", b"", mode=0o444)


async def _publish_sources(guest: Guest, family: Family, template: Template) -> None:
    building = await guest.get(family.sources_file)
    if building is None:
        return
    published = family.published_sources(building, template)
    if published != building:
        await guest.put(family.sources_file, published)


async def _publish_repository(guest: Guest, family: Family, wanted: Repository, used: Repository) -> None:
    """Its file names the template's URL; it may be gone, or what a command made of it."""
    (path,) = family.forget_repositories((used,))
    building = await guest.get(path)
    if building is None:
        return
    published = building
    for before, after in zip(used.url.split(), wanted.url.split(), strict=True):
        published = published.replace(before.encode(), after.encode()) if before != after else published
    if published != building:
        await guest.put(path, published)
