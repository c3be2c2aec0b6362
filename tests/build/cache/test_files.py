"""The small parts of the cache: lock, sidecar, holds."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.cache.entry import decode, describe, encode
from imagefactory.build.cache.keys import stage_key
from imagefactory.build.cache.references import References


class SidecarTests(SynchronousTestCase):
    """What is read is what was written, or nothing."""

    def test_there_and_back(self) -> None:
        """All fields; no input stands in it."""
        key = stage_key("base", {"root password": "hunter2"}, "aa")
        card = describe(key, {"kernel": "/boot/é"}, 12.5, size=3, content="c")
        self.assertEqual(decode(encode(card)), card)
        self.assertNotIn(b"hunter2", encode(card))

    @given(st.binary())
    def test_rubbish_is_refused(self, data: bytes) -> None:
        """With one kind of error."""
        self.assertRaises(ValueError, decode, data)

    def test_every_changed_character_is_noticed(self) -> None:
        """Wherever in the document it is."""
        data = encode(describe(stage_key("base", {"a": "b"}), {"k": "v"}, 1.0, size=3, content="c"))
        for at, byte in enumerate(data):
            if chr(byte).isalnum():
                changed = data[:at] + bytes([byte ^ 1]) + data[at + 1 :]
                self.assertRaises(ValueError, decode, changed)


class HoldsTests(SynchronousTestCase):
    """The lease ends with the last user."""

    def test_counting(self) -> None:
        """A later lease replaces an earlier one; a release too many is none."""
        holds, closed = References(), []

        class Lease:
            def __init__(self, name: str) -> None:
                self.name = name

            def close(self) -> None:
                closed.append(self.name)

        holds.begin("a")
        holds.begin("a")
        holds.keep("a", Lease("old"))
        holds.keep("a", Lease("new"))
        self.assertEqual(closed, ["old"])
        holds.end("a")
        self.assertEqual(closed, ["old"])
        holds.end("a")
        holds.end("a")
        self.assertEqual(closed, ["old", "new"])
