"""What a site may choose: window, lengths, what of a form is signed, whether a body is checked."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

from oauthlib.oauth1 import Client
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import FactoryError, Unauthorized
from imagefactory.lib.oauth.verifier import FORM, SignatureLimits, Signed, Verifier
from imagefactory.lib.secret import Secret

URL = "http://factory.example/place"
CLIENTS = {"key": Secret("hush")}
FIELDS = urlencode({"name": "ä &"})


class VerifierTests(SynchronousTestCase):
    """Requests that are signed by the same library as all clients use."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.verifier = Verifier(CLIENTS, self.clock.seconds, SignatureLimits(window=60, nonce=(4, 8)))

    def authorization(self, body: str | None = None, kind: str = FORM, *, nonce: str = "12345", skew: int = 0) -> str:
        """The header of a signed POST."""
        stamp = str(int(self.clock.seconds()) + skew)
        client = Client("key", client_secret="hush", timestamp=stamp, nonce=nonce)
        headers = {} if body is None else {"Content-Type": kind}
        return str(client.sign(URL, "POST", body, headers)[1]["Authorization"])

    def check(self, signed: Signed) -> Deferred[None]:
        """Checks it; fails if it is refused."""
        return Deferred.fromCoroutine(self.verifier.authenticate(signed))

    def refusal(self, signed: Signed) -> FactoryError:
        """The error that refuses it."""
        error = self.failureResultOf(self.check(signed), Unauthorized).value
        assert isinstance(error, FactoryError)
        return error

    def test_too_late(self) -> None:
        """What was signed in time, and whose body came after the window, could be accepted twice."""
        seen = self.verifier.verify(Signed("POST", URL, self.authorization()))
        self.clock.advance(61)
        self.failureResultOf(Deferred.fromCoroutine(self.verifier.commit(seen)), Unauthorized)

    def test_once(self) -> None:
        """The same request again is refused; so it is by whichever form it was signed."""
        signed = Signed("POST", URL, self.authorization())
        self.successResultOf(self.check(signed))
        self.assertIn("used before", str(self.refusal(signed)))

    def test_window(self) -> None:
        """Its border is accepted; beyond it the error has the difference, and what to do."""
        self.successResultOf(self.check(Signed("POST", URL, self.authorization(skew=60))))
        error = self.refusal(Signed("POST", URL, self.authorization(skew=-61, nonce="other")))
        self.assertIn("61 s old, 60 are allowed", str(error))
        self.assertIn("clock", error.hint)

    def test_lengths(self) -> None:
        """A nonce shorter or longer than the site allows is malformed."""
        for nonce in ("123", "123456789"):
            self.assertIn("malformed", str(self.refusal(Signed("POST", URL, self.authorization(nonce=nonce)))))
        self.successResultOf(self.check(Signed("POST", URL, self.authorization(nonce="1234"))))

    def test_forms(self) -> None:
        """Only what the site offers may be part of the signature."""
        both = ("", FIELDS)
        self.successResultOf(self.check(Signed("POST", URL, self.authorization(FIELDS, nonce="with"), lambda: both)))
        self.successResultOf(self.check(Signed("POST", URL, self.authorization(nonce="without"[:8]), lambda: both)))
        for header, forms in ((self.authorization(FIELDS, nonce="one"), ("",)), (self.authorization(), (FIELDS,))):
            self.refusal(Signed("POST", URL, header, partial(tuple, forms)))
        self.assertIn(
            "wrong signature",
            str(self.refusal(Signed("POST", URL, self.authorization(FIELDS), lambda: ("", FIELDS + "x")))),
        )

    def test_bodies(self) -> None:
        """A hash is compared with the body that has come, an empty one too; a streamed body is not looked at."""
        header = self.authorization("{text}", "text/plain")
        self.assertIn("body", str(self.refusal(Signed("POST", URL, header, body=b""))))
        self.assertIn("body", str(self.refusal(Signed("POST", URL, header, body=b"{text"))))
        self.successResultOf(self.check(Signed("POST", URL, header, body=b"{text}")))
        self.successResultOf(
            self.check(Signed("POST", URL, self.authorization("{text}", "text/plain", nonce="again"), body=None))
        )

    def test_the_unsigned_cost_nothing(self) -> None:
        """What cannot be good is refused without a look at the fields of the body, wherever parameters may be."""

        def forms() -> tuple[str, ...]:
            self.fail("they were read")

        body = b"a=" + b"%" * 4_000_000
        late, nonce = self.authorization(skew=61), self.authorization(nonce="1")
        headers = ("", "OAuth", "Basic Zm9v", late, nonce, late.replace("oauth_timestamp", "x"))
        for header in headers:
            self.refusal(Signed("POST", URL, header, forms, body))
        self.refusal(Signed("POST", URL + "?oauth_consumer_key=key&oauth_timestamp=x", "", forms, body))

    def test_two_at_the_same_time(self) -> None:
        """Of the same request verified twice before it is noted, one is let in."""
        signed = Signed("POST", URL, self.authorization())
        one, other = self.verifier.verify(signed), self.verifier.verify(signed)
        self.successResultOf(Deferred.fromCoroutine(self.verifier.commit(one)))
        self.failureResultOf(Deferred.fromCoroutine(self.verifier.commit(other)), Unauthorized)

    def test_nothing_shows(self) -> None:
        """What is on its way to be checked does not print its signature or body."""
        shown = repr(Signed("POST", URL, "OAuth oauth_signature", body=b"hush"))
        self.assertNotIn("oauth_signature", shown)
        self.assertNotIn("hush", shown)
