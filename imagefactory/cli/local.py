"""Builds, pushes and imports run by the command itself, with the job service in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from twisted.internet.defer import CancelledError

from imagefactory.app import Factory
from imagefactory.cli import results
from imagefactory.cli.leftovers import reap, show_leftovers
from imagefactory.cli.modes import BuildMode, ImportMode, LeftoversMode, LogMode, Mode, PushMode, ReapMode
from imagefactory.cli.terminal import Terminal
from imagefactory.jobs.interface import BuildRequest, ImportRequest, JobEvent, PushRequest, Unsubscribe
from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed, Job, Operation
from imagefactory.model.records import Kind
from imagefactory.model.visible import visible

SUCCESS, FAILURE = 0, 1

LONGEST_PATH = 4095
"""PATH_MAX of linux/limits.h, less the zero at the end."""


async def run(factory: Factory, mode: Mode, terminal: Terminal) -> int:
    """Do what `mode` says and return the exit status."""
    match mode:
        case BuildMode(plan_only=True):
            return await _plan(factory, mode, terminal)
        case BuildMode():
            return await _build(factory, mode, terminal)
        case PushMode():
            return await _push(factory, mode, terminal)
        case ImportMode():
            return await _import(factory, mode, terminal)
        case LogMode():
            return await _log(factory, mode, terminal)
        case LeftoversMode() | ReapMode():
            return await _leftovers(factory, mode, terminal)
    raise AssertionError(mode)


async def _request(factory: Factory, mode: BuildMode) -> BuildRequest:
    template, template_id = None, None
    if mode.template:
        loosely = factory.clouds.install_nothing(mode.targets)
        found = await factory.templates.resolve(mode.template, local=True, loosely=loosely)
        template, template_id = found.template, found.template_id
    return BuildRequest(
        template, mode.targets, image_id=mode.image, template_id=template_id, boot_check=mode.boot_check
    )


async def _plan(factory: Factory, mode: BuildMode, terminal: Terminal) -> int:
    plan = await factory.jobs.plan(await _request(factory, mode))
    terminal.result(results.plan_document(plan), results.plan_lines(plan))
    return SUCCESS


async def _build(factory: Factory, mode: BuildMode, terminal: Terminal) -> int:
    accepted = await factory.jobs.build(await _request(factory, mode))
    for job in accepted.jobs:
        terminal.say(f"Building build {accepted.build_id} of image {accepted.image_id} to target {job.target}")
    return await _watch(factory, accepted.jobs, terminal)


async def _push(factory: Factory, mode: PushMode, terminal: Terminal) -> int:
    credentials = read_credentials(mode.credentials, factory.clouds.credentials)
    providers = [await factory.clouds.provider(name) for name in mode.providers]
    requests = [PushRequest(provider, credentials, image_id=mode.image) for provider in providers]
    jobs = await factory.jobs.push_all(requests)
    for job in jobs:
        terminal.say(f"Pushing build {job.build_id} of image {job.image_id} to provider {job.provider}")
    return await _watch(factory, jobs, terminal)


async def _leftovers(factory: Factory, mode: LeftoversMode | ReapMode, terminal: Terminal) -> int:
    if isinstance(mode, LeftoversMode):
        await show_leftovers(factory, terminal)
        return SUCCESS
    credentials = read_credentials(mode.credentials, factory.clouds.credentials)
    providers = [await factory.clouds.provider(name) for name in mode.providers]
    return SUCCESS if await reap(factory, providers, credentials, terminal) else FAILURE


async def _import(factory: Factory, mode: ImportMode, terminal: Terminal) -> int:
    descriptor = _text_or_file(mode.descriptor, "--image-desc") if mode.descriptor else None
    provider = await factory.clouds.provider(mode.provider)
    imported = await factory.jobs.import_image(
        ImportRequest(mode.target, provider, mode.identifier, descriptor, image_id=mode.image)
    )
    line = f"Imported target image ID {mode.identifier} as image {imported.image_id}"
    terminal.result(results.import_document(imported), [line])
    return SUCCESS


async def _log(factory: Factory, mode: LogMode, terminal: Terminal) -> int:
    """Print the log in pieces: it may be long."""
    last = 0
    while lines := await factory.jobs.log(mode.job, after=last):
        for line in lines:
            terminal.out.write(f"{visible(line.text)}\n")
        last = lines[-1].number
    return SUCCESS


async def _watch(factory: Factory, jobs: Sequence[Job], terminal: Terminal) -> int:
    """Show the jobs until all have ended; returns the exit status."""
    ids = {job.id for job in jobs}

    def show(event: JobEvent) -> None:
        if event.job.id in ids:
            terminal.watcher.event(event)

    def listen(job: Job) -> Unsubscribe:
        return factory.jobs.on_line(job.id, lambda line: terminal.watcher.line(job, line.text))

    terminal.watcher.start(jobs)
    subscriptions = [factory.jobs.on_event(show), *(listen(job) for job in jobs)]
    try:
        ended = await _ended(factory, jobs)
    finally:
        for unsubscribe in subscriptions:
            unsubscribe()
        terminal.watcher.stop()
    described = [(job, await _details(factory, job)) for job in ended]
    lines = [results.result_line(job, details) for job, details in described]
    terminal.result(results.run_document(described), lines)
    return SUCCESS if all(isinstance(job.state, Completed) for job in ended) else FAILURE


async def _details(factory: Factory, job: Job) -> results.Details:
    if job.operation is Operation.PUSH or not isinstance(job.state, Completed):
        return results.NONE
    attributes = await factory.storage.records.attributes(Kind.TARGET_IMAGE, job.id) or {}
    boot = {name: text for name, text in attributes.items() if name.startswith("boot_")}
    return results.Details(await factory.storage.place(Kind.TARGET_IMAGE, job.id), boot)


async def _ended(factory: Factory, jobs: Sequence[Job]) -> list[Job]:
    """Wait for the jobs and return their last states.

    An interruption (Ctrl-C, SIGTERM) cancels the jobs; their ends are still awaited.
    """
    try:
        return [await factory.jobs.finished(job.id) for job in jobs]
    except CancelledError:
        async with Scope() as scope:
            for job in jobs:
                scope.start(_cancel(factory, job.id))
        return [await factory.jobs.job(job.id) for job in jobs]


async def _cancel(factory: Factory, id: str) -> None:
    with suppress(Conflict):  # it ended by itself in this very moment
        await factory.jobs.cancel(id)


def read_credentials(argument: str, parse: Callable[[bytes], Credentials]) -> Credentials | None:
    """Read credentials from XML text or from the file at a path; None without any: the target may need none."""
    return parse(_text_or_file(argument, "--credentials")) if argument else None


def _text_or_file(argument: str, option: str) -> bytes:
    """Returns XML text as it is, without a byte order mark, or the content of the file at that path.

    An error never repeats the argument: text that is not quite XML may hold a password all the same.
    """
    text = argument.removeprefix("\ufeff")
    if not text or set(text) & set("<\n\0") or len(text) > LONGEST_PATH:
        return text.encode("utf-8", "surrogateescape")
    try:
        return Path(text).read_bytes()
    except OSError as error:
        hint = "give the path of a file that can be read, or the XML itself"
        raise InvalidInput(f"cannot read the file named there: {error.strerror}", where=option, hint=hint) from None
