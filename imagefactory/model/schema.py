"""The RELAX NG schema of TDL: the language in one file, for people, editors and as the last gate of the parser."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lxml import etree

from imagefactory.lib.errors import InvalidInput, Problem


@cache
def tdl_schema() -> etree.RelaxNG:
    """Returns the compiled schema."""
    source = files("imagefactory.model").joinpath("tdl.rng").read_bytes()
    return etree.RelaxNG(etree.fromstring(source))


def check_schema(root: etree._Element, message: str) -> None:
    """Raise InvalidInput with `message` unless `root` is a template by the schema.

    Its own words on what is wrong are poor (libxml2 blames the wrong element when the order is free), so the reader
    speaks first and this only guards against what a reader may have overlooked.
    """
    schema = tdl_schema()
    if not schema.validate(root):
        raise InvalidInput(message, problems=[Problem(f"line {e.line}", e.message) for e in schema.error_log])
