"""docs/tdl.md says something about all of TDL."""

from __future__ import annotations

from pathlib import Path

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.model import tdl
from imagefactory.model.merging import CONDITIONS, merge_target_content
from imagefactory.model.tdl import parse_template

ROOT = Path(__file__).resolve().parents[2]
RNG = "{http://relaxng.org/ns/structure/1.0}"


class DocumentTests(SynchronousTestCase):
    """The document beside the schema."""

    def setUp(self) -> None:
        self.text = (ROOT / "docs" / "tdl.md").read_text()
        self.blocks = [part.partition("```")[0] for part in self.text.split("```xml\n")[1:]]

    def test_every_name_is_there(self) -> None:
        """Elements, attributes and fixed values of the schema."""
        schema = etree.parse(Path(tdl.__file__).with_name("tdl.rng"))
        named = [str(one.get("name")) for kind in ("element", "attribute") for one in schema.iter(f"{RNG}{kind}")]
        missing = {name for name in named if f"<{name}" not in self.text and f"{name}=" not in self.text}
        self.assertEqual({name for name in missing if f"`{name}`" not in self.text}, set())

    def test_its_examples_are_good(self) -> None:
        """They parse, and say what the text says."""
        template = parse_template(self.blocks[0].encode())
        self.assertEqual((template.disk_size, template.commands[0].name), (20 << 30, "first"))
        merged = merge_target_content(template, self.blocks[1].encode(), "ec2")
        self.assertIn("cloud-guest-utils", merged.packages)
        for name in CONDITIONS:
            self.assertIn(f"`{name}`", self.text)
