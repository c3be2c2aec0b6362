"""URLs that mean the same."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.model.urls import canonical


class CanonicalTests(SynchronousTestCase):
    """The shortest spelling."""

    def test_spellings(self) -> None:
        """Scheme, host and port have one; path, query and user are kept, and so is what is no URL."""
        for url, expected in (
            ("HTTP://M.Example:80/A?B", "http://m.example/A?B"),
            ("https://m.example:443", "https://m.example"),
            ("http://m.example:8080/", "http://m.example:8080/"),
            ("http://Me:P@M.example/", "http://Me:P@m.example/"),
            ("http://[2001:DB8::1]:80/x", "http://[2001:db8::1]/x"),
            ("file:///Srv", "file:///Srv"),
            ("apt:", "apt:"),
            ("http://m.example:port/", "http://m.example:port/"),
            ("no url", "no url"),
        ):
            self.assertEqual(canonical(url), expected)
