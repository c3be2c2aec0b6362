"""Forms: what clients send is read, what is malformed or too much is refused."""

import contextlib
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.http.forms import media_type, multipart_pairs, urlencoded_pairs

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
VALUES = st.text(st.characters(codec="utf-8"), max_size=50).filter(lambda text: "--B" not in text)
KIND = "multipart/form-data; boundary=B"


def multipart(pairs: list[tuple[str, str]]) -> bytes:
    """A body as browsers write it."""
    parts = [f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs]
    return ("".join(parts) + "--B--\r\n").encode()


class FormTests(SynchronousTestCase):
    """Both encodings."""

    @given(st.lists(st.tuples(NAMES, VALUES), max_size=5))
    def test_round_trip(self, pairs: list[tuple[str, str]]) -> None:
        """Names and values come out as they were put in, in order."""
        self.assertEqual(multipart_pairs(multipart(pairs), KIND, 5), pairs)
        self.assertEqual(urlencoded_pairs(urlencode(pairs), 5), pairs)

    def test_too_many(self) -> None:
        """One field more than there may be is refused in both."""
        pairs = [("a", "1"), ("b", "2"), ("c", "3")]
        self.assertEqual(len(multipart_pairs(multipart(pairs), KIND, 3)), 3)
        self.assertRaises(InvalidInput, multipart_pairs, multipart(pairs), KIND, 2)
        self.assertEqual(len(urlencoded_pairs(urlencode(pairs), 3)), 3)
        self.assertRaises(InvalidInput, urlencoded_pairs, urlencode(pairs), 2)

    def test_malformed(self) -> None:
        """Without an end, a boundary, a name, or in another encoding."""
        good = multipart([("a", "1")])
        for body in (good[:-6], good.replace(b'name="a"', b""), good.replace(b"1", b"\xff"), b""):
            with self.subTest(body=body):
                self.assertRaises(InvalidInput, multipart_pairs, body, KIND, 9)
        self.assertRaises(InvalidInput, multipart_pairs, good, "multipart/form-data", 9)
        self.assertRaises(InvalidInput, multipart_pairs, good, f"multipart/form-data; boundary={'B' * 201}", 9)
        encoded = good.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
        self.assertRaises(InvalidInput, multipart_pairs, encoded, KIND, 9)
        self.assertRaises(InvalidInput, urlencoded_pairs, "a=%ff", 9)

    @given(st.binary(max_size=200))
    def test_anything(self, body: bytes) -> None:
        """Whatever comes is read or refused, and nothing else happens."""
        with contextlib.suppress(InvalidInput):
            multipart_pairs(body, KIND, 5)

    def test_media_type(self) -> None:
        """The type alone."""
        self.assertEqual(media_type(" Multipart/Form-Data ; boundary=B"), "multipart/form-data")
