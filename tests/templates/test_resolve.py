"""Where templates come from."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import FactoryError, Forbidden, InvalidInput, NotFound, TooLarge, Unavailable
from imagefactory.model.records import TargetImageRecord
from imagefactory.model.template import Inline
from imagefactory.templates.gather import Bounds, Sources
from imagefactory.templates.resolve import Resolved, Templates
from imagefactory.testing.jobs import MemoryRecords
from imagefactory.testing.threads import ImmediateThreads

ID = "12345678-1234-4234-8234-123456789abc"
IMAGE = "12345678-1234-4234-8234-123456789abd"


def tdl(files: str = "") -> str:
    """A template."""
    return f"""<template><name>demo</name>
<os><name>Debian</name><version>12</version><arch>x86_64</arch>
<install type='url'><url>http://mirror.example/debian</url></install></os>
<files>{files}</files></template>"""


class TemplatesTests(SynchronousTestCase):
    """Text, path, URL, id; and what a template refers to."""

    def setUp(self) -> None:
        self.records = MemoryRecords()
        self.clock = Clock()
        self.slow: Deferred[None] = succeed(None)
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.documents = {"http://x/t": tdl().encode(), "http://x/motd": b"hello"}
        self.templates = self.make(limit=2000, file_sources=[self.root.resolve()])

    def make(self, **options: Any) -> Templates:
        """With small bounds for all that a template refers to."""
        sources = Sources(Bounds(count=3, size=20, seconds=10), self.clock)
        return Templates(self.records, self.fetch, ImmediateThreads(), sources, **options)

    async def fetch(self, url: str) -> bytes:
        await self.slow
        return self.documents[url]

    def resolve(self, argument: str, *, local: bool = False) -> Resolved:
        return self.successResultOf(Deferred.fromCoroutine(self.templates.resolve(argument, local=local)))

    def refusal(self, kind: type[FactoryError], argument: str, *, local: bool = False) -> str:
        work = Deferred.fromCoroutine(self.templates.resolve(argument, local=local))
        return str(self.failureResultOf(work, kind).value)

    def test_text_and_url(self) -> None:
        """Neither is from the warehouse."""
        self.assertEqual(self.resolve(tdl()), self.resolve("http://x/t"))
        self.assertIsNone(self.resolve(tdl()).template_id)

    def test_the_local_caller_s_own_way(self) -> None:
        """The rules for URLs in what a client sends to a daemon do not hold for the command."""

        async def fetch_local(url: str) -> bytes:
            whole = tdl("<file name='/m' type='url'>http://localhost/m</file>")
            return whole.encode() if url.endswith("/t") else b"own"

        self.templates = self.make(fetch_local=fetch_local)
        found = self.resolve("http://localhost/t", local=True)
        self.assertEqual(Inline(b"own"), found.template.files[0].content)

    def test_bounds_for_all_urls_of_a_template(self) -> None:
        """So many, so many bytes, so many seconds, however small and quick each is; one URL twice is fetched once."""

        def files(*urls: str) -> str:
            named = enumerate(urls)
            return tdl("".join(f"<file name='/f{number}' type='url'>{url}</file>" for number, url in named))

        self.assertIn("refers to 4 URLs", self.refusal(TooLarge, files(*(f"http://x/{n}" for n in range(4)))))
        self.assertEqual(4, len(self.resolve(files(*["http://x/motd"] * 4)).template.files))
        self.documents |= {f"http://x/{n}": b"1234567" for n in range(3)}
        self.assertIn("more than 20 bytes", self.refusal(TooLarge, files(*(f"http://x/{n}" for n in range(3)))))
        self.slow = Deferred[None]()
        waiting = Deferred.fromCoroutine(self.templates.resolve(files("http://x/motd")))
        self.clock.advance(10)
        self.failureResultOf(waiting, Unavailable)

    def test_path(self) -> None:
        """For the local caller only; a remote caller does not learn whether there is such a file."""
        path = self.root / "t.tdl"
        path.write_text(tdl())
        self.assertEqual("demo", self.resolve(str(path), local=True).template.name)
        there = self.refusal(Forbidden, str(path))
        self.assertEqual(there, self.refusal(Forbidden, "/no/such/file"))
        self.refusal(InvalidInput, "/no/such/file", local=True)
        path.write_text("x" * 2001)
        self.refusal(TooLarge, str(path), local=True)

    def test_stored(self) -> None:
        """A template's id, or that of a target image made from it."""
        self.records.templates[ID] = tdl().encode()
        self.records.all_target_images[IMAGE] = TargetImageRecord(IMAGE, "build", "mock", ID)
        self.assertEqual([ID, ID], [self.resolve(id).template_id for id in (ID, IMAGE)])
        del self.records.templates[ID]
        for id in (ID, IMAGE):
            self.refusal(NotFound, id)

    def test_contents(self) -> None:
        """What it refers to is fetched at once, so that a retry builds the same."""
        found = self.resolve(tdl("<file name='/etc/motd' type='url'>http://x/motd</file>"))
        self.assertEqual(Inline(b"hello"), found.template.files[0].content)

    def test_local_files(self) -> None:
        """Only for the local caller, only from the directories that are allowed, links included."""
        (self.root / "motd").write_text("hello")
        (self.root / "link").symlink_to("/etc/passwd")
        inside, link = (
            tdl(f"<file name='/etc/motd' type='url'>file://{self.root.resolve()}/{name}</file>")
            for name in ("motd", "link")
        )
        self.assertEqual(Inline(b"hello"), self.resolve(inside, local=True).template.files[0].content)
        self.refusal(Forbidden, inside)
        self.refusal(Forbidden, link, local=True)
        self.refusal(Forbidden, tdl("<file name='/x' type='url'>file:///etc/passwd</file>"), local=True)
