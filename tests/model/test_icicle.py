"""Package lists and image descriptors."""

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.model.descriptor import parse_descriptor, render_descriptor
from imagefactory.model.icicle import Icicle, PackageInfo, parse_icicle, render_icicle

LINES = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Cc", "Zs")), min_size=1)


class IcicleTests(SynchronousTestCase):
    """Ours, and those of Oz."""

    def test_form(self) -> None:
        """The elements of Oz, indented, without a declaration; what is not known is left out."""
        packages = [PackageInfo("bash", "5.2-15", "amd64"), PackageInfo("a&b", extra="x")]
        self.assertEqual(
            render_icicle("d", packages).decode(),
            "<icicle>\n  <description>d</description>\n  <packages>\n"
            '    <package name="bash" version="5.2-15" arch="amd64"/>\n'
            '    <package name="a&amp;b">\n      <extra>x</extra>\n    </package>\n'
            "  </packages>\n</icicle>\n",
        )
        self.assertEqual(render_icicle("", []), b"<icicle>\n  <packages/>\n</icicle>\n")

    def test_one_of_oz(self) -> None:
        """Names only."""
        document = b'<icicle><packages><package name="bash-5.2-1.x86_64"/></packages></icicle>'
        self.assertEqual(parse_icicle(document), Icicle("", (PackageInfo("bash-5.2-1.x86_64"),)))

    @given(LINES, st.lists(st.builds(PackageInfo, LINES, LINES, LINES, LINES)))
    def test_what_is_written_is_read(self, description: str, packages: list[PackageInfo]) -> None:
        """Nothing is lost, whatever the names are."""
        again = parse_icicle(render_icicle(description, packages))
        self.assertEqual(again, Icicle(description, tuple(packages)))

    def test_what_is_wrong(self) -> None:
        """All of it is named; what cannot be XML is refused."""
        with self.assertRaises(InvalidInput) as caught:
            parse_icicle(b"<icicle><packages><package/><package name='a' size='1'/></packages><x/></icicle>")
        self.assertEqual(len(caught.exception.problems), 3)
        self.assertRaises(InvalidInput, render_icicle, "", [PackageInfo("a\1")])


class DescriptorTests(SynchronousTestCase):
    """`<image><name>...</name></image>`."""

    def test_names_are_escaped(self) -> None:
        """Version 1.0 pasted them in."""
        self.assertEqual(render_descriptor("a<b"), b"<image><name>a&lt;b</name></image>")
        self.assertEqual(parse_descriptor(render_descriptor("a<b>&'\" \u00e4")), "a<b>&'\" \u00e4")
        self.assertEqual(etree.fromstring(render_descriptor("")).tag, "image")

    def test_what_is_wrong(self) -> None:
        """Exactly one name that says something, and nothing else."""
        for document in (
            b"<image/>",
            b"<image><name/></image>",
            b"<image><name>a</name><name>b</name></image>",
            b"<image><name>a</name><x/></image>",
            b"<template><name>a</name></template>",
            b"<image>",
        ):
            self.assertRaises(InvalidInput, parse_descriptor, document)
        self.assertRaises(InvalidInput, render_descriptor, "a\0")

    def test_a_name_without_end(self) -> None:
        """It is bounded like that of a template, and not repeated."""
        error = self.assertRaises(InvalidInput, parse_descriptor, render_descriptor("x" * 900_000))
        self.assertLess(len(str(error)), 1000)
