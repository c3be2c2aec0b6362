"""The API about itself: its name, its description, its health, its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable

from imagefactory import __version__
from imagefactory.rest.call import Call
from imagefactory.rest.openapi import openapi_document
from imagefactory.rest.reply import Reply, json_reply

API = {"name": "imagefactory", "version": "1.0"}


class Info:
    """`/imagefactory`, its OpenAPI document, `/health` and `/metrics`."""

    def __init__(self, metrics: Callable[[], bytes]) -> None:
        self._metrics = metrics
        self._openapi: bytes = b""

    def api(self, call: Call) -> Reply:
        """What version 1.0 answered."""
        return json_reply(API)

    def openapi(self, call: Call) -> Reply:
        """Made when first asked for."""
        self._openapi = self._openapi or json.dumps(openapi_document()).encode()
        return Reply(self._openapi)

    def health(self, call: Call) -> Reply:
        """That this is answered at all is the news."""
        return json_reply({"status": "ok", "version": __version__})

    def metrics(self, call: Call) -> Reply:
        """Prometheus' text format, version 0.0.4."""
        return Reply(self._metrics(), media=b"text/plain; version=0.0.4; charset=utf-8")
