"""A guest in memory, and what every guest must do."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any, Protocol, Self

from twisted.internet.defer import Deferred

from imagefactory.lib.errors import CommandFailed, InvalidInput, TooLarge
from imagefactory.lib.process.interface import LineReader
from imagefactory.systems.guests.interface import File, Guest, demand_path


@dataclass(frozen=True, slots=True)
class Ran:
    """A script that was run."""

    title: str
    script: str
    stdin: bytes = b""
    total: float | None = None


@dataclass(frozen=True, slots=True)
class ScriptedOutcome:
    """What scripts that match the regular expression `script` print, and how they end."""

    script: str
    lines: tuple[str, ...] = ()
    code: int = 0


@dataclass(slots=True)
class MemoryGuest:
    """A `Guest` whose files are a dictionary and whose commands do nothing but what `answer` said.

    `files` maps paths to files; `ran` has the scripts in order, `entered` says whether it is in its `async with`. It
    has no symbolic links.
    """

    files: dict[str, File] = field(default_factory=dict)
    ran: list[Ran] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    entered: bool = False
    _answers: list[ScriptedOutcome] = field(default_factory=list)

    def answer(self, script: str, *lines: str, code: int = 0) -> None:
        """Scripts that match `script` print `lines` and leave with `code`; the latest that matches counts."""
        self._answers.insert(0, ScriptedOutcome(script, lines, code))

    async def __aenter__(self) -> Self:
        self.entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.entered = False

    async def run(
        self,
        script: str,
        *,
        title: str,
        on_line: LineReader | None = None,
        stdin: bytes = b"",
        total: float | None = None,
    ) -> None:
        """See `Guest.run`."""
        for line in self._play(script, title, stdin, total):
            if on_line is not None:
                on_line(line)

    async def output(self, script: str, *, title: str, limit: int = 16 << 20, total: float | None = None) -> str:
        """See `Guest.output`."""
        text = "".join(f"{line}\n" for line in self._play(script, title, total=total))
        if len(text) > limit:
            raise CommandFailed(title, f"printed more than {limit} characters")
        return text

    async def put(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """See `Guest.put`."""
        demand_path(path)
        self.files[path] = File(path, data, mode)

    async def put_all(self, files: Sequence[File]) -> None:
        """See `Guest.put_all`."""
        for file in files:
            await self.put(file.path, file.data, mode=file.mode)

    async def get(self, path: str, *, limit: int = 1 << 20) -> bytes | None:
        """See `Guest.get`."""
        demand_path(path)
        file = self.files.get(path)
        if file is not None and len(file.data) > limit:
            raise TooLarge(f"{path} has more than {limit} bytes")
        return file.data if file is not None else None

    async def remove(self, *paths: str) -> None:
        """See `Guest.remove`."""
        for path in paths:
            demand_path(path)
            self.removed.append(path)
            for known in [known for known in self.files if _matches(known, path)]:
                del self.files[known]

    def _play(self, script: str, title: str, stdin: bytes = b"", total: float | None = None) -> tuple[str, ...]:
        if not self.entered:
            raise AssertionError(f"{title}: the guest is not entered")
        self.ran.append(Ran(title, script, stdin, total))
        answer = next((one for one in self._answers if re.search(one.script, script)), ScriptedOutcome(""))
        if answer.code:
            raise CommandFailed(title, f"ended with exit status {answer.code}", answer.lines)
        return answer.lines


def _matches(known: str, pattern: str) -> bool:
    """As a shell expands patterns: part by part, and a directory stands for all in it."""
    parts, wanted = known.split("/"), pattern.rstrip("/").split("/")
    pairs = zip(parts, wanted, strict=False)
    return len(parts) >= len(wanted) and all(
        fnmatchcase(part, want) and (want[:1] == "." or part[:1] != ".") for part, want in pairs
    )


class Case(Protocol):
    """What the contract needs of a trial test case."""

    def assertEqual(self, first: Any, second: Any, /) -> Any: ...  # noqa: N802 - trial's name

    def assertRaises(self, exception: type[BaseException], /) -> Any: ...  # noqa: N802 - trial's name


class GuestContract:
    """Mixed into a TestCase that says how a guest is made: `enter(use)` makes one, enters it, calls `use` with it and
    leaves it. `arrange` tells a guest without a shell what a script prints and how it ends."""

    def enter(self, use: Callable[[Guest], Awaitable[None]]) -> Deferred[None]:
        """Run `use` with an entered guest."""
        raise NotImplementedError

    def arrange(self, guest: Guest, script: str, *lines: str, code: int = 0) -> None:
        """A guest with a shell needs no telling."""

    def test_put_and_get(self: Any) -> Deferred[None]:
        """Bytes come back as they went in, whatever they are, in directories that were not there."""

        async def use(guest: Guest) -> None:
            for data in (b"", b"text\n", bytes(range(256)) * 50, b"no end"):
                await guest.put("/made/up/a name with 'quotes'", data, mode=0o600)
                self.assertEqual(await guest.get("/made/up/a name with 'quotes'"), data)

        return self.enter(use)  # type: ignore[no-any-return]

    def test_put_all(self: Any) -> Deferred[None]:
        """Many files at once, the later of the same name wins."""

        async def use(guest: Guest) -> None:
            many = [File(f"/many/{number}/$(file)", b"\0%d\n" % number, 0o640) for number in range(50)]
            await guest.put_all([*many, File("/many/7/$(file)", b"END\nnew", 0o755)])
            self.assertEqual(await guest.get("/many/7/$(file)"), b"END\nnew")
            self.assertEqual(await guest.get("/many/49/$(file)"), b"\x0049\n")
            await guest.put_all([])

        return self.enter(use)  # type: ignore[no-any-return]

    def test_get_nothing(self: Any) -> Deferred[None]:
        """A file that is not there is None, one that is too large an error."""

        async def use(guest: Guest) -> None:
            self.assertEqual(await guest.get("/no/such/file"), None)
            await guest.put("/large", b"x" * 1001)
            self.assertEqual(len(await guest.get("/large", limit=1001) or b""), 1001)
            with self.assertRaises(TooLarge):
                await guest.get("/large", limit=1000)

        return self.enter(use)  # type: ignore[no-any-return]

    def test_remove(self: Any) -> Deferred[None]:
        """Files, trees and patterns; what is absent is no error, what does not match stays."""

        async def use(guest: Guest) -> None:
            names = ["/r/key one", "/r/key two", "/r/lock", "/r/.hidden", "/t/deep/file"]
            await guest.put_all([File(name, b"x") for name in names])
            await guest.remove("/r/key *", "/t", "/absent", "/absent/*")
            left = [name for name in names if await guest.get(name) is not None]
            self.assertEqual(left, ["/r/lock", "/r/.hidden"])
            await guest.remove("/r/*")
            self.assertEqual(await guest.get("/r/.hidden"), b"x")

        return self.enter(use)  # type: ignore[no-any-return]

    def test_paths_must_be_absolute(self: Any) -> Deferred[None]:
        """A relative path or the root itself is a mistake of ours."""

        async def use(guest: Guest) -> None:
            for path in ("etc/passwd", "", "/", "//"):
                with self.assertRaises(InvalidInput):
                    await guest.put(path, b"")
                with self.assertRaises(InvalidInput):
                    await guest.remove(path)

        return self.enter(use)  # type: ignore[no-any-return]

    def test_run(self: Any) -> Deferred[None]:
        """Output comes line by line."""

        async def use(guest: Guest) -> None:
            lines: list[str] = []
            self.arrange(guest, "echo", "one", "two")
            await guest.run("echo one\necho two >&2", title="saying", on_line=lines.append)
            self.assertEqual(lines, ["one", "two"])

        return self.enter(use)  # type: ignore[no-any-return]

    def test_output(self: Any) -> Deferred[None]:
        """What is printed, as text, within its limit."""

        async def use(guest: Guest) -> None:
            self.arrange(guest, "echo", "one", "two")
            self.assertEqual(await guest.output("echo one; echo two", title="saying"), "one\ntwo\n")
            with self.assertRaises(CommandFailed):
                await guest.output("echo one; echo two", title="saying", limit=5)

        return self.enter(use)  # type: ignore[no-any-return]

    def test_failing_command(self: Any) -> Deferred[None]:
        """The error has title, exit status and last lines."""

        async def use(guest: Guest) -> None:
            self.arrange(guest, "exit 4", "E: broken", code=4)
            with self.assertRaises(CommandFailed) as caught:
                await guest.run("echo 'E: broken' >&2; exit 4", title="the step")
            self.assertEqual(str(caught.exception), "the step ended with exit status 4\n  | E: broken")

        return self.enter(use)  # type: ignore[no-any-return]
