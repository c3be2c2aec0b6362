"""The routes of one version of the API, declared once.

From a table come the routing, the answers to wrong methods, the OpenAPI document and the manual page. It knows its
handlers as callables and nothing of the services behind them, so tables of several versions can be mounted together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

from imagefactory.rest.call import BodyFormat, RestCall
from imagefactory.rest.errors import ErrorReplies
from imagefactory.rest.reply import RestReply

S = TypeVar("S")

#: What comes of a handler; None if it has written the response itself (a stream).
Response = RestReply | None
#: What a handler returns.
Handled = RestReply | Coroutine[Deferred[Any], Any, Response]
#: Called with the services of its table and the request.
Handler = Callable[[S, RestCall], Handled]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter or a request header; `schema` is JSON Schema."""

    name: str
    schema: Mapping[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class Route(Generic[S]):
    """One method on one path.

    `path` is the whole path, with ids as `{image_id}`. `request` and `response` name schemas of the version's
    documents. A `protected` route demands authentication; a `public` one is open even if reads demand it, too.
    `others` are further statuses with the same document. `headers` are request headers that no other route reads.
    """

    method: str
    path: str
    handler: Handler[S]
    summary: str
    status: int = 200
    response: str = ""
    request: str = ""
    query: tuple[Parameter, ...] = ()
    media: str = "application/json"
    protected: bool = False
    public: bool = False
    others: tuple[int, ...] = ()
    headers: tuple[Parameter, ...] = ()

    @property
    def name(self) -> str:
        """Method and path: the name in metrics."""
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the ids in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))


@dataclass(frozen=True, slots=True)
class RouteTable(Generic[S]):
    """The routes below `prefix` ("" for the root), how errors are written there and how bodies are read.

    `version` is the version that these routes belong to, as clients see it.
    """

    prefix: str
    routes: tuple[Route[S], ...]
    errors: ErrorReplies
    version: str
    bodies: BodyFormat

    def __post_init__(self) -> None:
        """Raises ValueError for a route outside of the prefix, and for one that stands there twice."""
        seen = set()
        for route in self.routes:
            if route.path != self.prefix and not route.path.startswith(self.prefix + "/"):
                raise ValueError(f"{route.name} is not below {self.prefix}")
            shape = (route.method, re.sub("{.*?}", "{}", route.path))
            if shape in seen:
                raise ValueError(f"{route.name} stands in the table twice")
            seen.add(shape)
