"""The parts of imagefactory.rest(7) that come from the tables of the API: its addresses, requests and answers."""

from collections.abc import Iterator, Mapping
from typing import Any

from imagefactory.rest.route_table import Parameter, Route
from imagefactory.rest.v1.openapi import openapi_document
from imagefactory.rest.v1.routes import ROUTES, TABLE
from imagefactory.rest.v1.schemas import ANSWERS, BODIES, Schema

TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
}


def addresses() -> str:
    """Every method and path: what it does, takes and answers."""
    paths = openapi_document(ROUTES, TABLE.version)["paths"]
    return "".join(_route(route, paths[route.path][route.method.lower()]["responses"]) for route in ROUTES)


def requests() -> str:
    """The fields of all bodies."""
    return "".join(_document(name, schema) for name, schema in BODIES.items())


def answers() -> str:
    """The fields of all answers."""
    return "".join(_document(name, schema) for name, schema in ANSWERS.items() if "properties" in schema)


def _route(route: Route[Any], responses: Mapping[str, Any]) -> str:
    facts = ["needs OAuth"] if route.protected else []
    if route.request:
        facts.append(f"takes {route.request}")
    if route.media != "application/json":
        facts.append(f"answers {route.media}")
    elif route.response:
        facts.append(f"answers {route.response}")
    facts.append(f"status {', '.join(sorted(responses))}")
    path = _roff(route.path).replace("{", ":").replace("}", "")
    query = "".join(f" {_query(each)}" for each in route.query)
    words = "; ".join(facts)
    return f".TP\n.B {route.method} {path}\n{_roff(route.summary)}. {_roff(words[0].upper() + words[1:])}.{query}\n"


def _query(parameter: Parameter) -> str:
    return f"{_bold(parameter.name)}: {_roff(parameter.description)}."


def _document(name: str, schema: Schema) -> str:
    parts = [f".SS {name}\n"]
    if "description" in schema:
        parts.append(f"{_roff(schema['description'])}\n")
    required = set(schema.get("required", ()))
    optional = set(schema["properties"]) - required if required else set()
    parts += [_field(field, inside, field in optional) for field, inside in schema["properties"].items()]
    return "".join(parts)


def _field(name: str, schema: Schema, optional: bool) -> str:
    facts = [_type(schema), *(["may be absent"] if optional else [])]
    words = f"\n{_roff(schema['description'])}" if "description" in schema else ""
    return f".TP\n{_bold(name)} ({_roff(', '.join(facts))}){words}\n"


def _type(schema: Schema) -> str:
    """For people: "text or null", "list of Builder", "one of NEW, FAILED"."""
    if "enum" in schema:
        values = list(map(str, schema["enum"]))
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    return " or ".join(_names(schema))


def _names(schema: Schema) -> Iterator[str]:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    for name in types:
        yield "time in UTC (RFC 3339)" if name == "string" and schema.get("format") == "date-time" else TYPES[name]


def _bold(text: str) -> str:
    return f"\\fB{_roff(text)}\\fR"


def _roff(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")
