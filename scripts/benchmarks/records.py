"""Jobs that have long ended, written into a job store."""

import json
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.jobs.store.interface import Batch, JobNode, NewJobs
from imagefactory.jobs.store.sqlite import open_store
from imagefactory.lib.concurrency.threads import PoolThreads
from imagefactory.model.jobs import Completed, Job, Operation, Running
from imagefactory.model.report import StageOutcome

STAGES = ("base", "customise", "adapt")
BATCH = 500
ACTIVITIES = ("reading the mirror's indexes", "customising", "adapting", "storing the image", "")
LINES = 100
LINE = "Setting up libexample{0}:amd64 (1.{0}.0-1+deb12u1) ..."
TEMPLATE = Path(__file__).resolve().parents[2] / "examples" / "debian-12.tdl"


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


def _remembered(jobs: list[Job], last_event: int) -> Batch:
    """With what a build leaves: what a retry needs, an event for each thing it did, its log."""
    events = [replace(job, state=Running("BUILDING"), activity=text) for job in jobs for text in ACTIVITIES]
    return Batch(
        lines=[LogLine(job.id, n, job.created, LINE.format(n)) for job in jobs for n in range(1, LINES + 1)],
        events=[JobEvent(last_event + number, job.created, job) for number, job in enumerate(events, 1)],
    )  # fmt: skip


def _request(job: Job) -> str:
    kept = {"template": TEMPLATE.read_text(), "contents": {}, "template_id": job.template_id, "boot_check": False}
    return json.dumps(kept)


async def _fill(path: Path, count: int) -> None:
    threads = PoolThreads(reactor, size=2)
    threads.start()
    store = await open_store(path, JobNode("benchmark"), threads)
    jobs = finished(count)
    for start in range(0, count, BATCH):
        some = jobs[start : start + BATCH]
        for job in some:
            await store.create(NewJobs([job], {job.id: _request(job)}))
        await store.write(_remembered(some, start * len(ACTIVITIES)), {job.id: 1 for job in some})
    await store.close()
    await threads.stop()


def main() -> None:
    """`python -m scripts.benchmarks.records PATH COUNT`."""
    import sys

    path, count = Path(sys.argv[1]), int(sys.argv[2])
    react(lambda _: Deferred.fromCoroutine(_fill(path, count)))


if __name__ == "__main__":
    main()
