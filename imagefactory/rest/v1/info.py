"""The API about itself: its name, its description, its health, its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from imagefactory import __version__
from imagefactory.lib.concurrency.task import Task
from imagefactory.rest.call import Call
from imagefactory.rest.health import Probe
from imagefactory.rest.reply import Reply, json_reply
from imagefactory.rest.v1.openapi import openapi_document

API = {"name": "imagefactory", "version": "1.0"}


class Info:
    """`/imagefactory`, its OpenAPI document, `/health` and `/metrics`."""

    def __init__(self, metrics: Callable[[], bytes], opened: Callable[[], bool], probes: Sequence[Probe]) -> None:
        self._metrics = metrics
        self._opened = opened
        self._probes = probes
        self._openapi: bytes = b""

    def api(self, call: Call) -> Reply:
        """What version 1.0 answered."""
        return json_reply(API)

    def openapi(self, call: Call) -> Reply:
        """Made when first asked for."""
        self._openapi = self._openapi or json.dumps(openapi_document()).encode()
        return Reply(self._openapi)

    async def health(self, call: Call) -> Reply:
        """503 while it stops, or when one that it needs does not answer."""
        if not self._opened():
            return json_reply({"status": "stopping", "version": __version__}, 503)
        looks = [(probe.name, Task(probe.look())) for probe in self._probes]  # at the same time
        answers = {name: await task for name, task in looks}
        remote_jobs = {name: "ok" if good else "no answer" for name, good in answers.items()}
        good = all(answers.values())
        document = {"status": "ok" if good else "failing", "version": __version__, **remote_jobs}
        return json_reply(document, 200 if good else 503)

    def metrics(self, call: Call) -> Reply:
        """Prometheus' text format, version 0.0.4."""
        return Reply(self._metrics(), media=b"text/plain; version=0.0.4; charset=utf-8")
