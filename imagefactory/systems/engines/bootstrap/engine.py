"""The engine `bootstrap`: plans a base by its indexes, and makes it with mmdebstrap or dnf."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.errors import CommandFailed, MissingTool, Unsupported
from imagefactory.lib.process.interface import Command
from imagefactory.lib.process.supervise import SEARCH_PATH
from imagefactory.lib.process.tools import find_tool
from imagefactory.lib.secret import without_secrets
from imagefactory.model.report import Report
from imagefactory.model.template import Template
from imagefactory.settings.mirrors import APT
from imagefactory.systems.engines.bootstrap import keys as host_keys
from imagefactory.systems.engines.bootstrap import mirrors
from imagefactory.systems.engines.bootstrap.dnf import Dnf
from imagefactory.systems.engines.bootstrap.hosts import Hosts
from imagefactory.systems.engines.bootstrap.indexes import Indexes
from imagefactory.systems.engines.bootstrap.mmdebstrap import Mmdebstrap
from imagefactory.systems.engines.bootstrap.repositories import contents, demand_readable, locate
from imagefactory.systems.engines.bootstrap.tool import RECIPE, Tool
from imagefactory.systems.engines.interface import Base, BasePlan, EngineContext, RootTree, SystemKind
from imagefactory.systems.families.causes import CauseDetector
from imagefactory.systems.families.interface import Bootstrap, Family, Release, Source, install_url
from imagefactory.systems.families.registry import find

TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in (Mmdebstrap(), Dnf())}


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapPlan(BasePlan):
    """The plan of a root tree; `bootstrap` is what its tool is told."""

    bootstrap: Bootstrap


class BootstrapEngine:
    """See `Engine`."""

    name = "bootstrap"

    def __init__(
        self,
        context: EngineContext,
        *,
        indexes: Indexes | None = None,
        hosts: Hosts | None = None,
        path: str = SEARCH_PATH,
    ) -> None:
        """See `Engine`; `path` is where programs are looked for."""
        settings = context.settings
        self._processes = context.processes
        self._privilege = context.privilege
        self._threads = context.threads
        self._indexes = indexes or Indexes(context.http, context.clock)
        self._mirrors = settings.mirrors
        self._timeout = settings.timeout
        self._key_directories = (*map(Path, settings.key_directories), *host_keys.DIRECTORIES)
        self._hosts = hosts or Hosts()
        self._path = path

    def check(self, template: Template) -> SystemKind:
        """Refuse what can be refused without a network: OS, release, install tree, repositories, architecture.

        Raises Unsupported, InvalidInput. It reads one small file of /proc at most.
        """
        family, release = find(template.os)
        demand_readable(self._assumed(install_url(template)), "the install tree")
        bootstrap = family.bootstrap(template, release, install_url(template))
        locate(template.repositories, family, bootstrap, self._assumed)
        for url in _urls(template, family, bootstrap):
            _refuse_user(self._assumed(url))
        self._hosts.demand(template.os.arch)
        return SystemKind.TREE

    def _assumed(self, url: str) -> str:
        """Returns where a URL will be read; which of its mirrors this host's apt has is not asked yet."""
        place = mirrors.mapped(url, self._mirrors)
        return url if place == APT else place

    async def plan(self, template: Template, report: Report) -> BootstrapPlan:
        """See `Engine.plan`."""
        kind = self.check(template)
        family, release = find(template.os)
        report.activity("reading the mirror's indexes")
        async with Scope() as scope:  # programs and the network take their time, but not from each other
            plain = family.bootstrap(template, release, install_url(template))
            version = scope.start(self._version(plain.tool))
            mirror = await scope.start(self._mirror(_urls(template, family, plain), release))
            wanted = family.bootstrap(template, release, mirror(install_url(template)))
            located = locate(template.repositories, family, wanted, mirror)
            keys = await self._threads.run(host_keys.find_keys, wanted, self._key_directories)
            every = (*wanted.sources, *(one.source for one in located))
            digests = await scope.start(self._indexes.digests(every))
        for source in wanted.sources:
            if source not in digests:
                report.line(f"the mirror has no {source.suite}: left out ({without_secrets(source.url)})")
        there = tuple(source for source in wanted.sources if source in digests)
        found = replace(wanted, sources=there, keyrings=tuple(str(key) for key in keys))
        return BootstrapPlan(
            kind,
            await self._inputs(found, await version, digests),
            family,
            release,
            tuple(one.repository for one in located),
            contents(located, digests),
            bootstrap=found,
        )

    async def _mirror(self, urls: Sequence[str], release: Release) -> Callable[[str], str]:
        """Where to read each of `urls`; this host's apt is asked once, and only if one of them is mapped to it."""
        places = {url: mirrors.mapped(url, self._mirrors) for url in urls}
        ours = [url for url, place in places.items() if place == APT]
        if ours:
            places |= dict.fromkeys(ours, await self._host_mirror(release, ours[0]))
        return places.__getitem__

    async def _host_mirror(self, release: Release, wanted: str) -> str:
        try:
            named = mirrors.named_mirror(await self._apt(mirrors.URIS), release)
            return named or mirrors.host_mirror(await self._apt(mirrors.INDEXTARGETS), release, wanted)
        except MissingTool as error:  # no apt-get: a host of another kind, and nothing to install
            raise mirrors.no_mirror(release, wanted) from error

    async def _apt(self, argv: tuple[str, ...]) -> str:
        return await self._processes.output(Command(argv, "reading this host's package sources", total=60))

    async def _version(self, tool: str) -> str:
        """Returns what tells one release of the tool from another."""
        argv = TOOLS[tool].version()
        if not argv:
            program = await self._threads.run(find_tool, tool, self._path)
            return f"{tool} {await self._threads.run(_digest_files, (program,))}"
        first, *_ = (await self._processes.output(Command(argv, f"{tool} --version", total=60))).splitlines() or [""]
        return f"{tool} {first}"

    async def _inputs(self, bootstrap: Bootstrap, version: str, digests: Mapping[Source, str]) -> dict[str, str]:
        keys = await self._threads.run(_digest_files, bootstrap.keyrings)
        return {
            "os": bootstrap.release.os,
            "version": bootstrap.release.version,
            "arch": bootstrap.arch,
            "base packages": " ".join(sorted(bootstrap.packages)),
            "tool": version,
            "recipe": RECIPE,
            "signatures": keys if bootstrap.verify else "not verified",
            **{f"index {without_secrets(source.url)} {source.suite}": digests[source] for source in bootstrap.sources},
        }

    async def build(self, plan: BasePlan, workspace: Path, report: Report) -> Base:
        """See `Engine.build`; `workspace` must be a directory that the tree's root can write to.

        Raises BuildFailed (bad signature, no such package), Unavailable, NoSpace, MissingTool, TimedOut.
        """
        if not isinstance(plan, BootstrapPlan):
            raise TypeError(f"the plan of another engine: {plan}")
        tree, cache = workspace / "root", workspace / "packages"
        report.activity(f"making {plan.release.os} {plan.release.version} with {plan.bootstrap.tool}")
        await self._as_root("mkdir", "-p", str(tree), str(cache), title="making directories")
        await self._run(plan, tree, cache, report)
        for path, data in TOOLS[plan.bootstrap.tool].files(plan.bootstrap).items():
            await self._write(tree / path, data)
        await self._as_root("rm", "-rf", "--one-file-system", str(cache), title="removing downloads")
        return RootTree(tree)

    async def _run(self, plan: BootstrapPlan, tree: Path, cache: Path, report: Report) -> None:
        tool = TOOLS[plan.bootstrap.tool]
        keys = tuple(Path(key) for key in plan.bootstrap.keyrings) if plan.bootstrap.verify else ()
        call = tool.invocation(plan.bootstrap, tree, cache, keys)
        for path, data in call.files:
            await self._write(path, data)
        command = Command(
            self._privilege.argv(*call.argv),
            tool.name,
            env=tool.environment,
            stdin=call.stdin,
            total=self._timeout,
            needs=call.needs,
        )
        output = _Output(tool, plan.family, report)
        try:
            await self._processes.check(command, output.line)
        except CommandFailed as error:
            raise output.telling.cause() or error from error

    async def _write(self, path: Path, data: bytes) -> None:
        script = 'mkdir -p "${1%/*}" && cat > "$1"'
        await self._as_root("sh", "-c", script, "sh", str(path), title=f"writing {path.name}", stdin=data)

    async def _as_root(self, *argv: str, title: str, stdin: bytes = b"") -> None:
        await self._processes.check(Command(self._privilege.argv(*argv), title, stdin=stdin))


class _Output:
    """Reads a tool's lines: the log gets each, progress those that are milestones, and what tells a cause is kept."""

    def __init__(self, tool: Tool, family: Family, report: Report) -> None:
        self._tool = tool
        self._report = report
        self.telling = CauseDetector(family.explain)

    def line(self, text: str) -> None:
        self._report.line(text)
        stone = self._tool.milestone(text)
        if stone:
            self._report.activity(stone.activity)
            self._report.progress(stone.percent)
        self.telling.note(text)


def _urls(template: Template, family: Family, bootstrap: Bootstrap) -> tuple[str, ...]:
    """Returns all that the template wants to be read from."""
    repositories = (family.repository_source(one, bootstrap).url for one in template.repositories)
    return (install_url(template), *repositories)


def _refuse_user(url: str) -> None:
    """Package tools would show them to all users in their arguments, and leave them in the image."""
    if urlsplit(url).username is not None:
        raise Unsupported(
            "install and repository URLs cannot have a user or password",
            where=without_secrets(url),
            hint="serve this host without one, or map the URL to such a mirror with the setting mirrors",
        )


def _digest_files(paths: Sequence[str]) -> str:
    return " ".join(hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths)
