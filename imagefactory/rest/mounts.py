"""The root of a site: resources by the prefix of their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from urllib.parse import unquote_to_bytes

from twisted.web.resource import Resource, getChildForRequest
from twisted.web.server import Request
from werkzeug.exceptions import HTTPException

from imagefactory.rest.errors import ErrorReplies


class Mounts(Resource):
    """Hands a request to the resource with the longest prefix of its path.

    Args:
        resources: by prefix: "" is the root, "/a/b" the path `/a/b` and all below. A resource sees its prefix in
            `prepath` and the rest in `postpath`, as in a tree of twisted.web resources.
        errors: for what is no request that a resource could take apart, and for what is mounted nowhere.
    """

    isLeaf = True

    def __init__(self, resources: Mapping[str, Resource], errors: ErrorReplies) -> None:
        super().__init__()
        self._resources = {_segments(prefix): resource for prefix, resource in resources.items()}
        self._lengths = sorted({len(prefix) for prefix in self._resources}, reverse=True)
        self._errors = errors

    def render(self, request: Request) -> bytes | int:
        """See Resource."""
        try:
            request.method.decode("ascii")
            if b"%" in request.path:
                unquote_to_bytes(request.path).decode()
            return self._render(request)
        except (HTTPException, UnicodeError):
            return cast(bytes, self._errors.reply(400, "the request's address or method is malformed").render(request))

    def _render(self, request: Request) -> bytes | int:
        segments = request.postpath or []
        for length in self._lengths:
            resource = self._resources.get(tuple(segments[:length]))
            if resource is not None:
                request.prepath, request.postpath = segments[:length], segments[length:]
                return cast(bytes | int, getChildForRequest(resource, request).render(request))
        return cast(bytes, self._errors.reply(404, "no such resource", f"see {self._errors.directory}").render(request))


def _segments(prefix: str) -> tuple[bytes, ...]:
    """Raises ValueError for a prefix that no path could have."""
    if prefix and (not prefix.startswith("/") or prefix.endswith("/") or "//" in prefix):
        raise ValueError(f"a prefix begins with / and does not end with it: {prefix!r}")
    return tuple(segment.encode() for segment in prefix.split("/")[1:])
