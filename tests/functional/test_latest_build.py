"""The pointers of one image, moved by several processes over one warehouse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from imagefactory.jobs.execution.completion import LatestBuild
from imagefactory.model.records import BuildRecord, ImageRecord
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.records import Records
from imagefactory.warehouse.store import EmbeddedWarehouse, open_store

PROCESSES, EACH = 3, 40


def open_records(directory: Path) -> Records:
    """The records below a directory, as each process opens them for itself."""
    return Records(EmbeddedWarehouse(open_store(directory), ImmediateThreads()))


async def move(records: Records, prefix: str) -> None:
    """Make one build after the other the latest."""
    latest = LatestBuild(records)
    for number in range(EACH):
        await records.store_build(BuildRecord(f"{prefix}{number}", "i", 1.0))
        await latest.built("i", f"{prefix}{number}")


class ProcessesTests(TestCase):
    """Each build that became the latest is in the chain of parents: no change was lost."""

    async def test_no_change_is_lost(self) -> None:
        """Three processes with forty builds each."""
        directory = Path(self.mktemp())
        records = open_records(directory)
        await records.store_image(ImageRecord("i", b"<image/>", "t"))
        argv = (sys.executable, "-m", "tests.functional.test_latest_build", str(directory.absolute()))
        root = Path(__file__).resolve().parents[2]
        movers = [subprocess.Popen((*argv, f"p{number}-"), cwd=root) for number in range(PROCESSES)]
        self.assertEqual([mover.wait(120) for mover in movers], [0] * PROCESSES)
        image = await records.image("i")
        assert image is not None
        chain, build = [], image.latest_unpushed
        while build is not None:
            chain.append(build)
            record = await records.build(build)
            build = record.parent if record else None
        self.assertEqual(len(set(chain)), PROCESSES * EACH)


if __name__ == "__main__":
    coroutine = move(open_records(Path(sys.argv[1])), sys.argv[2])
    try:
        coroutine.send(None)  # nothing in it waits: threads are immediate
    except StopIteration:
        sys.exit(0)
    sys.exit(1)
