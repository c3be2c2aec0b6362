"""The least that Klein can serve: what the REST API is compared with. Run as `python -m scripts.benchmarks.hello`."""

import sys

from klein import Klein
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.web.server import Site

app = Klein()


@app.route("/hello/<name>/status")
def hello(_request: object, **_names: str) -> bytes:
    """As many parts in the path as the resource that it is compared with."""
    return b"hello"


serverFromString(reactor, sys.argv[1]).listen(Site(app.resource()))
reactor.run()
