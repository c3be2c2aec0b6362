"""The OpenAPI 3.1 document of the route table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from imagefactory.lib.http.forms import FORM, MULTIPART
from imagefactory.rest.errors import STATUS
from imagefactory.rest.route_table import Parameter, Route
from imagefactory.rest.v1.schemas import ANSWERS, BODIES, TEXT, ref

_DESCRIPTION = (
    "Version 1.0 of the API, with additions. What is marked with OAuth is signed with two-legged OAuth 1.0 "
    "(RFC 5849, HMAC-SHA1 or HMAC-SHA256). JSON bodies may be wrapped in one object with one name."
)


def openapi_document(routes: Iterable[Route[Any]], version: str) -> dict[str, Any]:
    """Returns the whole document of these routes."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Image Factory", "version": version, "description": _DESCRIPTION},
        "paths": dict(paths),
        "components": {
            "schemas": {**ANSWERS, **BODIES},
            "securitySchemes": {
                "oauth": {"type": "http", "scheme": "OAuth", "description": "two-legged OAuth 1.0, RFC 5849"}
            },
        },
    }


def _operation(route: Route[Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.handler.__module__.rpartition(".")[2]],
        "responses": _responses(route),
    }
    if parameters := [
        *map(_path_parameter, route.parameters),
        *(_parameter(each, "query") for each in route.query),
        *(_parameter(each, "header") for each in route.headers),
    ]:
        operation["parameters"] = parameters
    if route.request:
        media = ("application/json", FORM, MULTIPART)
        required = "required" in BODIES[route.request] or "anyOf" in BODIES[route.request]
        content = {each: {"schema": ref(route.request)} for each in media}
        operation["requestBody"] = {"required": required, "content": content}
    if not route.public:  # reads need no signature unless oauth_reads is set
        operation["security"] = [{"oauth": []}] if route.protected else [{}, {"oauth": []}]
    return operation


def _operation_id(route: Route[Any]) -> str:
    words = [part.strip("{}") for part in route.path.split("/") if part]
    return "_".join([route.method.lower(), *words]).replace(".", "_")


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}


def _parameter(parameter: Parameter, place: str) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": place,
        "schema": parameter.schema,
        "description": parameter.description,
    }


def error_statuses(route: Route[Any]) -> set[int]:
    """Returns the statuses of the error table that a route may reply with."""
    unreachable = set()
    if not route.writes:
        unreachable |= {409, 507}
    if not route.request:
        unreachable.add(415)
    if not _looks_up(route):
        unreachable.add(404)
    if route.public:
        unreachable.add(401)
    return {status for _, status in STATUS} - unreachable


def _looks_up(route: Route[Any]) -> bool:
    """Whether it may reply with 404."""
    return route.writes or "{" in route.path or bool({"after", "id"} & {each.name for each in route.query})


def _responses(route: Route[Any]) -> dict[str, Any]:
    responses = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {"application/json": {"schema": ref("Error")}},
        }
        for status in sorted(error_statuses(route))
    }
    return responses | {str(status): _answer(route, status) for status in (route.status, *route.others)}


def _answer(route: Route[Any], status: int) -> dict[str, Any]:
    words = "imported" if route.request == "NewImage" and status == 200 else HTTPStatus(status).phrase
    if status == 204:
        return {"description": words}
    schema = ref(route.response) if route.response else TEXT
    if status in {s for _, s in STATUS}:  # from the limits and the authentication, too
        schema = {"anyOf": [schema, ref("Error")]}
    return {"description": words, "content": {route.media: {"schema": schema}}}
