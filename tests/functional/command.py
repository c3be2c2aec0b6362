"""The installed command as a child of the tests, with a state of its own, and what it must not leave behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from imagefactory.app.storage import open_embedded
from imagefactory.lib.concurrency.threads import ThreadPools
from imagefactory.lib.process.journal import VARIABLE
from imagefactory.lib.process.proc import carries, everybody
from imagefactory.model.records import Kind
from imagefactory.warehouse.records import Records
from tests.functional.tinyos import TREE, TinyOs, tiny_os

COMMAND = (sys.executable, "-m", "imagefactory")
HOLDING = str(Path(__file__).with_name("holding.py"))
PATIENCE = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done:
    """How a run of the command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The result document of `--json`."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Running:
    """A command that runs; its output is read as it comes."""

    def __init__(self, argv: tuple[str, ...], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.pid = self._process.pid
        self._said = threading.Condition()
        self._texts: dict[str, list[str]] = {"out": [], "err": []}
        streams = (("out", self._process.stdout), ("err", self._process.stderr))
        self._readers = [threading.Thread(target=self._read, args=one, daemon=True) for one in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: Any) -> None:
        for line in stream:
            with self._said:
                self._texts[name].append(line)
                self._said.notify_all()
        stream.close()

    def until(self, text: str) -> None:
        """Wait until it has said this, on either stream; AssertionError if it never does."""

        def said() -> bool:
            return text in self._text("out") + self._text("err") or self._process.poll() is not None

        with self._said:
            found = self._said.wait_for(said, PATIENCE)
        if not found or text not in self._text("out") + self._text("err"):
            raise AssertionError(f"never said {text!r}: {self._text('out')}{self._text('err')}")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, limit: float = PATIENCE) -> Done:
        """Wait for its end; AssertionError, and its end, if that takes longer than `limit` seconds."""
        try:
            status = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"still there after {limit:g} s: {self._text('out')}{self._text('err')}") from None
        for reader in self._readers:
            reader.join()
        return Done(status, self._text("out"), self._text("err"))

    def kill(self) -> None:
        """End it without ceremony, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def _text(self, name: str) -> str:
        return "".join(self._texts[name])


class CommandCase(TestCase):
    """Has an own configuration, and looks at the end whether anything was left behind."""

    timeout = 180

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="factory-cli."))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.state, self.imgdir = self.directory / "state", self.directory / "images"
        self.imgdir.mkdir()
        self.config = self.directory / "imagefactory.conf"
        self.configure()

    @property
    def tiny(self) -> TinyOs:
        """The system that is built."""
        return tiny_os()

    def mirrors(self) -> dict[str, str]:
        """The setting of that name; none if empty."""
        return {TREE: self.tiny.url}

    def configure(self, **changes: object) -> None:
        """Write the configuration."""
        settings: dict[str, object] = {
            "state_dir": str(self.state),
            "imgdir": str(self.imgdir),
            "tmpdir": str(self.imgdir),
            "warehouse_port": 1,  # no listener there
            **({"mirrors": self.mirrors()} if self.mirrors() else {}),
            **changes,
        }
        self.config.write_text(json.dumps(settings))

    def file(self, text: str, name: str = "template.tdl") -> str:
        """The path of a new file with this text."""
        path = self.directory / name
        path.write_text(text)
        return str(path)

    def start(self, *arguments: str, **environment: str) -> Running:
        """Start the command."""
        running = Running((*COMMAND, "--config", str(self.config), *arguments), {**os.environ, **environment})
        self.addCleanup(running.kill)
        return running

    def held(self, place: str, *arguments: str) -> Running:
        """Start the command, which is held at this place (see holding.py), and wait until it is there."""
        argv = (sys.executable, HOLDING, place, "--config", str(self.config), *arguments)
        running = Running(argv, dict(os.environ))
        self.addCleanup(running.kill)
        running.until(f"held at {place}")
        return running

    def command(self, *arguments: str, status: int = 0, **environment: str) -> Done:
        """Run the command to its end, which has to be with this exit status."""
        done = self.start(*arguments, **environment).wait(150)
        self.assertEqual(done.status, status, done.out + done.err)
        return done

    def fails(self, *arguments: str, status: int = 1) -> str:
        """What a command says that fails and leaves nothing."""
        done = self.command(*arguments, status=status)
        self.nothing_left()
        self.assertNotIn("Traceback", done.out + done.err)
        return done.out + done.err

    def tokens(self) -> list[str]:
        """The runs that the journal knows."""
        return [path.stem for path in (self.state / "journal").glob("*.json")]

    def living(self, tokens: list[str]) -> list[str]:
        """Processes of these runs, and all whose temporary files are ours."""
        marks = [f"{VARIABLE}={token}".encode() for token in tokens]
        return [
            f"{one.pid} {_bytes(one.pid, 'cmdline')!r}"
            for one in everybody()
            if not one.dead
            and (
                f"TMPDIR={self.imgdir}/".encode() in _bytes(one.pid, "environ")
                or any(carries(one.pid, mark) for mark in marks)
            )
        ]

    def nothing_left(self, *tokens: str) -> None:
        """No process, no workspace, no journal entry, no unfinished file, no mount."""
        self.assertEqual(self.living(list(tokens)), [])
        self.assertEqual([path.name for path in self.imgdir.iterdir()], [])
        for name in ("journal", "cache/making", "cache/trash", "warehouse/incoming"):
            place = self.state / name
            self.assertEqual([path.name for path in place.glob("*")], [], name)
        self.assertNotIn(f"{self.imgdir}/", Path("/proc/self/mountinfo").read_text())

    def soon(self, true: Callable[[], bool], what: str, limit: float = 10.0) -> None:
        """Wait until something becomes true outside of this process."""
        late = time.monotonic() + limit
        while not true():
            self.assertLess(time.monotonic(), late, what)
            threading.Event().wait(0.05)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs that the store knows, oldest first."""
        connection = sqlite3.connect(self.state / "jobs.db")
        try:
            return [json.loads(body) for (body,) in connection.execute("SELECT body FROM jobs ORDER BY position")]
        finally:
            connection.close()

    def records(self, ask: Callable[[Records], Awaitable[T]]) -> Deferred[T]:
        """What `ask` finds in the warehouse of the command."""

        async def asked() -> T:
            from twisted.internet import reactor

            pools = ThreadPools(reactor)
            pools.start()
            async with AsyncExitStack() as stack:
                stack.push_async_callback(pools.stop)
                return await ask(Records(await open_embedded(self.state / "warehouse", pools, stack)))

        return Deferred.fromCoroutine(asked())

    async def attributes(self, kind: Kind, id: str) -> dict[str, str]:
        """The attributes of a record, which has to be there."""
        found = await self.records(lambda records: records.attributes(kind, id))
        assert found is not None, (kind, id)
        return found

    async def body(self, id: str) -> Path:
        """The file of a target image."""
        found = await self.records(lambda records: records.target_image_file(id, self.directory))
        assert found is not None, id
        return found


def _bytes(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
