"""What is kept of a build, for a retry and for the store."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.interface import BuildOrder
from imagefactory.jobs.admission.request_codec import decode_order, encode_order
from imagefactory.jobs.store.codec import Damaged, decode_job, encode_job
from imagefactory.lib.errors import Conflict
from imagefactory.lib.secret import Secret
from imagefactory.model.jobs import Completed, Failed, Failure, Queued, Running
from imagefactory.model.report import StageOutcome
from imagefactory.model.template import GuestFile, Inline, Remote, Repository, Script, Template, UrlInstall
from imagefactory.templates.inline_files import filled, remotes
from imagefactory.testing.job_store import job
from imagefactory.testing.jobs import template

TEXT = st.text(max_size=20)
STATES = st.one_of(
    st.just(Queued()),
    st.builds(Running, st.sampled_from(["BUILDING", "PUSHING"])),
    st.builds(Completed, TEXT, st.none() | st.integers(0, 1 << 60)),
    st.builds(Failed, st.builds(Failure, TEXT, TEXT, TEXT, st.booleans())),
)
STAGES = st.lists(st.builds(StageOutcome, TEXT, TEXT, st.booleans(), st.lists(TEXT).map(tuple)), max_size=3).map(tuple)
CONTENTS = {"http://x/a": b"\0\xff", "http://x/c": b"c"}


def parse(_source: bytes) -> Template:
    """A template that refers to three things, one of them twice."""
    return replace(
        template(),
        files=(GuestFile("/a", Remote("http://x/a")), GuestFile("/b", Inline(b"b"))),
        precommands=(Script("first", Remote("http://x/c")),),
        commands=(Script("last", Remote("http://x/a")),),
    )


class CodecTests(SynchronousTestCase):
    """Jobs as text."""

    @given(STATES, STAGES, TEXT, st.none() | TEXT)
    def test_jobs_come_back(
        self, state: object, stages: tuple[StageOutcome, ...], text: str, other: str | None
    ) -> None:
        """Whatever they hold."""
        before = replace(job(), state=state, stages=stages, activity=text, provider=other)  # type: ignore[arg-type]
        self.assertEqual(before, decode_job(encode_job(before)))

    @given(st.text() | st.sampled_from(["{}", "[]", "null", "1", encode_job(job())[:-9], '{"state": 1}']))
    def test_damage(self, text: str) -> None:
        """Anything else is damaged, and is no other error."""
        self.assertRaises(Damaged, decode_job, text)


class OrderTests(SynchronousTestCase):
    """Build orders as text."""

    def decoding(self, text: str) -> Deferred[BuildOrder]:
        """Reading what was kept."""
        return Deferred.fromCoroutine(decode_order(text, job(), parse, self.find))

    async def find(self, id: str) -> bytes | None:
        """The templates that are stored."""
        return self.stored.get(id)

    def decode(self, text: str) -> BuildOrder:
        """The order that was kept."""
        return self.successResultOf(self.decoding(text))

    def setUp(self) -> None:
        self.stored: dict[str, bytes] = {}

    def test_round_trip(self) -> None:
        """A retry builds exactly the same, even if the URLs have something else by now."""
        complete = filled(parse(b""), CONTENTS)
        order = BuildOrder(job().id, "image", "build", "mock", complete, "template-id", True, True)
        text = encode_order(order, parse)
        self.assertEqual(order, self.decode(text))
        self.assertEqual((), remotes(complete))

    def test_each_once(self) -> None:
        """What is referred to twice is fetched once."""
        self.assertEqual(("http://x/a", "http://x/c"), remotes(parse(b"")))

    def test_nothing_kept(self) -> None:
        """A job whose request is gone or damaged cannot be retried, and says so."""
        for text in ("", "{}", "[]", '{"contents": 1}'):
            self.refused(text)

    def test_a_template_with_a_password_stays_in_the_warehouse(self) -> None:
        """It is read from there again; without it the job is not known any more."""
        plain = filled(parse(b""), CONTENTS)
        os = replace(plain.os, root_password=Secret("hush"))
        order = BuildOrder(
            job().id, "image", "build", "mock", replace(plain, os=os, source=b"<rootpw>hush</rootpw>"), "t"
        )
        text = encode_order(order, parse)
        self.assertNotIn("hush", text)
        self.refused(text)
        self.stored["t"] = b"<rootpw>hush</rootpw>"
        self.assertEqual(plain, self.decode(text).template)  # this test's parser sees no password

    def test_passwords_in_urls(self) -> None:
        """They are such passwords, wherever the URL stands; what was fetched is found again all the same."""
        secret = "http://me:hush@x/a?token=hush"
        os = replace(template().os, install=UrlInstall(secret))
        originals = (
            replace(template(), files=(GuestFile("/a", Remote(secret)),)),
            replace(template(), repositories=(Repository("r", f"deb {secret} bookworm main"),)),
            replace(template(), os=os),
        )
        for original in originals:
            source = f"<x>{secret}</x>".encode()
            full = filled(replace(original, source=source), {secret: b"what was fetched"})

            def parsed(source: bytes, original: Template = original) -> Template:
                return replace(original, source=source)

            text = encode_order(BuildOrder(job().id, "image", "build", "mock", full, "t"), parsed)
            self.assertNotIn("hush", text)
            self.stored["t"] = source
            again = decode_order(text, job(), parsed, self.find)
            self.assertEqual(full, self.successResultOf(Deferred.fromCoroutine(again)).template)

    def refused(self, text: str) -> None:
        """It cannot be run again."""

        self.failureResultOf(self.decoding(text), Conflict)
