"""What a template argument is."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.model.ids import is_uuid, new_id
from imagefactory.model.template_argument import Address, LocalFile, StoredId, XmlText, classify

ID = "7a0a1b8c-52b4-4f5e-9c3a-0d6b1f3e2a11"


class ClassifyTests(SynchronousTestCase):
    """By form alone, and by the whole of it."""

    def test_forms(self) -> None:
        """The four things it can be."""
        expected = {
            "<template/>": XmlText(b"<template/>"),
            "\ufeff\n <template>http://x</template>": XmlText(b"<template>http://x</template>"),
            "http://h.example/t.tdl": Address("http://h.example/t.tdl"),
            "HTTPS://h.example/" + ID: Address("HTTPS://h.example/" + ID),
            "file:///etc/passwd": Address("file:///etc/passwd"),
            ID: StoredId(ID),
            ID.upper() + "\n": StoredId(ID),
            "t.tdl": LocalFile(Path("t.tdl")),
            f"templates/{ID}.tdl": LocalFile(Path(f"templates/{ID}.tdl")),
            "http-server.tdl": LocalFile(Path("http-server.tdl")),
        }
        self.assertEqual({text: classify(text) for text in expected}, expected)

    def test_nothing(self) -> None:
        """No template is an error, not the current directory."""
        for text in ("", " \n", "a\0b"):
            self.assertRaises(InvalidInput, classify, text)

    def test_ids(self) -> None:
        """Whole texts, any case."""
        self.assertTrue(is_uuid(new_id()))
        for text in (f" {ID}", f"{ID}\n", ID[:-1], ID.replace("-", ""), ID.replace("7", "g")):
            self.assertFalse(is_uuid(text))
