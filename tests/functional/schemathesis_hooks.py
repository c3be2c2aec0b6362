"""What schemathesis gets to know of the daemon it asks: ids of real images, a template that builds, a client's key.

It reads them as JSON from the environment variable `KNOWN`; without them it would hear of nothing but 404 and 401.
"""

from __future__ import annotations

import json
import os
from typing import Any

import schemathesis
from requests_oauthlib import OAuth1

KNOWN: dict[str, Any] = json.loads(os.environ["KNOWN"])
IDS: list[dict[str, str]] = KNOWN["ids"]
FIELDS: dict[str, str] = KNOWN["fields"]

if KNOWN["client"]:
    schemathesis.auth.set_from_requests(OAuth1(*KNOWN["client"]))


@schemathesis.hook
def map_path_parameters(
    context: schemathesis.HookContext, path_parameters: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Three of four requests are about something that there is; what may be removed is not asked for again."""
    share = _share(path_parameters)
    if not path_parameters or share == 0:
        return path_parameters
    assert context.operation is not None
    known = IDS[-1] if context.operation.method.upper() == "DELETE" else IDS[0]
    return {name: known.get(name, value) for name, value in path_parameters.items()}


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Of the fields that are there, some have a value that means something."""
    if not isinstance(body, dict):
        return body
    share = _share(body)
    return {
        name: FIELDS[name] if name in FIELDS and (share + place) % 2 else value
        for place, (name, value) in enumerate(body.items())
    }


def _share(value: object) -> int:
    """A number from 0 to 3 that is the same whenever this value comes."""
    return sum(repr(value).encode()) % 4
