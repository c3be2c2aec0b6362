"""The door for XML from outside."""

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput, TooLarge
from imagefactory.model.xml import parse_xml, string_value, utf8


class DoorTests(SynchronousTestCase):
    """What is refused, and how."""

    def refused(self, document: bytes, *, quoting: bool = True) -> str:
        """What is said about a document that is refused."""
        with self.assertRaises(InvalidInput) as caught:
            parse_xml(document, what="thing", quoting=quoting)
        return str(caught.exception)

    def test_hazards(self) -> None:
        """Document types are refused even where they do nothing, XInclude wherever it would include."""
        for document in (b"<!DOCTYPE a><a/>", b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'):
            self.assertIn("DOCTYPE", self.refused(document))
        self.assertIn("line 2", self.refused(b'<a>\n<include xmlns="http://www.w3.org/2001/XInclude"/></a>'))

    def test_one_document_never_tells_of_another(self) -> None:
        """The XML library logs over all documents of a process; only this document's problems are reported."""
        self.refused(b"<first></second>")
        self.assertNotIn("first", self.refused(b"<a>"))

    def test_without_quoting_nothing_of_the_document_is_repeated(self) -> None:
        """Just the line."""
        said = self.refused(b"<a>\n<s3cret>&s3cret;</a>", quoting=False)
        self.assertNotIn("s3cret", said)
        self.assertIn("line 2", said)

    def test_limit(self) -> None:
        """A document of the limit's size passes."""
        parse_xml(b"<a/>", what="thing", limit=4)
        with self.assertRaises(TooLarge):
            parse_xml(b"<a/>", what="thing", limit=3)

    def test_own_entities_and_character_references_work(self) -> None:
        """They need no declaration."""
        self.assertEqual(string_value(parse_xml(b"<a>&lt;&#65;&amp;</a>", what="thing")), "<A&")


class TextTests(SynchronousTestCase):
    """Texts and their encoding."""

    def test_comments_and_instructions_do_not_cut(self) -> None:
        """The whole text counts."""
        self.assertEqual(string_value(etree.fromstring("<a>x<!-- c -->y<?p q?>z</a>")), "xyz")

    def test_utf8_stays_as_it_is(self) -> None:
        """Byte for byte."""
        document = '<?xml version="1.0"?>\n<a  b="\u00e4"/>\n'.encode()
        self.assertEqual(utf8(document, parse_xml(document, what="thing")), document)

    def test_anything_else_becomes_utf8(self) -> None:
        """With a declaration that says so."""
        for encoding in ("iso-8859-1", "utf-16", "utf-16-le"):
            document = f'<?xml version="1.0" encoding="{encoding}"?><a>\u00e4</a>'.encode(encoding)
            again = utf8(document, parse_xml(document, what="thing"))
            self.assertIn("\u00e4", again.decode("utf-8"))
            self.assertEqual(string_value(parse_xml(again, what="thing")), "\u00e4")
