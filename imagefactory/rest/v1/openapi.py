"""The OpenAPI 3.1 document of the route table."""

from __future__ import annotations

from collections import defaultdict
from http import HTTPStatus
from typing import Any

from imagefactory.rest.errors import STATUS
from imagefactory.rest.v1.fields import FORM, MULTIPART
from imagefactory.rest.v1.routes import ROUTES, Route
from imagefactory.rest.v1.schemas import ANSWERS, BODIES, HEADERS, QUERY, TEXT, ref

_DESCRIPTION = (
    "Version 1.0 of the API, with additions. What is marked with OAuth is signed with two-legged OAuth 1.0 "
    "(RFC 5849, HMAC-SHA1 or HMAC-SHA256). JSON bodies may be wrapped in one object with one name."
)


def openapi_document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in ROUTES:
        paths[route.path][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Image Factory", "version": "1.0", "description": _DESCRIPTION},
        "paths": dict(paths),
        "components": {
            "schemas": {**ANSWERS, **BODIES},
            "securitySchemes": {
                "oauth": {"type": "http", "scheme": "OAuth", "description": "two-legged OAuth 1.0, RFC 5849"}
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.handler.partition(".")[0]],
        "responses": _responses(route),
    }
    if parameters := [
        *map(_path_parameter, route.parameters),
        *(_query_parameter(route, name) for name in route.query),
        *map(_header, route.headers),
    ]:
        operation["parameters"] = parameters
    if route.request:
        media = ("application/json", FORM, MULTIPART)
        required = "required" in BODIES[route.request] or "anyOf" in BODIES[route.request]
        content = {each: {"schema": ref(route.request)} for each in media}
        operation["requestBody"] = {"required": required, "content": content}
    if not route.public:  # reading needs no signature, unless the daemon is told so
        operation["security"] = [{"oauth": []}] if route.protected else [{}, {"oauth": []}]
    return operation


def _operation_id(route: Route) -> str:
    words = [part.strip("{}") for part in route.path.split("/") if part]
    return "_".join([route.method.lower(), *words]).replace(".", "_")


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}


def _query_parameter(route: Route, name: str) -> dict[str, Any]:
    schema, words = QUERY.get(f"{route.handler}:{name}") or QUERY[name]
    return {"name": name, "in": "query", "schema": schema, "description": words}


def _header(name: str) -> dict[str, Any]:
    schema, words = HEADERS[name]
    return {"name": name, "in": "header", "schema": schema, "description": words}


def error_statuses(route: Route) -> set[int]:
    """Those of the error table that a route may answer."""
    unreachable = set()
    if not route.writes:
        unreachable |= {403, 409, 507}
    if not route.request:
        unreachable.add(415)
    if not route.looks_up:
        unreachable.add(404)
    if route.public:
        unreachable.add(401)
    return {status for _, status in STATUS} - unreachable


def _responses(route: Route) -> dict[str, Any]:
    responses = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {"application/json": {"schema": ref("Error")}},
        }
        for status in sorted(error_statuses(route))
    }
    return responses | {str(status): _answer(route, status) for status in (route.status, *route.others)}


def _answer(route: Route, status: int) -> dict[str, Any]:
    words = "imported" if route.request == "NewImage" and status == 200 else HTTPStatus(status).phrase
    if status == 204:
        return {"description": words}
    schema = ref(route.response) if route.response else TEXT
    if status in {s for _, s in STATUS}:  # the door and the gate answer in their own words
        schema = {"anyOf": [schema, ref("Error")]}
    return {"description": words, "content": {route.media: {"schema": schema}}}
