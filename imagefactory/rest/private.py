"""Files that only the daemon may read."""

from __future__ import annotations

import os
from pathlib import Path

from imagefactory.model.errors import InvalidInput


def write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, mode 0600; InvalidInput if the directory does not let us."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        hint = "give a state directory that can be written (state_dir)"
        raise InvalidInput(f"cannot be written: {error.strerror}", where=str(path), hint=hint) from error
