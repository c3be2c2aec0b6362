"""Jobs that have long ended, written into a job store."""

import time
from pathlib import Path
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from imagefactory.concurrency.threads import PoolThreads
from imagefactory.jobs.interface import Batch
from imagefactory.jobs.owner import this_process
from imagefactory.jobs.store import open_store
from imagefactory.model.jobs import Completed, Job, Operation
from imagefactory.model.report import StageOutcome

STAGES = ("base", "customise", "adapt")
BATCH = 500


def finished(count: int) -> list[Job]:
    """Builds that a real factory might have behind it."""
    now = time.time()
    return [
        Job(
            str(uuid4()), Operation.BUILD, "rhevm", str(uuid4()), str(uuid4()), now - number, Completed(size=1 << 30),
            template_id=str(uuid4()), percent=100, started=now - number, ended=now - number + 40,
            stages=tuple(StageOutcome(kind, uuid4().hex * 2, hit=True, seconds=0.1) for kind in STAGES),
        )
        for number in range(count)
    ]  # fmt: skip


async def _fill(path: Path, count: int) -> None:
    threads = PoolThreads(reactor, size=2)
    threads.start()
    store = await open_store(path, this_process(), threads)
    jobs = finished(count)
    for start in range(0, count, BATCH):
        some = jobs[start : start + BATCH]
        await store.write(Batch(jobs=some, requests={job.id: "{}" for job in some}))
    await store.close()
    await threads.stop()


def main() -> None:
    """`python -m scripts.benchmarks.records PATH COUNT`."""
    import sys

    path, count = Path(sys.argv[1]), int(sys.argv[2])
    react(lambda _: Deferred.fromCoroutine(_fill(path, count)))


if __name__ == "__main__":
    main()
