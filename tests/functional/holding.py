"""The command, held at a place that it would pass in a moment: `holding.py PLACE ARGUMENT...`.

It says `held at PLACE`, and goes on when it is interrupted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from imagefactory.cli import main
from imagefactory.lib.files.holes import Watch
from imagefactory.systems.stages.trees import Trees
from imagefactory.targets import condorcloud, mock
from imagefactory.warehouse.records import Records


def say(place: str) -> None:
    """What the test waits for."""
    sys.stderr.write(f"held at {place}\n")
    sys.stderr.flush()


def hold_method(place: str, owner: type, name: str, *, after: bool) -> None:
    """Hold a coroutine before or after its work."""
    original = getattr(owner, name)

    async def held(*arguments: Any, **options: Any) -> Any:
        if after:
            await original(*arguments, **options)
        say(place)
        await Deferred()

    setattr(owner, name, held)


def hold_clone() -> None:
    """When the image is in the cloud's staging directory."""
    original = condorcloud.clone

    def clone(source: Path, destination: Path, watch: Watch) -> None:
        original(source, destination, watch)
        say("condorcloud")
        while True:
            watch(0, 1)
            time.sleep(0.05)

    condorcloud.clone = clone  # type: ignore[attr-defined]


def hold_mock() -> None:
    """When a part of the image is at the provider; for a kill only."""

    def write(path: Path, _body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".new").write_bytes(b"a part")
        say("mock")
        while True:
            time.sleep(1)

    mock._write = write


PLACES: dict[str, Callable[[], None]] = {
    "unpack": lambda: hold_method("unpack", Trees, "unpack", after=True),
    "storing": lambda: hold_method("storing", Records, "store_target_image", after=False),
    "condorcloud": hold_clone,
    "mock": hold_mock,
}

if __name__ == "__main__":
    PLACES[sys.argv.pop(1)]()
    main()
