"""Whether something that answers at an address is a warehouse."""

from __future__ import annotations

from email.message import Message
from unittest.mock import patch
from urllib.error import HTTPError, URLError

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.app.storage import answers


class AnswersTests(SynchronousTestCase):
    """Before the reactor runs."""

    def told(self, failure: Exception) -> bool:
        """What is thought of an address where this happens."""
        with patch("imagefactory.app.storage.urlopen", side_effect=failure):
            return answers("http://localhost:9090/")

    def refusal(self, **headers: str) -> HTTPError:
        """401 with these headers."""
        given = Message()
        for name, text in headers.items():
            given[name.replace("_", "-")] = text
        return HTTPError("http://localhost:9090/", 401, "Unauthorized", given, None)

    def test_one_that_wants_to_know_who_asks(self) -> None:
        """A warehouse of ours that answers 401 is one; any other server that does so is none."""
        self.assertTrue(self.told(self.refusal(X_Warehouse="1")))
        self.assertTrue(self.told(self.refusal(Server="imagewarehouse/1.0")))
        self.assertFalse(self.told(self.refusal(Server="nginx")))

    def test_no_server(self) -> None:
        """No server is no warehouse."""
        self.assertFalse(self.told(URLError("refused")))
