"""The OpenAPI 3.1 document of the route table."""

from __future__ import annotations

from collections import defaultdict
from http import HTTPStatus
from typing import Any

from imagefactory.rest.fields import FORM, MULTIPART
from imagefactory.rest.routes import ROUTES, Route
from imagefactory.rest.schemas import ANSWERS, BODIES, QUERY, TEXT, ref

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
    ]:
        operation["parameters"] = parameters
    if route.request:
        media = ("application/json", FORM, MULTIPART)
        required = "required" in BODIES[route.request] or "anyOf" in BODIES[route.request]
        content = {each: {"schema": ref(route.request)} for each in media}
        operation["requestBody"] = {"required": required, "content": content}
    if route.protected:
        operation["security"] = [{"oauth": []}]
    return operation


def _operation_id(route: Route) -> str:
    words = [part.strip("{}") for part in route.path.split("/") if part]
    return "_".join([route.method.lower(), *words]).replace(".", "_")


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}


def _query_parameter(route: Route, name: str) -> dict[str, Any]:
    schema, words = QUERY.get(f"{route.handler}:{name}") or QUERY[name]
    return {"name": name, "in": "query", "schema": schema, "description": words}


def _responses(route: Route) -> dict[str, Any]:
    statuses = {route.status, *([200] if route.request == "NewImage" else [])}
    responses = {str(status): _answer(route, status) for status in sorted(statuses)}
    errors = {400, *route.errors, *([413, 415] if route.request else [413])}
    for status in sorted(errors):
        content = {"application/json": {"schema": ref("Error")}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return responses


def _answer(route: Route, status: int) -> dict[str, Any]:
    words = "imported" if status != route.status else HTTPStatus(status).phrase
    if status == 204:
        return {"description": words}
    schema = ref(route.response) if route.response else TEXT
    return {"description": words, "content": {route.media: {"schema": schema}}}
