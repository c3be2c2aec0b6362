"""Sends a file to a warehouse and fetches it again with the factory's own client: `client BUCKET_URL FILE DIRECTORY`.

Prints the seconds of each.
"""

import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from imagefactory.lib.concurrency.threads import PoolThreads
from imagefactory.lib.files.content import content_of
from imagefactory.warehouse.client import WarehouseAddress, connect_warehouse


async def _both_ways(reactor: Any, url: str, file: Path, directory: Path) -> None:
    threads = PoolThreads(reactor, size=4)
    threads.start()
    known = content_of(file)  # as the factory does: it is known from the build
    base, _, bucket = url.rpartition("/")
    warehouse = await connect_warehouse(WarehouseAddress(base), reactor, threads)
    began = time.monotonic()
    await warehouse.adopt(bucket, file.name, file, {}, content=known, keep=True)
    sent = time.monotonic()
    fetched = await warehouse.local(bucket, file.name, directory / "fetched")
    done = time.monotonic()
    assert fetched is not None
    fetched.unlink()
    await warehouse.delete(bucket, file.name)
    await warehouse.close()
    await threads.stop()
    print(sent - began, done - sent)


def main() -> None:
    """The command line."""
    url, file, directory = sys.argv[1:]
    (Path(directory) / "fetched").mkdir(exist_ok=True)
    react(lambda reactor: Deferred.fromCoroutine(_both_ways(reactor, url, Path(file), Path(directory))))


if __name__ == "__main__":
    main()
