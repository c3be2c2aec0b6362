"""From template documents to templates."""

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput, TooLarge
from imagefactory.model.schema import tdl_schema
from imagefactory.model.tdl import parse_loosely, parse_template
from imagefactory.model.template import (
    Arch,
    Checksum,
    Extra,
    GuestFile,
    Inline,
    IsoInstall,
    Remote,
    Repository,
    Script,
    Template,
)

TEMPLATES = Path(__file__).parent / "templates"
EXPECTED = re.compile(rb"<!-- expect: (.*?) -->")
EXPECTED_MESSAGE = re.compile(rb"<!-- expect message: (.*?) -->")
OS = (
    b"<os><name>Debian</name><version>12</version><arch>x86_64</arch>"
    b'<install type="url"><url>http://mirror.example/debian</url></install></os>'
)


def example(name: str) -> bytes:
    """The template file whose name begins with `name`."""
    (path,) = TEMPLATES.glob(f"{name}*.tdl")
    return path.read_bytes()


def template(inner: bytes) -> Template:
    """The template with `inner` beside a name and an OS."""
    return parse_template(b"<template><name>t</name>" + OS + inner + b"</template>")


class ExampleTests(SynchronousTestCase):
    """Every example is accepted, or refused with exactly the problems that its comments announce."""

    def test_examples(self) -> None:
        """Each problem is named once, and no other."""
        for path in sorted(TEMPLATES.glob("*.tdl")):
            document = path.read_bytes()
            problems = [text.decode() for text in EXPECTED.findall(document)]
            message = EXPECTED_MESSAGE.search(document)
            if problems or message:
                self._refused(path.name, document, problems, message.group(1).decode() if message else "")
            else:
                parse_template(document)

    def _refused(self, name: str, document: bytes, expected: list[str], message: str) -> None:
        with self.assertRaises(InvalidInput, msg=name) as caught:
            parse_template(document)
        found = [str(problem) for problem in caught.exception.problems]
        missing = [text for text in expected if not any(text in problem for problem in found)]
        self.assertEqual(missing, [], f"{name} says {found}")
        self.assertIn(message, caught.exception.message, name)
        if expected:
            self.assertEqual(len(found), len(expected), f"{name} says {found}")

    def test_no_password_is_ever_shown(self) -> None:
        """Neither a complaint about a password, nor one about a URL with one, nor a template's repr shows it."""
        for path in sorted(TEMPLATES.glob("*.tdl")):
            try:
                said = repr(parse_template(path.read_bytes()))
            except InvalidInput as error:
                said = str(error)
            self.assertNotIn("s3cret", said, path.name)


class MeaningTests(SynchronousTestCase):
    """What the parts of a template become."""

    def test_smallest(self) -> None:
        """Defaults are filled in."""
        parsed = parse_template(example("01"))
        self.assertEqual((parsed.name, parsed.os.arch, parsed.disk_size), ("small", Arch.X86_64, None))
        self.assertEqual((parsed.packages, parsed.repositories, parsed.os.root_password), ((), (), None))
        self.assertEqual(parsed.source, example("01"))

    def test_everything(self) -> None:
        """Order is free, positions decide, comments do not cut, contents are decoded."""
        parsed = parse_template(example("02"))
        self.assertEqual((parsed.name, parsed.description, parsed.os.version), ("everything", "two\nlines", "40"))
        self.assertEqual(parsed.disk_size, 20 << 30)
        self.assertEqual(parsed.os.kernel_parameters, "nomodeset quiet")
        assert parsed.os.root_password
        assert parsed.os.key
        self.assertEqual(parsed.os.root_password.reveal(), "s3cret & long")
        self.assertEqual(parsed.os.key.reveal(), "AAAAA-BBBBB")
        self.assertEqual(parsed.os.icicle_extra_command, "rpm -qa --qf '%{VENDOR}'")
        self.assertEqual(
            parsed.commands,
            (
                Script("first", Inline(b"id > /root/id")),
                Script("second", Remote("https://h.example/second.sh")),
                Script("third", Inline(b"true")),
            ),
        )
        self.assertEqual(parsed.precommands, (Script("before", Inline(b"true")),))
        self.assertEqual(parsed.files[0], GuestFile("/etc/motd", Inline(b"hello <world>")))
        self.assertEqual([file.content for file in parsed.files[1:3]], [Inline(b""), Inline(b"")])
        self.assertEqual(
            parsed.repositories[0],
            Repository("extra", "http://h.example/r", signed=True, persisted=False, ssl_verify=True),
        )

    def test_iso(self) -> None:
        """A medium with its checksum's URL and extras with normalised destinations."""
        self.assertEqual(
            parse_template(example("03")).os.install,
            IsoInstall(
                "http://mirror.example/c7.iso",
                Checksum("sha256", "http://mirror.example/SHA256SUMS"),
                (Extra("file:///srv/x", "x", True), Extra("http://h.example/a.rpm", "extra/a.rpm", False)),
            ),
        )

    def test_other_encodings(self) -> None:
        """A declared encoding is read, and the source is kept in UTF-8."""
        for document in (
            example("04"),
            example("04").decode("latin-1").replace("ISO-8859-1", "UTF-16").encode("utf-16"),
        ):
            parsed = parse_template(document)
            self.assertEqual(parsed.name, "grün")
            self.assertEqual(parse_template(parsed.source).name, "grün")
            self.assertIn("grün", parsed.source.decode())

    def test_of_two_repositories_with_one_name_the_later_counts(self) -> None:
        """As in Oz."""
        parsed = template(
            b'<repositories><repository name="a"><url>http://x.example</url></repository>'
            b'<repository name="a"><url>http://y.example</url></repository></repositories>'
        )
        self.assertEqual(parsed.repositories, (Repository("a", "http://y.example"),))

    def test_files_in_each_other_s_way(self) -> None:
        """One name twice, or a file where another needs a directory, in any order."""
        for names, word in ((("/a", "//a"), "already"), (("/a/b", "/a"), "below"), (("/a", "/a/b/c"), "below")):
            listed = "".join(f'<file name="{name}">x</file>' for name in names).encode()
            with self.assertRaises(InvalidInput) as caught:
                template(b"<files>" + listed + b"</files>")
            self.assertIn(word, str(caught.exception))
        self.assertEqual(len(template(b'<files><file name="/a">x</file><file name="/ab">x</file></files>').files), 2)

    def test_packages(self) -> None:
        """Whatever the package managers know; never an option, never a line."""
        good = (
            "nginx",
            "libc6:i386",
            "bash=5.2*",
            "lib*",
            "perl(Foo::Bar)",
            "@Development Tools",
            "@^minimal",
            "/bin/sh",
        )
        listed = "".join(f'<package name="{name}"/>' for name in good).encode()
        self.assertEqual(template(b"<packages>" + listed + b"</packages>").packages, good)
        for name in ("-y", "a b", "a;b", "$(id)", "@", "@-x", "a&#10;b", "@a&#10;b", "(x)"):
            with self.assertRaises(InvalidInput, msg=name):
                template(b'<packages><package name="' + name.encode() + b'"/></packages>')

    def test_names_that_are_not_what_they_seem(self) -> None:
        """Characters that turn the direction of reading, or are not seen at all."""
        for hidden in ("\u202e", "\u200b", "\u2028", "\u2029", "\ufeff"):
            with self.assertRaises(InvalidInput, msg=ascii(hidden)):
                template(f'<commands><command name="a{hidden}b">true</command></commands>'.encode())

    def test_disk_sizes(self) -> None:
        """Without a unit it is GiB; units of both versions of Oz."""
        sizes = {b"5": 5 << 30, b"5G": 5 << 30, b"1T": 1 << 40, b"5000MB": 5 * 10**9, b"1 gib": 1 << 30, b"512b": 512}
        for text, size in sizes.items():
            self.assertEqual(template(b"<disk><size>" + text + b"</size></disk>").disk_size, size, text)

    def test_bad_disk_sizes(self) -> None:
        """No fraction, no nothing, no size that overflows."""
        for text in (b"0", b"1.5G", b"G", b"-1", b"9" * 30, b"1YB", "\N{ARABIC-INDIC DIGIT ONE}".encode()):
            with self.assertRaises(InvalidInput, msg=str(text)):
                template(b"<disk><size>" + text + b"</size></disk>")


class LimitTests(SynchronousTestCase):
    """What is too much is refused, and said shortly."""

    def test_size(self) -> None:
        """The limit is checked before parsing."""
        document = example("01")
        parse_template(document, limit=len(document))
        with self.assertRaises(TooLarge):
            parse_template(document, limit=len(document) - 1)

    def test_a_hundred_problems_are_enough(self) -> None:
        """The rest is counted."""
        with self.assertRaises(InvalidInput) as caught:
            parse_template(b"<template>" + b"<x/>" * 5000 + b"</template>")
        self.assertEqual(len(caught.exception.problems), 101)
        self.assertEqual(str(caught.exception.problems[-1]), "and 4902 more")

    def test_deep_nesting(self) -> None:
        """Depth is bounded by the XML library, not by our stack."""
        with self.assertRaises(InvalidInput):
            parse_template(b"<template>" * 5000)


class LooseTests(SynchronousTestCase):
    """Templates for targets that install nothing."""

    def test_anything_with_the_right_root(self) -> None:
        """Version 1.0 used this one to provoke a failure."""
        parsed = parse_loosely(b"<template>FAIL</template>")
        self.assertEqual((parsed.name, parsed.os.name, parsed.source), ("", "", b"<template>FAIL</template>"))
        self.assertEqual(parse_loosely(b"<template><name> n </name></template>").name, "n")
        self.assertEqual(parse_loosely(b"<template><name>../x</name></template>").name, "")

    def test_a_good_template_stays_one(self) -> None:
        """Nothing is lost."""
        self.assertEqual(parse_loosely(example("02")), parse_template(example("02")))

    def test_still_refused(self) -> None:
        """Another root, broken XML and hazards are no template in any reading."""
        for document in (b"<image/>", b"<template>", b"", b"<!DOCTYPE template><template/>"):
            with self.assertRaises(InvalidInput, msg=str(document)):
                parse_loosely(document)


def shuffled() -> st.SearchStrategy[bytes]:
    """Documents made of true pieces of TDL in any order and nesting."""
    documents = [path.read_bytes() for path in sorted(TEMPLATES.glob("0*.tdl"))]
    pieces = sorted({piece for document in documents for piece in re.split(rb"(?<=>)|(?=<)", document)})
    inner = st.lists(st.sampled_from(pieces), max_size=12).map(b"".join)
    return inner.map(lambda pieces: b"<template><name>t</name>" + pieces + OS + b"</template>")


class PropertyTests(SynchronousTestCase):
    """Any input gives a template or a list of problems."""

    @settings(deadline=None)
    @given(st.one_of(st.binary(), st.text().map(str.encode), shuffled()))
    def test_nothing_else_is_raised(self, document: bytes) -> None:
        """InvalidInput is the only way out, and it says something."""
        try:
            parse_template(document)
        except InvalidInput as error:
            self.assertTrue(error.problems or error.hint, str(error))

    @settings(deadline=None)
    @given(
        st.sampled_from([path.name for path in sorted(TEMPLATES.glob("0*.tdl"))]),
        st.integers(0, 60),
        st.sampled_from(["drop", "twice", "text", "attribute", "rename"]),
    )
    def test_what_the_schema_refuses_is_refused_with_a_reason_of_our_own(self, name: str, at: int, damage: str) -> None:
        """The reader overlooks nothing that the schema sees: one damaged element is named by it."""
        root = etree.fromstring((TEMPLATES / name).read_bytes())
        hurt(root, at, damage)
        document = etree.tostring(root)
        try:
            parse_template(document)
        except InvalidInput as error:
            self.assertNotIn("Relax-NG", str(error))
            self.assertTrue(all(", template" in problem.place for problem in error.problems), str(error))
        else:
            self.assertTrue(tdl_schema().validate(etree.fromstring(document)))


def hurt(root: etree._Element, at: int, damage: str) -> None:
    """Damage one element of a tree."""
    elements = list(root.iter(etree.Element))
    element = elements[at % len(elements)]
    parent = element.getparent()
    if parent is None:
        element.set("version", "9")
    elif damage == "drop":
        parent.remove(element)
    elif damage == "twice":
        parent.append(etree.fromstring(etree.tostring(element, with_tail=False)))
    elif damage == "text":
        element.tail = "stray"
    elif damage == "attribute":
        element.set("odd", "x")
    else:
        element.tag = "odd"
