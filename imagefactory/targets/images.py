"""Reading an image by its data extents; holes are never read."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.files.holes import CHUNK, data_of, read_exactly


class ImageReader(Protocol):
    """An open image."""

    @property
    def size(self) -> int:
        """In bytes, holes included."""
        ...

    @property
    def extents(self) -> tuple[tuple[int, int], ...]:
        """(start, length) in bytes of everything that is not a hole, in order."""
        ...

    async def read(self, start: int, length: int) -> bytes:
        """Returns exactly these bytes; OSError if the image ends before."""
        ...


class ImageFileReader:
    """An `ImageReader` of a local file; made by `reading`. Opening blocks. Raises OSError."""

    def __init__(self, path: Path, threads: Threads) -> None:
        self._threads = threads
        self._file = path.open("rb", buffering=0)
        self.size = os.fstat(self._file.fileno()).st_size
        self.extents = tuple(data_of(self._file.fileno()))

    async def read(self, start: int, length: int) -> bytes:
        """See `ImageReader`."""
        return await self._threads.run(read_exactly, self._file.fileno(), start, length)

    def close(self) -> None:
        """Blocks."""
        self._file.close()


@asynccontextmanager
async def reading(path: Path, threads: Threads) -> AsyncIterator[ImageFileReader]:
    """Open a local file. Raises OSError."""
    opening = Task(threads.run(ImageFileReader, path, threads))
    interruption = await opening.settled()
    reader = await opening
    try:
        if interruption is not None:
            raise interruption
        yield reader
    finally:
        await shield(threads.run(reader.close))


async def pieces(reader: ImageReader) -> AsyncIterator[tuple[int, bytes]]:
    """The data of an image without its holes, in order: where each piece starts, and its at most CHUNK bytes."""
    for start, length in reader.extents:
        for at in range(start, start + length, CHUNK):
            yield at, await reader.read(at, min(CHUNK, start + length - at))


async def whole(reader: ImageReader) -> bytes:
    """Returns all bytes of a small image."""
    body = bytearray(reader.size)
    async for start, data in pieces(reader):
        body[start : start + len(data)] = data
    return bytes(body)
