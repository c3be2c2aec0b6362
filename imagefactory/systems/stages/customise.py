"""The stage that makes a base the template's own: repositories, packages, files, commands, in TDL's order.

Everything goes through a `Guest`, so a tree and a booted machine are customised by the same code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from imagefactory.lib.errors import CommandFailed, InvalidInput
from imagefactory.lib.secret import without_secrets
from imagefactory.model.icicle import PackageInfo
from imagefactory.model.report import Report
from imagefactory.model.template import Content, Inline, Repository, Script, Template
from imagefactory.systems.families.interface import Family, Release, Step
from imagefactory.systems.guests.interface import File, Guest
from imagefactory.systems.stages.steps import Steps

RECIPE = "3"
"""Part of every key of this stage: raise it when a change of code changes the result of the same template."""


PROGRAM = "/var/tmp/imagefactory-command"  # noqa: S108 - the guest's
"""Where a command that is a program of its own is while it runs; the seal empties the directory in any case."""


async def customise(
    guest: Guest,
    family: Family,
    release: Release,
    template: Template,
    report: Report,
    *,
    timeout: float | None = None,
) -> tuple[PackageInfo, ...]:
    """Make the template's changes in an entered guest.

    Args:
        guest: entered.
        template: with all contents in it (`Inline`).
        timeout: seconds for each step.

    Returns what is installed then.

    Raises:
        CommandFailed: with the name of the template's command.
        BuildFailed: no such package, bad signature.
        Unavailable, NoSpace, TimedOut.
    """
    work = Steps(guest, family, report, timeout)
    await work.change(family.configure(template))
    await _root_password(work, template)
    await guest.put_all(family.add_repositories(template.repositories, release))
    await _commands(work, "precommand", template.precommands)
    await _packages(work, template)
    await guest.put_all([File(file.name, _data(file.content)) for file in template.files])
    await _commands(work, "command", template.commands)
    await _forget(guest, family, template.repositories)
    return await installed(guest, family, template, timeout=timeout)


async def _root_password(work: Steps, template: Template) -> None:
    """The system itself hashes it, in its own way; it goes in by standard input, which other processes cannot read."""
    secret = template.os.root_password
    if secret:
        await work.run(Step("set the root password", "chpasswd"), stdin=f"root:{secret.reveal()}\n".encode())


async def _packages(work: Steps, template: Template) -> None:
    if template.packages or template.repositories:
        await work.run(work.family.refresh(template.repositories))
    if template.packages:
        await work.run(work.family.install(template.packages, template.repositories))


async def _commands(work: Steps, kind: str, scripts: tuple[Script, ...]) -> None:
    for script in scripts:
        await _command(work, f"{kind} {script.name}", script)


async def _command(work: Steps, title: str, script: Script) -> None:
    """With /bin/sh, unless its first line names what it is written for: then it is a program of its own."""
    text = _text(script)
    if text.startswith("#!"):
        await work.guest.put(PROGRAM, text.encode(), mode=0o700)
        await work.run_own(title, PROGRAM)
        await work.guest.remove(PROGRAM)
    else:
        await work.run_own(title, text)


async def _forget(guest: Guest, family: Family, repositories: tuple[Repository, ...]) -> None:
    paths = family.forget_repositories(tuple(one for one in repositories if not one.persisted))
    if paths:
        await guest.remove(*paths)


async def installed(
    guest: Guest, family: Family, template: Template, *, timeout: float | None = None
) -> tuple[PackageInfo, ...]:
    """Returns the packages of the system, with the lines of the template's extra command if it has one.

    TDL's rule: line N of the extra command's output belongs to line N of the package list, or all is wrong.
    """
    listed = await guest.output(family.list_packages(), title="list packages", total=timeout)
    packages = family.parse_packages(listed)
    command = template.os.icicle_extra_command
    if not command:
        return packages
    lines = (await guest.output(command, title="extra command of the ICICLE", total=timeout)).splitlines()
    if len(lines) != len(packages):
        outcome = f"printed {len(lines)} lines for {len(packages)} packages"
        raise CommandFailed("extra command of the ICICLE", outcome, hint="it has to print one line per package")
    return tuple(replace(one, extra=line) for one, line in zip(packages, lines, strict=True))


def customise_inputs(template: Template, family: Family, indexes: Mapping[str, str]) -> Mapping[str, str]:
    """What the result of this stage depends on besides its base, by name, for the stage key; contents and secrets as
    digests.

    `indexes` says what is in each repository now, by the repository's name.
    """
    return dict(_inputs(template, family, indexes))


def _inputs(template: Template, family: Family, indexes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "recipe", RECIPE
    yield "name", template.name
    yield "description", template.description  # it is in the ICICLE
    yield "configuration", _digest(repr(family.configure(template)).encode())
    yield "packages", "\n".join(template.packages)
    yield "icicle extra command", template.os.icicle_extra_command
    if template.os.root_password:
        yield "root password", _digest(b"root password\0" + template.os.root_password.reveal().encode())
    for repository in template.repositories:
        yield f"repository {repository.name}", f"{repository!r} {indexes.get(repository.name, '')}"
    for file in template.files:
        yield f"file {file.name}", _digest(_data(file.content))
    for kind, scripts in (("precommand", template.precommands), ("command", template.commands)):
        for place, script in enumerate(scripts, 1):
            yield f"{kind} {place} {script.name}", _digest(_data(script.content))


def _data(content: Content) -> bytes:
    if isinstance(content, Inline):
        return content.data
    raise InvalidInput(
        "the content was not fetched", where=without_secrets(content.url), hint="fetch it before the build starts"
    )


def _text(script: Script) -> str:
    try:
        return _data(script.content).decode()
    except UnicodeDecodeError:
        raise InvalidInput(
            f"command {script.name} is no UTF-8 text", hint="put a program in with <file>, and call it"
        ) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
