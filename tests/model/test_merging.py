"""What the administrator adds to templates."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.model.merging import merge_target_content
from imagefactory.model.tdl import parse_template
from imagefactory.model.template import Repository

TEMPLATE = parse_template(
    b'<template><name>t</name><os><name>Fedora</name><version>40</version><arch>x86_64</arch><install type="url">'
    b"<url>http://mirror.example/f</url></install></os>"
    b'<repositories><repository name="a"><url>http://a.example</url></repository>'
    b'<repository name="b"><url>http://b.example</url></repository></repositories>'
    b'<packages><package name="x"/><package name="y"/><package name="x"/></packages></template>'
)


def include(attributes: str, package: str) -> str:
    """An include with one package."""
    return f'<include {attributes}><packages><package name="{package}"/></packages></include>'


class MergingTests(SynchronousTestCase):
    """Which include counts, and what it does."""

    def added(self, *includes: str, target: str = "rhevm") -> list[str]:
        """The packages that were added."""
        content = f"<template_includes>{''.join(includes)}</template_includes>".encode()
        merged = merge_target_content(TEMPLATE, content, target)
        return [package for package in merged.packages if package not in TEMPLATE.packages]

    def test_the_most_specific_counts(self) -> None:
        """Whatever the order in the file; only one is used."""
        includes = (
            include("", "all"),
            include("target='rhevm'", "target"),
            include("target='rhevm' os='Fedora'", "os"),
            include("target='rhevm' os='Fedora' version='40'", "version"),
            include("target='rhevm' os='Fedora' version='40' arch='x86_64'", "arch"),
        )
        for count, expected in enumerate(("all", "target", "os", "version", "arch"), 1):
            self.assertEqual(self.added(*includes[:count]), [expected])
            self.assertEqual(self.added(*reversed(includes[:count])), [expected])
        self.assertEqual(self.added(*includes, target="ec2"), ["all"])

    def test_what_does_not_fit(self) -> None:
        """Nothing is added then."""
        self.assertEqual(self.added(include("target='ec2'", "no"), include("target='rhevm' os='fedora'", "no")), [])
        self.assertEqual(merge_target_content(TEMPLATE, b"<template_includes/>", "rhevm"), TEMPLATE)

    def test_of_equals_the_first_counts(self) -> None:
        """As in version 1.0."""
        self.assertEqual(self.added(include("target='rhevm'", "one"), include("target='rhevm'", "two")), ["one"])

    def test_how_packages_and_repositories_merge(self) -> None:
        """A package moves to the end, a repository is replaced where it stands."""
        merged = merge_target_content(
            TEMPLATE,
            b'<template_includes><include><packages><package name="x"/><package name="z"/></packages>'
            b'<repositories><repository name="a"><url>http://new.example</url><signed>yes</signed></repository>'
            b'<repository name="c"><url>http://c.example</url></repository></repositories>'
            b"</include></template_includes>",
            "mock",
        )
        self.assertEqual(merged.packages, ("y", "x", "z"))
        self.assertEqual(
            merged.repositories,
            (
                Repository("a", "http://new.example", signed=True),
                Repository("b", "http://b.example"),
                Repository("c", "http://c.example"),
            ),
        )
        self.assertEqual(merged.source, TEMPLATE.source)

    def test_everything_wrong_is_said(self) -> None:
        """Also in includes that do not fit: a file with an error is not half used."""
        with self.assertRaises(InvalidInput) as caught:
            merge_target_content(
                TEMPLATE,
                b"<template_includes><include os='Fedora'/>\n<include target='ec2'><commands/></include>\n"
                b"<include><packages><package name='-x'/></packages></include></template_includes>",
                "rhevm",
            )
        places = [problem.place for problem in caught.exception.problems]
        self.assertEqual(
            places,
            [
                "line 1, template_includes/include",
                "line 2, template_includes/include/commands",
                "line 3, template_includes/include/packages/package",
            ],
        )
        self.assertRaises(InvalidInput, merge_target_content, TEMPLATE, b"<includes/>", "rhevm")
