"""The setting `mirrors`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.settings.mirrors import EXAMPLES
from tests.settings.test_loading import file_of, loaded


class MirrorsTests(SynchronousTestCase):
    """Entries of a configuration file."""

    def test_the_examples_need_no_setting(self) -> None:
        """Their placeholders are the mirror of the host's own apt."""
        self.assertEqual(loaded().mirrors, EXAMPLES)
        self.assertEqual(set(EXAMPLES.values()), {"apt:"})

    def test_an_entry_of_the_user_s(self) -> None:
        """It is added; what it says something about is its own business, also for what is above an example."""
        own = {"http://m.example/x": "http://n.example/y"}
        self.assertEqual(loaded(read=file_of({"mirrors": own})).mirrors, EXAMPLES | own)
        for prefix, left in (("http://mirror.example", 1), ("http://mirror.example/debian", 2)):
            found = loaded(read=file_of({"mirrors": {prefix: "http://n.example"}})).mirrors
            self.assertEqual((found[prefix], len(found)), ("http://n.example", left))

    def test_spellings(self) -> None:
        """A host has no case, and a scheme its own port."""
        found = loaded(read=file_of({"mirrors": {"HTTP://M.Example:80/Debian/": "https://N.example:443/y/"}})).mirrors
        self.assertEqual(found["http://m.example/Debian"], "https://n.example/y")

    def test_what_cannot_be_one(self) -> None:
        """All are named, none of their passwords."""
        wrong = {
            "foo": "http://n.example",
            "mirror.example/debian": "http://n.example",
            "http://a.example": "foo",
            "http://b.example": "apt:/x",
            "http://c.example": "file:///srv",
            "http://d.example": "http://me:hush@n.example:port/",
            "http://": "http://n.example",
        }
        error = self.assertRaises(InvalidInput, loaded, read=file_of({"mirrors": wrong}))
        for text in ("'foo'", "'mirror.example/debian'", "'apt:/x'", "'file:///srv'", "d.example", "'http://'"):
            self.assertIn(text, str(error))
        self.assertNotIn("hush", str(error))
