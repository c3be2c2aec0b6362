"""What the handlers of version 1.0 work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from imagefactory.jobs.interface import Jobs
from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.rest.health import Probe
from imagefactory.rest.interface import Arguments, ImageInventory, ListLeftovers, TargetCatalog
from imagefactory.rest.stream import Streams
from imagefactory.rest.v1.documents import JobDocuments
from imagefactory.rest.v1.ownership import Ownership


@dataclass(frozen=True, slots=True)
class ApiServices:
    """What each handler gets as its first argument.

    `metrics` makes the text of `/metrics`; `openapi` makes the body of the OpenAPI document; `probes` are asked for
    `/health`; `leftovers` lists what interrupted pushes left at providers; `ownership` says who may change what.
    `tasks` owns work that a handler starts and does not await.
    """

    jobs: Jobs
    inventory: ImageInventory
    arguments: Arguments
    targets: TargetCatalog
    documents: JobDocuments
    streams: Streams
    probes: Sequence[Probe]
    metrics: Callable[[], Awaitable[bytes]]
    openapi: Callable[[], bytes]
    leftovers: ListLeftovers
    ownership: Ownership
    tasks: TaskSet
