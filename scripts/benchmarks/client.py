"""Sends a file to a warehouse and fetches it again with the factory's own client: `client PORT FILE DIRECTORY`.

Prints the seconds of each.
"""

import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from imagefactory.concurrency.threads import PoolThreads
from imagefactory.warehouse.client import Place, connect_warehouse
from imagefactory.warehouse.store.holes import digest


async def _both_ways(reactor: Any, port: int, file: Path, directory: Path) -> None:
    threads = PoolThreads(reactor, size=4)
    threads.start()
    with file.open("rb") as opened:
        known = digest(opened.fileno())  # as the factory does: it is known from the build
    warehouse = await connect_warehouse(Place(f"http://127.0.0.1:{port}"), reactor, threads)
    began = time.monotonic()
    await warehouse.send("bench", file.name, file, {}, sha256=known)
    sent = time.monotonic()
    fetched = await warehouse.local("bench", file.name, directory / "fetched")
    done = time.monotonic()
    assert fetched is not None
    fetched.unlink()
    await warehouse.delete("bench", file.name)
    await warehouse.close()
    await threads.stop()
    print(sent - began, done - sent)


def main() -> None:
    """The command line."""
    port, file, directory = sys.argv[1:]
    (Path(directory) / "fetched").mkdir(exist_ok=True)
    react(lambda reactor: Deferred.fromCoroutine(_both_ways(reactor, int(port), Path(file), Path(directory))))


if __name__ == "__main__":
    main()
