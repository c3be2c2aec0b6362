"""The name of the API, its description, its health, its metrics."""

from __future__ import annotations

from imagefactory import __version__
from imagefactory.rest.call import RestCall
from imagefactory.rest.reply import RestReply, json_reply
from imagefactory.rest.v1.services import ApiServices

VERSION = "1.0"


def version(api: ApiServices, call: RestCall) -> RestReply:  # noqa: ARG001 - as all handlers
    """Returns name and version of the API."""
    return json_reply({"name": "imagefactory", "version": VERSION})


def openapi(api: ApiServices, call: RestCall) -> RestReply:  # noqa: ARG001 - as all handlers
    """Returns the OpenAPI document."""
    return RestReply(api.openapi())


async def health(api: ApiServices, call: RestCall) -> RestReply:  # noqa: ARG001 - as all handlers
    """Returns 503 while the daemon stops, or when a service that it needs does not answer."""
    if not api.jobs.open:
        return json_reply({"status": "stopping", "version": __version__}, 503)
    asked = [(probe.name, api.tasks.add(probe.check())) for probe in api.probes]  # at the same time
    answered = {name: await task for name, task in asked}
    good = all(answered.values())
    services = {name: "ok" if answers else "no answer" for name, answers in answered.items()}
    document = {"status": "ok" if good else "failing", "version": __version__, **services}
    return json_reply(document, 200 if good else 503)


async def metrics(api: ApiServices, call: RestCall) -> RestReply:  # noqa: ARG001 - as all handlers
    """Returns the metrics in Prometheus' text format, version 0.0.4."""
    return RestReply(await api.metrics(), media=b"text/plain; version=0.0.4; charset=utf-8")
