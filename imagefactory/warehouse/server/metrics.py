"""Counters of the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

_METHODS = {"GET", "HEAD", "PUT", "POST", "DELETE"}


class Metrics:
    """Counts requests and bytes; `open` is how many requests are being worked on."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self.open = 0
        self.received = 0
        self.sent = 0

    def answered(self, method: str, status: int) -> None:
        """A request was answered."""
        self._requests[method if method in _METHODS else "other", status] += 1

    def text(self, gauges: Mapping[str, int]) -> str:
        """All of it, and the gauges given, in Prometheus' text format."""
        lines = ["# TYPE warehouse_requests_total counter"]
        for (method, status), count in sorted(self._requests.items()):
            lines.append(f'warehouse_requests_total{{method="{method}",status="{status}"}} {count}')
        for name, total in (("received", self.received), ("sent", self.sent)):
            lines += [f"# TYPE warehouse_{name}_bytes_total counter", f"warehouse_{name}_bytes_total {total}"]
        for name, value in {"open_requests": self.open, **gauges}.items():
            lines += [f"# TYPE warehouse_{name} gauge", f"warehouse_{name} {value}"]
        return "\n".join(lines) + "\n"
