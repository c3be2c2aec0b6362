"""Signing, as our own verifier sees it."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Unauthorized
from imagefactory.lib.oauth.signer import Signer
from imagefactory.lib.oauth.verifier import SignatureLimits, Signed, Verifier
from imagefactory.lib.secret import Secret

URL = "http://warehouse.example:9090/bucket/key?a=%20b"


class SignerTests(SynchronousTestCase):
    """One key."""

    def setUp(self) -> None:
        self.verifier = Verifier({"key": Secret("hush")}, lambda: 1_800_000_000.5, SignatureLimits(window=1))

    def check(self, signed: Signed) -> Deferred[None]:
        """Checks it; fails if it is refused."""
        return Deferred.fromCoroutine(self.verifier.authenticate(signed))

    def signed(self, secret: str = "hush", url: str = URL) -> Signed:
        """A request as the verifier gets it."""
        headers = Signer("key", Secret(secret), lambda: 1_800_000_000.9).headers("PUT", url)
        self.assertEqual(list(headers), ["Authorization"])
        return Signed("PUT", URL, headers["Authorization"])

    def test_each_request_is_its_own(self) -> None:
        """Two in the same second are both good, each once."""
        one, two = self.signed(), self.signed()
        self.successResultOf(self.check(one))
        self.successResultOf(self.check(two))
        self.failureResultOf(self.check(two), Unauthorized)

    def test_secret_and_url_count(self) -> None:
        """Another secret or place is another signature; the secret is not in it."""
        self.failureResultOf(self.check(self.signed("other")), Unauthorized)
        self.failureResultOf(self.check(self.signed(url=URL + "c")), Unauthorized)
        self.assertNotIn("hush", self.signed().authorization)
