"""Texts that must not be seen."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.secret import Secret, without_secrets


class SecretTests(SynchronousTestCase):
    """A secret is shown only by `reveal`."""

    def test_hidden(self) -> None:
        """In no representation; whether there is one may be known."""
        secret = Secret("hush")
        self.assertNotIn("hush", f"{secret} {secret!r} {[secret]}")
        self.assertEqual((secret.reveal(), bool(secret), bool(Secret(""))), ("hush", True, False))


class AddressTests(SynchronousTestCase):
    """URLs for people."""

    def test_nothing_secret_is_left(self) -> None:
        """User, password and query go, wherever the URL stands; the rest stays as it is."""
        for address, shown in (
            ("http://mirror.example:8080/debian", "http://mirror.example:8080/debian"),
            ("http://u:p@mirror.example/debian", "http://...@mirror.example/debian"),
            ("https://u:p@ss@mirror.example/a@b?token=t&x", "https://...@mirror.example/a@b"),
            (
                "deb http://u:p@mirror.example/d stable main",
                "deb http://...@mirror.example/d stable main",
            ),
        ):
            self.assertEqual(without_secrets(address), shown)
