"""A process that obtains one entry: `one_obtain.py CACHE DIRECTORY NAME`.

Its producer notes that it runs, and ends when the file `go` appears in DIRECTORY.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.cache.keys import stage_key
from imagefactory.lib.concurrency.clock import sleep
from imagefactory.lib.concurrency.threads import PoolThreads
from imagefactory.model.report import Report, Silence
from imagefactory.testing.build import remove_all


class Printer(Silence):
    """Says on stdout what happens."""

    def activity(self, text: str) -> None:
        print(f"activity {text}", flush=True)

    def line(self, text: str) -> None:
        print(f"line {text}", flush=True)


async def obtain(reactor: Any, root: Path, directory: Path, name: str) -> None:
    """Start, obtain, say what came of it."""
    threads = PoolThreads(reactor)
    threads.start()
    cache = DirectoryCache(root, 1 << 30, remove=remove_all, threads=threads, clock=reactor)
    await cache.start()

    async def produce(path: Path, report: Report) -> Mapping[str, str]:
        report.activity("producing")
        path.write_text(name)
        while not (directory / "go").exists():
            await sleep(reactor, 0.02)
        return {"made by": name}

    entry = await cache.obtain(stage_key("base", {"suite": "bookworm"}), produce, Printer())
    print(f"got {entry.path.read_text()} {entry.facts['made by']}", flush=True)
    cache.release(entry)
    await threads.stop()


if __name__ == "__main__":
    arguments = (Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    react(lambda reactor: Deferred.fromCoroutine(obtain(reactor, *arguments)))
