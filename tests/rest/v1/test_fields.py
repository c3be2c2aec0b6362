"""Bodies as clients of 1.0 send them."""

import contextlib
import json
import tracemalloc
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.rest.errors import UnsupportedMedia
from imagefactory.rest.v1.fields import flag_field, form_pairs, read_fields, text_field

FORM = "application/x-www-form-urlencoded"
XML = "<template><name>a &amp; b; c=d</name><x y='1&amp;2'/></template>"
PART = '--B\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'


class JsonTests(SynchronousTestCase):
    """JSON bodies."""

    def test_wrapped_and_flat(self) -> None:
        """One object inside an object with one name is the fields; one text is not."""
        self.assertEqual(read_fields(b'{"image": {"a": "1", "b": "2"}}', "application/json"), {"a": "1", "b": "2"})
        self.assertEqual(read_fields(b'{"a": "1", "b": "2"}', "application/json"), {"a": "1", "b": "2"})
        self.assertEqual(read_fields(b'{"a": "1"}', "application/json"), {"a": "1"})

    def test_charset_and_letters(self) -> None:
        """A suffix, capital letters, UTF-8: all fine."""
        body = '{"name": "Zürich", "x": "\\u20ac"}'.encode()
        for media in ("application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"):
            self.assertEqual(read_fields(body, media), {"name": "Zürich", "x": "€"})

    def test_too_deep(self) -> None:
        """No client of the API nests so deeply."""
        nested: object = "x"
        for _ in range(40):
            nested = [nested]
        error = self.assertRaises(InvalidInput, read_fields, json.dumps({"a": nested}).encode(), "application/json")
        self.assertIn("nested", str(error))

    def test_large(self) -> None:
        """Version 1.0 ignored JSON from 100 KiB on."""
        text = "x" * 1_000_000
        self.assertEqual(read_fields(json.dumps({"a": text, "b": ""}).encode(), "application/json")["a"], text)


class FormTests(SynchronousTestCase):
    """Forms."""

    def test_xml_that_was_not_encoded(self) -> None:
        """As `curl -d` sends it: entities are no separators."""
        body = f"template={XML}&targets=mock".encode()
        expected = {"template": XML.replace("+", " "), "targets": "mock"}
        self.assertEqual(read_fields(body, FORM), expected)
        self.assertEqual(read_fields(f"targets=mock;template={XML}".encode(), FORM), expected)
        self.assertEqual(read_fields(f"provider=mock;credentials={XML}".encode(), "")["credentials"], XML)

    def test_an_entity_before_a_known_name(self) -> None:
        """The end of an entity is no separator, whatever follows it."""
        for entity in ("&amp;", "&lt;", "&#38;", "&#x26;"):
            xml = f"<template><name>a{entity}targets=b{entity}provider=c</name></template>"
            body = f"template={xml};targets=mock".encode()
            self.assertEqual(read_fields(body, FORM), {"template": xml, "targets": "mock"}, entity)

    def test_the_last_of_a_name_counts(self) -> None:
        """Order is kept in the pairs, for signatures."""
        self.assertEqual(form_pairs(b"a=1&b=2&a=%33"), [("a", "1"), ("b", "2"), ("a", "3")])
        self.assertEqual(read_fields(b"a=1&a=2", FORM), {"a": "2"})

    def test_multipart(self) -> None:
        """As `curl -F` sends it."""
        body = (PART.format("template", XML) + PART.format("targets", "möck") + "--B--\r\n").encode()
        fields = read_fields(body, 'multipart/form-data; boundary="B"')
        self.assertEqual(fields, {"template": XML, "targets": "möck"})

    def test_damaged_ones(self) -> None:
        """Refused as the caller's mistake."""
        multipart = "multipart/form-data; boundary=B"
        part = PART.format("a", "1").encode()
        damaged = (
            (b"a=%ff", FORM),
            (b"&a=1" * 1001, FORM),
            (b"rubbish", multipart),
            (part, "multipart/form-data"),
            (part[:30], multipart),
            (part.replace(b"1", b"\xff") + b"--B--\r\n", multipart),
            (part.replace(b'name="a"', b"") + b"--B--\r\n", multipart),
        )
        for body, media in damaged:
            self.assertRaises(InvalidInput, read_fields, body, media)
        self.assertRaises(UnsupportedMedia, read_fields, b"x", "text/plain")

    def test_nothing_but_fields(self) -> None:
        """A form of a million fields is refused before it is taken apart."""
        body = b"&a=1" * 250_000
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertRaises(InvalidInput, read_fields, body, FORM)
        self.assertLess(tracemalloc.get_traced_memory()[1], 1 << 20)

    def test_parts_without_end(self) -> None:
        """Many parts, nested ones, endless heads: refused at once, whatever they would be."""
        name = b"Content-Disposition: form-data; name=a\r\n"
        nested = b"".join(
            b"--B%d\r\nContent-Type: multipart/mixed; boundary=B%d\r\n\r\n" % (n, n + 1) for n in range(3000)
        )
        bodies = (
            (b"--B\r\n" + name + b"\r\n1\r\n") * 60_000 + b"--B--",
            b"--B\r\n" + b"X: y\r\n" * 600_000 + b"\r\n\r\n--B--",
            b"--B\r\n" + name + b"Content-Type: multipart/mixed; boundary=C\r\n\r\n--C--\r\n--B--",
            b"--B\r\n" + name + b"Content-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--B--",
            b"--B\r\n" * 700_000,
            nested,
        )
        for body in bodies:
            self.assertRaises(InvalidInput, read_fields, body, "multipart/form-data; boundary=B")
        self.assertRaises(InvalidInput, read_fields, nested, "multipart/form-data; boundary=B0")

    @given(st.dictionaries(st.from_regex(r"\A[a-z_]{1,9}\Z"), st.text(st.characters(exclude_categories=["Cs"]))))
    def test_what_a_client_encodes_comes_out(self, fields: dict[str, str]) -> None:
        """Whatever the texts."""
        self.assertEqual(read_fields(urlencode(fields).encode(), FORM), fields)

    @given(st.binary(max_size=200), st.sampled_from(["application/json", FORM, "multipart/form-data; boundary=B"]))
    def test_any_bytes(self, body: bytes, media: str) -> None:
        """Fields or InvalidInput, nothing else."""
        with contextlib.suppress(InvalidInput):
            self.assertIsInstance(read_fields(body, media), dict)


class FieldTests(SynchronousTestCase):
    """Single fields."""

    def test_texts_and_flags(self) -> None:
        """Absent, null and empty are the same; structures are no texts."""
        for fields in ({}, {"a": None}, {"a": ""}):
            self.assertEqual((text_field(fields, "a"), flag_field(fields, "a")), ("", False))
        self.assertRaises(InvalidInput, text_field, {"a": []}, "a")
        for yes in (True, "true", "1", "yes"):
            self.assertTrue(flag_field({"a": yes}, "a"))
        for no in (False, "false", "0", 0, "OFF"):
            self.assertFalse(flag_field({"a": no}, "a"))
        for neither in ("maybe", 2, [], {}):
            self.assertRaises(InvalidInput, flag_field, {"a": neither}, "a")
