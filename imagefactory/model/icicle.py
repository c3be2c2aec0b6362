"""ICICLE: the list of packages that are really in an image.

The format is Oz's `icicle.rng` (root `icicle`, one optional `description`, one `packages` with `package` elements that
have a `name` and perhaps an `extra` text), plus two optional attributes of our own on `package`: `version`, `arch`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from imagefactory.lib.errors import InvalidInput
from imagefactory.model import tdl_values as values
from imagefactory.model.reading import Node, Problems
from imagefactory.model.xml import parse_xml

LIMIT = 16 << 20  # bytes; ten thousand packages are one MiB


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """An installed package: `name` is the line that old ICICLEs had (Debian: the name; rpm: name-version-release.arch),
    version and architecture are ours, `extra` is what a template's extra command said about it."""

    name: str
    version: str = ""
    arch: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Icicle:
    """A package list and the description of the template it was built from."""

    description: str
    packages: tuple[PackageInfo, ...]


def render_icicle(description: str, packages: Iterable[PackageInfo]) -> bytes:
    """Returns the document, UTF-8, indented, without an XML declaration, as Oz writes it.

    Raises InvalidInput for characters that XML cannot hold.
    """
    root = etree.Element("icicle")
    try:
        if description:
            etree.SubElement(root, "description").text = description
        listed = etree.SubElement(root, "packages")
        for package in packages:
            _add(listed, package)
    except ValueError:
        raise InvalidInput("a package or the description has characters that XML cannot hold") from None
    etree.indent(root)
    return etree.tostring(root, encoding="utf-8") + b"\n"


def _add(parent: etree._Element, package: PackageInfo) -> None:
    ours = {"version": package.version, "arch": package.arch}
    attributes = {"name": package.name} | {name: value for name, value in ours.items() if value}
    element = etree.SubElement(parent, "package", attributes)
    if package.extra:
        etree.SubElement(element, "extra").text = package.extra


def parse_icicle(document: bytes) -> Icicle:
    """Returns the package list in `document`, ours or any of Oz.

    Raises TooLarge, InvalidInput.
    """
    problems = Problems()
    root = Node(parse_xml(document, what="ICICLE", limit=LIMIT), problems)
    if root.name != "icicle":
        root.problem("the root element of an ICICLE is <icicle>")
    description = root.optional("description")
    text = values.paragraph(description.text()) if description else ""
    packages = tuple(_package(node) for node in root.one("packages").all("package"))
    root.end()
    problems.check("this ICICLE cannot be read")
    return Icicle(text, packages)


def _package(node: Node) -> PackageInfo:
    version, arch, extra = node.attribute("version"), node.attribute("arch"), node.optional("extra")
    return PackageInfo(
        name=values.foreign_line(node.needs_attribute("name")),
        version=version.value if version else "",
        arch=arch.value if arch else "",
        extra=extra.text().value if extra else "",
    )
