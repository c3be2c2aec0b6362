"""The reference part of the API's manual, from the route table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from imagefactory.rest.routes import ROUTES, Route
from imagefactory.rest.schemas import ANSWERS, BODIES, QUERY, Schema


def manual_markdown(routes: Iterable[Route] = ROUTES) -> str:
    """All routes with what they take and answer, in Markdown."""
    return "\n".join(line for route in routes for line in _section(route))


def _section(route: Route) -> Iterator[str]:
    mark = " (OAuth)" if route.protected else ""
    yield f"### {route.method} {route.path}{mark}"
    yield ""
    yield f"{route.summary}. Answers {_answer(route)}."
    yield ""
    for key in route.query:
        name, _, words = QUERY[key]
        yield f"- `?{name}=`: {words}"
    if route.request:
        yield from _fields(BODIES[route.request])
    if route.query or route.request:
        yield ""
    if route.response and route.method == "GET":
        yield f"Fields: {', '.join(f'`{name}`' for name in ANSWERS[route.response].get('properties', {})) or 'any'}."
        yield ""


def _answer(route: Route) -> str:
    statuses = [f"{route.status} {HTTPStatus(route.status).phrase}"]
    if route.request == "NewImage":
        statuses.append("200 OK for an import")
    if route.media != "application/json":
        statuses[0] += f" as `{route.media}`"
    return ", ".join(statuses)


def _fields(schema: Schema) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, each in schema["properties"].items():
        yield f"- `{name}`{' (required)' if name in required else ''}: {_words(each)}"


def _words(schema: dict[str, Any]) -> str:
    return str(schema.get("description", ""))
