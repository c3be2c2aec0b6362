"""The body of an image object: `<image><name>NAME</name></image>` (aeolus-cli's image_desc.rng)."""

from __future__ import annotations

from lxml import etree

from imagefactory.lib.errors import InvalidInput
from imagefactory.model import tdl_values as values
from imagefactory.model.reading import Node, Problems
from imagefactory.model.xml import parse_xml

MESSAGE = "this image descriptor cannot be used"


def parse_descriptor(document: bytes) -> str:
    """Returns the name in an image descriptor.

    Raises TooLarge, InvalidInput.
    """
    problems = Problems()
    node = Node(parse_xml(document, what="image descriptor"), problems)
    if node.name != "image":
        node.problem("the root element of an image descriptor is <image>")
    name = values.title(node.one("name").text())
    node.end()
    problems.check(MESSAGE)
    return name


def render_descriptor(name: str) -> bytes:
    """Returns the descriptor of an image called `name`; without a name just the root.

    Raises InvalidInput for characters that XML cannot hold.
    """
    root = etree.Element("image")
    if name:
        try:
            etree.SubElement(root, "name").text = name
        except ValueError:
            raise InvalidInput("this name has characters that XML cannot hold") from None
    return etree.tostring(root, encoding="utf-8")
