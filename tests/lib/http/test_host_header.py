"""Names in Host headers."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.http.host_header import is_loopback, name_in


class HostHeaderTests(SynchronousTestCase):
    """What a client called us."""

    def test_names(self) -> None:
        """Without port, brackets, capitals and the dot of the root; what is no host has none."""
        for host, name in {
            "Factory.Example:8075": "factory.example",
            "localhost.": "localhost",
            "127.0.0.1:8075": "127.0.0.1",
            "[::1]:8075": "::1",
            "[::1]": "::1",
        }.items():
            self.assertEqual(name_in(host), name)
        for host in ("", "a b", "localhost@evil.example", "localhost:80:80", "::1", "localhost/x", "localhost,evil"):
            self.assertIsNone(name_in(host), host)

    def test_loopback(self) -> None:
        """Addresses of the loopback in their usual form, localhost and names below it."""
        for name in ("localhost", "factory.localhost", "127.0.0.1", "127.8.7.6", "::1"):
            self.assertTrue(is_loopback(name), name)
        for name in ("localhost.evil.example", "evillocalhost", "0.0.0.0", "127.0.0.1.evil.example", "10.0.0.1", ""):
            self.assertFalse(is_loopback(name), name)
