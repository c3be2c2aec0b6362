"""The control connection."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, Unavailable
from imagefactory.systems.qemu.qmp import Qmp, connect

GREETING = {"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}


class Endpoint:
    """Connects at once to a transport that the test plays."""

    def __init__(self) -> None:
        self.transport = StringTransport()
        self.protocol: Any = None

    def connect(self, factory: Factory) -> Deferred[Any]:
        self.protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        self.protocol.makeConnection(self.transport)
        return succeed(self.protocol)


class QmpTests(SynchronousTestCase):
    """Commands, replies, events."""

    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.events: list[tuple[str, dict[str, Any]]] = []
        work = Deferred.fromCoroutine(connect(self.endpoint, lambda *event: self.events.append(event)))  # type: ignore
        self.say(GREETING)
        self.assertEqual(self.asked(), {"execute": "qmp_capabilities", "id": 1})
        self.say({"return": {}, "id": 1})
        self.qmp: Qmp = self.successResultOf(work)

    def say(self, message: object) -> None:
        self.endpoint.protocol.dataReceived(json.dumps(message).encode() + b"\r\n")

    def asked(self) -> Any:
        text = self.endpoint.transport.value()
        self.endpoint.transport.clear()
        return json.loads(text)

    def start(self, command: str, **arguments: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.qmp.execute(command, **arguments))

    def test_answers_find_their_commands(self) -> None:
        """By id, in whatever order; events in between go elsewhere."""
        first = self.start("query-status")
        self.asked()
        second = self.start("human-monitor-command", command_line="info usernet")
        self.assertEqual(self.asked()["arguments"], {"command-line": "info usernet"})
        self.say({"event": "STOP", "timestamp": {}})
        self.say({"return": "text", "id": 3})
        self.assertNoResult(first)
        self.assertEqual(self.successResultOf(second), "text")
        self.say({"return": {"status": "running"}, "id": 2})
        self.assertEqual(self.successResultOf(first), {"status": "running"})
        self.assertEqual(self.events, [("STOP", {})])

    def test_a_refusal_is_an_error_with_qemus_words(self) -> None:
        """The connection goes on."""
        work = self.start("nonsense")
        self.say({"error": {"class": "CommandNotFound", "desc": "The command nonsense has not been found"}, "id": 2})
        self.assertIn("nonsense has not", str(self.failureResultOf(work, BuildFailed).value))

    def test_a_lost_connection_fails_what_is_open_and_what_comes(self) -> None:
        """No command waits for ever."""
        work = self.start("query-status")
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(work, Unavailable)
        self.failureResultOf(self.start("query-status"), Unavailable)

    def test_quit_ends_with_the_connection(self) -> None:
        """Whether qemu still replies or not."""
        work = Deferred.fromCoroutine(self.qmp.quit())
        self.assertEqual(self.asked()["execute"], "quit")
        self.assertNoResult(work)
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(work)

    def test_an_answer_to_a_cancelled_command_is_ignored(self) -> None:
        """The next one gets its own."""
        work = self.start("query-status")
        work.cancel()
        self.failureResultOf(work, CancelledError)
        self.say({"return": "late", "id": 2})
        following = self.start("query-name")
        self.say({"return": "mine", "id": 3})
        self.assertEqual(self.successResultOf(following), "mine")

    def test_rubbish_ends_the_connection(self) -> None:
        """That is not qemu."""
        self.endpoint.protocol.dataReceived(b"HTTP/1.1 200 OK\n")
        self.assertTrue(self.endpoint.transport.disconnecting)

    @given(
        st.one_of(
            st.binary(max_size=60),
            st.builds(
                lambda value: json.dumps(value).encode(),
                st.recursive(
                    st.none() | st.integers() | st.text(max_size=8),
                    lambda inner: st.dictionaries(
                        st.sampled_from(["id", "return", "error", "event", "data", "QMP"]), inner
                    ),
                ),
            ),
        )
    )
    def test_no_line_breaks_it(self, line: bytes) -> None:
        """Whatever comes, the protocol raises nothing, not even to a command that waits for its reply."""
        self.start("query-status").addErrback(lambda _: None)
        self.endpoint.protocol.dataReceived(line + b"\n")
