"""Finished images that the warehouse did not take, kept so that a retry only stores them.

A retry that reads the package indexes again would build anew whenever the mirror has changed, and not at all while it
is down.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from twisted.logger import Logger

from imagefactory.build.image_writer import BuiltImage
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.files.content import content_of
from imagefactory.lib.files.holes import Watch, unwatched
from imagefactory.systems.disk.copies import share
from imagefactory.systems.disk.stoppable import stoppable

DAYS = 7
"""How long one is kept for a retry."""

_IMAGE, _CARD = "image", "card.json"
_log = Logger()


class PendingUploads:
    """A directory with one image per job: another name of the file in the cache, which may be evicted there."""

    def __init__(self, root: Path, threads: Threads, now: Callable[[], float]) -> None:
        self._root = root
        self._threads = threads
        self._now = now

    async def keep(self, id: str, image: Path, finished: BuiltImage) -> bool:
        """Keep the image of job `id`; False, with a line in the log, if that does not work either."""
        try:
            await stoppable(self._threads, lambda watch: self._keep(id, image, finished, watch))
        except OSError as error:
            _log.error("the image of job {id} cannot be kept: {error}", id=id, error=error)
            await self.drop(id)
            return False
        return True

    async def find(self, id: str) -> BuiltImage | None:
        """What is kept of job `id`, its body the file that is kept; None if nothing is, or it is damaged."""
        return await stoppable(self._threads, lambda watch: self._find(id, watch))

    async def has(self, id: str) -> bool:
        """Whether there is anything."""
        return await self._threads.run((self._root / id / _CARD).exists)

    async def drop(self, id: str) -> None:
        """Keep it no longer."""
        await self._threads.run(shutil.rmtree, self._root / id, ignore_errors=True)

    async def sweep(self) -> None:
        """Remove what is older than `DAYS` days."""
        await self._threads.run(self._sweep)

    def _keep(self, id: str, image: Path, finished: BuiltImage, watch: Watch = unwatched) -> None:
        self._sweep()
        place = self._root / id
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, mode=0o700)
        share(image, place / _IMAGE, watch)
        card = {
            "size": finished.size,
            "content": finished.content,
            "icicle": None if finished.icicle is None else finished.icicle.decode(),
            "parameters": finished.parameters,
            "notes": dict(finished.notes or {}),
        }
        half = place / f".{_CARD}"
        half.write_text(json.dumps(card))
        half.replace(place / _CARD)  # what has no card is not there

    def _find(self, id: str, watch: Watch = unwatched) -> BuiltImage | None:
        place = self._root / id
        body = place / _IMAGE
        try:
            card = json.loads((place / _CARD).read_text())
            if content_of(body, watch) == card["content"]:
                icicle = None if card["icicle"] is None else card["icicle"].encode()
                return BuiltImage(body, card["size"], card["content"], icicle, card["parameters"], card["notes"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warn("what is kept of job {id} cannot be read: {error}", id=id, error=error)
        shutil.rmtree(place, ignore_errors=True)
        return None

    def _sweep(self) -> None:
        for place in self._root.glob("*"):
            with suppress(FileNotFoundError):  # a job that is stored meanwhile removes its own
                if place.stat().st_mtime < self._now() - DAYS * 86_400:
                    shutil.rmtree(place, ignore_errors=True)
