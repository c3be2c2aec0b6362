"""Which target a provider belongs to."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput, Unsupported
from imagefactory.model.providers import ProviderDefinitions, parse_definitions, resolve_provider

NONE = ProviderDefinitions()
RHEVM = {"rhevm-1": {"api-url": "https://r.example", "password": "s3cret", "timeout": 1800, "cluster": None}}
VSPHERE = {"vsphere-1": {"api-url": "https://v.example", "datastore": "d"}, "mock-not": {"api-url": "x"}}
DEFINED = parse_definitions(json.dumps(RHEVM).encode(), json.dumps(VSPHERE).encode())


class NameTests(SynchronousTestCase):
    """Names that speak for themselves, and names that are defined."""

    def test_targets_of_names(self) -> None:
        """By the rules of version 1.0, without its last one."""
        expected = {
            "ec2-us-east-1": "ec2",
            "ec2-us-gov-west-1": "ec2",
            "rackspace": "rackspace",
            "mock": "mock",
            "mock-provider1": "mock",
            "condorcloud": "condorcloud",
            "condorcloud-2": "condorcloud",
            "openstack": "openstack-kvm",
            "openstack-lab": "openstack-kvm",
        }
        self.assertEqual({name: resolve_provider(name, NONE).target for name in expected}, expected)

    def test_a_typing_error_is_not_condorcloud(self) -> None:
        """The error lists all that is known."""
        for name in ("ec-us-east-1", "ec2us-east-1", "rackspace2", "condorcloud2", "ec2", "ec2-", "moc", ""):
            with self.assertRaises(Unsupported, msg=name) as caught:
                resolve_provider(name, DEFINED)
            for known in ("rhevm-1", "vsphere-1", "ec2-REGION", "rackspace", "mock", "condorcloud", "openstack"):
                self.assertIn(known, str(caught.exception))

    def test_names_are_safe_in_paths(self) -> None:
        """They become parts of file names."""
        for name in ("mock/../../etc", "mock x", "mock\n", "condorcloud-\0", "ec2-us/east-1", "mock" * 100):
            if name.strip() == name:
                self.assertRaises(Unsupported, resolve_provider, name, NONE)

    def test_defined_names_come_first(self) -> None:
        """Numbers become texts, null is absent, a name that looks like a mock is what its file says."""
        provider = resolve_provider("rhevm-1", DEFINED)
        self.assertEqual((provider.name, provider.target), ("rhevm-1", "rhevm"))
        self.assertEqual(provider.definition, {"api-url": "https://r.example", "password": "s3cret", "timeout": "1800"})
        self.assertEqual(resolve_provider("mock-not", DEFINED).target, "vsphere")
        self.assertNotIn("s3cret", repr(provider) + repr(DEFINED))


class InlineTests(SynchronousTestCase):
    """Definitions in place of a name."""

    def test_xml_and_json(self) -> None:
        """Attributes of the root element, or the keys of the object."""
        for text in (
            '<rhevm name="r" target="rhevm" api-url="u" password="s3cret"/>',
            ' {"name": "r", "target": "rhevm", "api-url": "u", "password": "s3cret"}',
        ):
            provider = resolve_provider(text, NONE)
            self.assertEqual((provider.name, provider.target), ("r", "rhevm"))
            self.assertEqual(provider.definition, {"api-url": "u", "password": "s3cret"})
            self.assertNotIn("s3cret", repr(provider))

    def test_what_is_wrong_is_said_at_once_and_without_secrets(self) -> None:
        """Version 1.0 found out after the upload."""
        wrong = (
            '<p name="r" password="s3cret"/>',
            '<p name="r" target="xen" password="s3cret"/>',
            '<p name="r" password="s3cret">',
            '<p name="r" target="mock"><password>s3cret</password></p>',
            '<p name="r" target="mock">s3cret</p>',
            '<p name="r" target="mock"><password/></p>',
            '{"target": "rhevm", "password": "s3cret"}',
            '{"name": "r", "target": "rhevm", "password": ["s3cret"]}',
            '{"password": "s3cret"',
            '{"name": "\ud800", "target": "rhevm"',
        )
        for text in wrong:
            with self.assertRaises(InvalidInput, msg=text) as caught:
                resolve_provider(text, NONE)
            self.assertNotIn("s3cret", str(caught.exception))

    @given(st.text())
    def test_nothing_but_invalid_input(self, text: str) -> None:
        """Whatever the text is."""
        with contextlib.suppress(InvalidInput):
            resolve_provider(text, DEFINED)


class DefinitionTests(SynchronousTestCase):
    """The files of the administrator."""

    def test_no_files(self) -> None:
        """Nothing is defined then."""
        self.assertEqual(parse_definitions(None, None), NONE)

    def test_bad_files(self) -> None:
        """The error names the file, and the entry."""
        for document, place in (
            (b"[]", "rhevm.json"),
            (b"{", "rhevm.json"),
            (b"\xff", "rhevm.json"),
            (b'{"a": "s3cret"}', "rhevm.json: a"),
            (b'{"a": {"b": {"c": "s3cret"}}}', "rhevm.json: a"),
        ):
            with self.assertRaises(InvalidInput) as caught:
                parse_definitions(document, None)
            self.assertEqual(caught.exception.problems[0].place, place)
            self.assertNotIn("s3cret", str(caught.exception))
