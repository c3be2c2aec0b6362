"""Ways to have the content of an image file at another path: copy, clone, share, adopt.

Everything here blocks and is run in a thread; see `files.holes` for `watch`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from imagefactory.lib.files.durable import synchronise
from imagefactory.lib.files.holes import Watch, copy_data, data_size, reflink, unwatched
from imagefactory.systems.disk.space import full_disk


def copy_sparse(source: Path, destination: Path, watch: Watch = unwatched) -> None:
    """Copy what is data to a new file of the same size; holes stay holes.

    Raises NoSpace, FileExistsError; leaves no file behind then.
    """
    total = data_size(source)
    with full_disk(destination, total), source.open("rb", buffering=0) as old, _new_file(destination) as new:
        copy_data(old.fileno(), new, watch)


def clone(source: Path, destination: Path, watch: Watch = unwatched) -> None:
    """Another file with the same content: a reflink (shared blocks) where the file system can, else a sparse copy."""
    if not _reflink(source, destination):
        copy_sparse(source, destination, watch)


def share(source: Path, destination: Path, watch: Watch = unwatched) -> None:
    """As `clone`, and where blocks cannot be shared, another name of the same file (hard link).

    For files that are not changed any more.
    """
    if _reflink(source, destination):
        return
    try:
        os.link(source, destination)
    except OSError as failure:
        if failure.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP}:
            raise
        copy_sparse(source, destination, watch)


def adopt(source: Path, destination: Path, watch: Watch = unwatched) -> None:
    """Move the file: at once and durable at `destination` (replacing what is there), gone from `source`.

    A rename on the same file system, else a reflink or sparse copy beside `destination` that is renamed when it is
    complete. Raises NoSpace.
    """
    synchronise(source)
    try:
        source.replace(destination)
    except OSError as failure:
        if failure.errno != errno.EXDEV:
            raise
        _bring(source, destination, watch)
    synchronise(destination.parent)


def _bring(source: Path, destination: Path, watch: Watch) -> None:
    """Move over file systems: the source goes when the copy is in place."""
    beside = destination.with_name(f".{destination.name}.{uuid4().hex[:8]}")
    try:
        clone(source, beside, watch)
        with full_disk(destination, data_size(source)):
            synchronise(beside)
        beside.replace(destination)
    finally:
        beside.unlink(missing_ok=True)
    source.unlink()


@contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """A descriptor of a file that must not exist yet, and that is removed if the block fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        yield descriptor
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _reflink(source: Path, destination: Path) -> bool:
    """Returns whether `destination` now is a reflink of `source`."""
    with source.open("rb") as old, _new_file(destination) as new:
        if reflink(old.fileno(), new):
            return True
    destination.unlink()
    return False
