"""The cache with real files, threads, processes, and disks that are full."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest

from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.cache.interface import Producer
from imagefactory.build.cache.keys import stage_key
from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.errors import NoSpace
from imagefactory.lib.process.interface import Command, Exit, Privilege
from imagefactory.model.report import Report, Silence
from imagefactory.systems.stages.trees import Trees
from imagefactory.testing.build import remove_all
from tests.functional.real import RealTestCase

MIB = 1 << 20
KEY = stage_key("base", {"suite": "bookworm"})
PROGRAM = Path(__file__).with_name("one_obtain.py")


class Obtainer:
    """Another process that obtains the same entry."""

    def __init__(self, test: CacheCase, name: str) -> None:
        self.lines: list[str] = []
        self._heard: dict[str, Event[None]] = {}
        python_path = str(PROGRAM.parents[2])
        argv = (sys.executable, str(PROGRAM), str(test.root), str(test.directory), name)
        command = Command(argv, f"obtaining {name}", env={"PYTHONPATH": python_path}, total=60)
        self.run: Deferred[Exit] = Deferred.fromCoroutine(test.processes.run(command, self._hear))

    def hears(self, text: str) -> Deferred[None]:
        """When the process says `text`."""
        return self._heard.setdefault(text, Event()).wait()

    def _hear(self, line: str) -> None:
        self.lines.append(line)
        for text, event in tuple(self._heard.items()):  # who hears of one thing may ask for the next
            if text in line and not event.fired:
                event.fire(None)


class CacheCase(RealTestCase):
    """Has a cache directory."""

    timeout = 90

    def setUp(self) -> None:
        super().setUp()
        self.root = self.directory / "cache"

    async def cache(self, root: Path | None = None, limit: int = 1 << 40) -> DirectoryCache:
        cache = DirectoryCache(root or self.root, limit, remove=remove_all, threads=self.threads, clock=self.reactor)
        await cache.start()
        return cache

    def unfinished(self, root: Path | None = None) -> list[Path]:
        return [path for name in ("making", "locks", "trash") for path in ((root or self.root) / name).iterdir()]


class ProcessesTests(CacheCase):
    """Several processes, one cache."""

    async def test_one_run_for_two_processes(self) -> None:
        """Both get what the first made, the second says for what it waits."""
        first = Obtainer(self, "first")
        await first.hears("producing")
        second = Obtainer(self, "second")
        await second.hears("waiting for another process")
        (self.directory / "go").touch()
        self.assertTrue((await first.run).ok)
        self.assertTrue((await second.run).ok)
        self.assertIn("got first first", first.lines)
        self.assertIn("got first first", second.lines)
        self.assertEqual(self.unfinished(), [])

    async def test_a_killed_process_delays_no_other(self) -> None:
        """The process that waits takes over, and the files of the killed one are gone."""
        first = Obtainer(self, "first")
        await first.hears("producing")
        second = Obtainer(self, "second")
        await second.hears("waiting for another process")
        [pid] = await self.lock_owners()
        os.kill(pid, 9)
        await second.hears("producing")
        (self.directory / "go").touch()
        self.assertEqual((await first.run).signal, 9)
        self.assertTrue((await second.run).ok)
        self.assertIn("got second second", second.lines)
        self.assertEqual(self.unfinished(), [])

    async def lock_owners(self) -> list[int]:
        """Who has the lock of the one thing that is being made (proc_locks(5))."""
        [lock] = (self.root / "locks").iterdir()
        inode = f":{lock.stat().st_ino}"
        rows = (line.split() for line in Path("/proc/locks").read_text().splitlines())
        return [int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].endswith(inode)]


class FilesTests(CacheCase):
    """Large, sparse, damaged, too many."""

    def writing(self, data: int, size: int) -> Producer:
        async def produce(path: Path, _report: Report) -> Mapping[str, str]:
            path.write_bytes(os.urandom(data))
            os.truncate(path, size)
            return {}

        return produce

    async def test_checking_a_large_disk_costs_its_data(self) -> None:
        """A hit on 2 GiB with 8 MiB of data takes no time worth the name; damage in it is found all the same."""
        cache = await self.cache()
        sparse = await cache.obtain(stage_key("adapt", {}), self.writing(8 * MIB, 2 << 30), Silence())
        started = time.monotonic()
        await cache.obtain(stage_key("adapt", {}), self.writing(1, 1), Silence())
        self.assertLess(time.monotonic() - started, 1)
        self.assertLess(sparse.path.stat().st_blocks * 512, 16 * MIB)
        sparse.path.chmod(0o600)
        with sparse.path.open("r+b") as file:
            file.seek(1 << 30)
            file.write(b"x")
        again = await cache.obtain(stage_key("adapt", {}), self.writing(MIB, MIB), Silence())
        self.assertEqual(again.path.stat().st_size, MIB)

    async def test_eviction_keeps_to_the_limit(self) -> None:
        """Ten results of 1 MiB in a cache of 4: the last ones and the one in use are there."""
        cache = await self.cache(limit=4 * MIB + MIB // 2)
        keys = [stage_key("base", {"number": str(number)}) for number in range(10)]
        held = await cache.obtain(keys[0], self.writing(MIB, MIB), Silence())
        for key in keys[1:]:
            cache.release(await cache.obtain(key, self.writing(MIB, MIB), Silence()))
        self.assertEqual([number for number, key in enumerate(keys) if cache.look(key).hit], [0, 7, 8, 9])
        self.assertEqual(held.path.stat().st_size, MIB)


class TreeTests(CacheCase):
    """Packed trees."""

    def make_tree(self) -> Path:
        """A tree with one of everything."""
        if os.getuid() != 0:
            raise SkipTest("only root can make files of other owners")
        tree = self.directory / "tree"
        (tree / "bin").mkdir(parents=True)
        tool, link = tree / "bin" / "tool", tree / "bin" / "link"
        tool.write_bytes(b"x" * 4096)
        tool.chmod(0o4755)
        os.link(tool, tree / "bin" / "same")
        link.symlink_to("/etc/passwd")
        hole = tree / "hole"
        hole.write_bytes(b"x")
        os.truncate(hole, 64 * MIB)
        os.setxattr(hole, "user.note", b"hello")
        os.chown(hole, 1234, 65534)
        return tree

    def check_tree(self, tree: Path, shift: int = 0) -> None:
        tool = tree / "bin" / "tool"
        self.assertEqual((tool.stat().st_mode & 0o7777, tool.stat().st_nlink), (0o4755, 2))
        self.assertEqual(os.readlink(tree / "bin" / "link"), "/etc/passwd")
        hole = (tree / "hole").stat()
        self.assertEqual((hole.st_uid, hole.st_gid, hole.st_size), (shift + 1234, shift + 65534, 64 * MIB))
        self.assertLess(hole.st_blocks * 512, MIB)
        self.assertEqual(os.getxattr(tree / "hole", "user.note"), b"hello")

    async def test_there_and_back(self) -> None:
        """Owners, modes, links, attributes, capabilities and holes survive."""
        tree, packed, again = self.make_tree(), self.directory / "tree.tar.zst", self.directory / "again"
        capability = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep, VFS v2
        os.setxattr(tree / "bin" / "same", "security.capability", capability)
        trees = Trees(self.processes, self.threads, self.privilege)
        await trees.pack(tree, packed)
        await trees.unpack(packed, again)
        self.check_tree(again)
        self.assertEqual(os.getxattr(again / "bin" / "tool", "security.capability"), capability)

    async def test_in_a_user_namespace(self) -> None:
        """What root packed, an ordinary user's namespace unpacks as its own, and the other way round."""
        tree, packed = self.make_tree(), self.directory / "tree.tar.zst"
        await Trees(self.processes, self.threads, self.privilege).pack(tree, packed)
        inside = Trees(self.processes, self.threads, self.namespace(100_000))
        again, own, back = (self.directory / name for name in ("again", "own.tar.zst", "back"))
        await inside.unpack(packed, again)
        self.check_tree(again, 99_999)
        await inside.pack(again, own)
        await Trees(self.processes, self.threads, self.privilege).unpack(own, back)
        self.check_tree(back)

    def namespace(self, base: int) -> Privilege:
        """A way into a user namespace whose root we are and whose other ids start at `base`; it lives as long as we."""
        holder = subprocess.Popen(["unshare", "--user", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(holder.communicate)
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"x\n")
        holder.stdin.flush()
        holder.stdout.readline()  # it has entered
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{holder.pid}/{name}").write_text(f"0 0 1\n1 {base} 65535\n")
        return Privilege(("nsenter", f"--target={holder.pid}", "--user", "--setuid=0", "--setgid=0", "--"))


class FullDiskTests(CacheCase):
    """A small tmpfs."""

    def setUp(self) -> None:
        super().setUp()
        self.small = self.directory / "small"
        self.small.mkdir()
        mount = ("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(self.small))
        if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            raise SkipTest("only root can mount a small file system")
        self.addCleanup(subprocess.run, ("umount", str(self.small)), check=True)

    async def test_a_result_that_does_not_fit(self) -> None:
        """NoSpace with path and bytes; nothing is left of it, and what was there before still is."""
        cache = await self.cache(self.small / "cache")
        tree = self.directory / "tree"
        tree.mkdir()
        trees = Trees(self.processes, self.threads, self.privilege)

        async def pack(path: Path, _report: Report) -> Mapping[str, str]:
            await trees.pack(tree, path)
            return {}

        small = await cache.obtain(KEY, pack, Silence())
        (tree / "noise").write_bytes(os.urandom(8 * MIB))
        error = await self.fails(NoSpace, cache.obtain(stage_key("base", {}), pack, Silence()))
        self.assertIn(str(self.small), error.where)
        self.assertRegex(str(error), r"\(\d+ bytes\)")
        self.assertEqual(self.unfinished(self.small / "cache"), [])
        self.assertTrue(small.path.exists())
        cache.release(small)  # else its lock keeps the file system busy

    async def test_a_full_disk_at_the_last_step(self) -> None:
        """The body fits, the sidecar does not."""
        cache = await self.cache(self.small / "cache")

        async def fill(path: Path, _report: Report) -> Mapping[str, str]:
            with path.open("wb", buffering=0) as file:
                for size in (MIB, 4096):
                    with contextlib.suppress(OSError):
                        while file.write(bytes([1]) * size) == size:
                            pass
            return {}

        error = await self.fails(NoSpace, cache.obtain(KEY, fill, Silence()))
        self.assertIn("body", error.where)
        self.assertEqual(self.unfinished(self.small / "cache"), [])
