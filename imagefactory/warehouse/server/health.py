"""Whether the warehouse works, and how it is used."""

from __future__ import annotations

import json

from imagefactory import __version__
from imagefactory.warehouse.server.call import Call, Reply
from imagefactory.warehouse.server.context import WarehouseContext


async def health(app: WarehouseContext, _: Call) -> Reply:
    """GET /_health: 200 if the database answers, else 503; without authentication."""
    await app.threads.run(app.store.buckets)
    state = {"status": "ok", "version": __version__}
    return Reply(200, json.dumps(state).encode() + b"\n", {"Content-Type": "application/json"})


async def metrics(app: WarehouseContext, _: Call) -> Reply:
    """GET /_metrics: Prometheus' text format."""
    usage = await app.threads.run(app.store.usage)
    gauges = {
        "objects": usage.objects,
        "blobs": usage.blobs,
        "logical_bytes": usage.logical,
        "stored_bytes": usage.allocated,
        "free_bytes": usage.free,
        "copies_waiting": await app.threads.run(app.store.replication.waiting),
    }
    text = app.metrics.text({name: value for name, value in gauges.items() if value is not None})
    return Reply(200, text.encode(), {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
