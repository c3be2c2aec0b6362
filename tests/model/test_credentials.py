"""Credentials documents."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput, TooLarge
from imagefactory.model.credentials import parse_credentials

EC2 = b"""<?xml version="1.0"?>
<provider_account><name>n</name><provider>ec2-us-east-1</provider>
<provider_credentials><!-- mine --><ec2_credentials>
 <account_number> 1234 </account_number><access_key>AK</access_key><secret_access_key>s3cret</secret_access_key>
 <key>-----BEGIN PRIVATE KEY-----
s3cret
-----END PRIVATE KEY-----
</key><x509_public>cert</x509_public><empty/></ec2_credentials></provider_credentials></provider_account>"""


SPELLINGS = {"ec2_credentials": {"key": "x509_private", "certificate": "x509_public"}}


class CredentialsTests(SynchronousTestCase):
    """What is read, and what is never said."""

    def test_ec2_in_the_wrapper_of_conductor(self) -> None:
        """The element is found at any depth, other spellings mean the same, empty fields are left out."""
        credentials = parse_credentials(EC2, SPELLINGS)
        shown = {name: secret.reveal() for name, secret in credentials.fields.items()}
        self.assertEqual(credentials.kind, "ec2_credentials")
        self.assertEqual(
            shown,
            {
                "account_number": "1234",
                "access_key": "AK",
                "secret_access_key": "s3cret",
                "x509_private": "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----",
                "x509_public": "cert",
            },
        )
        self.assertNotIn("s3cret", repr(credentials))

    def test_spellings_are_those_of_the_element(self) -> None:
        """A `key` of another cloud stays one."""
        document = b"<provider_credentials><x_credentials><key>k</key></x_credentials></provider_credentials>"
        self.assertEqual(list(parse_credentials(document, SPELLINGS).fields), ["key"])

    def test_errors_never_repeat_the_document(self) -> None:
        """Not a value, not a name, not a broken place."""
        wrong = (
            b"s3cret",
            b"<a><s3cret></a>",
            b"<a>&s3cret;</a>",
            b"<!DOCTYPE s3cret><a/>",
            b"<a>s3cret</a>",
            b"<provider_credentials>s3cret</provider_credentials>",
            b"<provider_credentials><a>s3cret</a><s3cret/></provider_credentials>",
            b"<a><provider_credentials/><provider_credentials><s3cret/></provider_credentials></a>",
            b"<provider_credentials><a><b>s3cret<s3cret/></b></a></provider_credentials>",
            b"<provider_credentials><a><s3cret>1</s3cret><s3cret>2</s3cret></a></provider_credentials>",
            EC2.replace(b"x509_public", b"x509_private"),
        )
        for document in wrong:
            with self.assertRaises(InvalidInput, msg=str(document)) as caught:
                parse_credentials(document, SPELLINGS)
            self.assertNotIn("s3cret", str(caught.exception))
            self.assertIsNone(caught.exception.__cause__)
        self.assertRaises(TooLarge, parse_credentials, b" " * (2 << 20), SPELLINGS)

    @settings(deadline=None)
    @given(st.one_of(st.binary(), st.lists(st.sampled_from(EC2.split(b">"))).map(b">".join)))
    def test_nothing_but_invalid_input(self, document: bytes) -> None:
        """Whatever comes in."""
        try:
            parse_credentials(document, SPELLINGS)
        except InvalidInput as error:
            self.assertTrue(error.problems or error.hint)
