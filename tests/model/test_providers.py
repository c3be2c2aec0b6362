"""The documents that define providers."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.model.providers import is_definition, parse_definition, parse_definitions

RHEVM = {"rhevm-1": {"api-url": "https://r.example", "password": "s3cret", "timeout": 1800, "cluster": None}}


class InlineTests(SynchronousTestCase):
    """Definitions in place of a name."""

    def test_xml_and_json(self) -> None:
        """Attributes of the root element, or the keys of the object."""
        for text in (
            '<rhevm name="r" target="rhevm" api-url="u" password="s3cret"/>',
            ' {"name": "r", "target": "rhevm", "api-url": "u", "password": "s3cret"}',
        ):
            provider = parse_definition(text)
            self.assertEqual((provider.name, provider.target), ("r", "rhevm"))
            self.assertEqual(provider.definition, {"api-url": "u", "password": "s3cret"})
            self.assertNotIn("s3cret", repr(provider))

    def test_what_is_wrong_is_said_at_once_and_without_secrets(self) -> None:
        """Version 1.0 found out after the upload."""
        wrong = (
            '<p name="r" password="s3cret"/>',
            '<p name="r" password="s3cret">',
            '<p name="r" target="mock"><password>s3cret</password></p>',
            '<p name="r" target="mock">s3cret</p>',
            '<p name="r" target="mock"><password/></p>',
            '{"target": "rhevm", "password": "s3cret"}',
            '{"name": "r", "target": "rhevm", "password": ["s3cret"]}',
            '{"password": "s3cret"',
            '{"name": "\ud800", "target": "rhevm"',
        )
        for text in wrong:
            with self.assertRaises(InvalidInput, msg=text) as caught:
                parse_definition(text)
            self.assertNotIn("s3cret", str(caught.exception))

    def test_names_are_no_definitions(self) -> None:
        """What begins as XML or JSON does is one."""
        self.assertEqual([is_definition(text) for text in (" <a/>", "{}", "mock-1", "")], [True, True, False, False])

    @given(st.text())
    def test_nothing_but_invalid_input(self, text: str) -> None:
        """Whatever the text is."""
        with contextlib.suppress(InvalidInput):
            parse_definition(text)


class DefinitionTests(SynchronousTestCase):
    """The files of the administrator."""

    def test_values_are_texts(self) -> None:
        """Numbers become texts, null is absent."""
        found = parse_definitions(json.dumps(RHEVM).encode(), "rhevm.json")
        expected = {"api-url": "https://r.example", "password": "s3cret", "timeout": "1800"}
        self.assertEqual(found, {"rhevm-1": expected})

    def test_bad_files(self) -> None:
        """The error names the file, and the entry."""
        for document, place in (
            (b"[]", "rhevm.json"),
            (b"{", "rhevm.json"),
            (b"\xff", "rhevm.json"),
            (b'{"a": "s3cret"}', "rhevm.json: a"),
            (b'{"a": {"b": {"c": "s3cret"}}}', "rhevm.json: a"),
        ):
            with self.assertRaises(InvalidInput) as caught:
                parse_definitions(document, "rhevm.json")
            self.assertEqual(caught.exception.problems[0].place, place)
            self.assertNotIn("s3cret", str(caught.exception))
