"""Whether a request without a signature may come from where it says: web pages that a browser on this host shows send
requests, too.

A page may send forms anywhere (the browser says so in `Origin` and `Sec-Fetch-Site`), and a name server may point a
name of its own to 127.0.0.1 (DNS rebinding; the name is in `Host`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from twisted.web.http import Request

from imagefactory.lib.errors import Forbidden
from imagefactory.lib.http.host_header import is_loopback, name_in
from imagefactory.rest.client_address import ClientAddress

_NOT_FROM_A_PAGE = {b"same-origin", b"none"}
"""Of the values of Sec-Fetch-Site: from our own origin, or typed in by the user."""


REMEMBERED = 64
"""Host headers whose answer is remembered."""


class RequestSource:
    """Checks requests that no signature protects.

    Args:
        names: host names and addresses under which the service may be called, beside those of the loopback.
        pages: refuse what pages of other origins send, too, not only foreign names.
    """

    def __init__(self, names: Iterable[str], address: ClientAddress, *, pages: bool) -> None:
        self._names = {name_in(name) or name.strip("[]").rstrip(".").lower() for name in names}
        self._address = address
        self._pages = pages
        self._is_ours = lru_cache(REMEMBERED)(self._names_us)  # clients name the same host in each request

    def check(self, request: Request) -> None:
        """Returns if the request may be served.

        Raises:
            Forbidden: it is for a name that is not ours, or a page of another origin sent it.
        """
        host = self._address.host(request)
        if host is None or not self._is_ours(host):
            raise Forbidden("the request is for a host that is not this one", hint="name this host with rest_names")
        if self._pages and self._from_a_page(request):
            hint = "requests of web pages are refused without OAuth; call the API from a program"
            raise Forbidden("the request comes from a page of another origin", hint=hint)

    def _names_us(self, host: bytes) -> bool:
        name = name_in(host.decode("latin-1"))
        return name is not None and (name in self._names or is_loopback(name))

    def _from_a_page(self, request: Request) -> bool:
        headers = request.requestHeaders
        origins = headers.getRawHeaders(b"origin") or ()
        sites = headers.getRawHeaders(b"sec-fetch-site") or ()
        if any(one.lower() != self._address.base(request).lower().encode() for one in origins):
            return True
        return any(one not in _NOT_FROM_A_PAGE for one in sites)
