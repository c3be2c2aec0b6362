"""Which target a provider belongs to."""

import contextlib
import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput, Unsupported
from imagefactory.model.providers import Provider
from imagefactory.targets import providers
from imagefactory.targets.descriptor import DefinitionForm, ProviderNames, TargetDescriptor
from imagefactory.targets.mock import TARGET
from imagefactory.targets.registry import OURS
from imagefactory.testing.targets import installed

OTHER = TargetDescriptor(
    "other",
    "a cloud of another package",
    TARGET.make,
    names=(ProviderNames(re.compile(r"other-[0-9]+"), "other-NUMBER"),),
    definition=DefinitionForm("other.json", ("url",)),
)
DESCRIPTORS = installed(OTHER, ours=OURS).descriptors
DEFINED = {
    "rhevm": {"rhevm-1": {"api-url": "https://r.example", "password": "s3cret"}},
    "vsphere": {"vsphere-1": {"api-url": "https://v.example"}, "mock-not": {"api-url": "x"}},
    "other": {"ours": {"url": "https://o.example"}},
}


def resolve(text: str, defined: providers.Definitions | None = None) -> Provider:
    """The provider that a text means to this installation."""
    return providers.resolve_provider(text, DESCRIPTORS, DEFINED if defined is None else defined)


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
        self.assertEqual({name: resolve(name, {}).target for name in expected}, expected)

    def test_a_typing_error_is_not_condorcloud(self) -> None:
        """The error lists all that is known."""
        for name in ("ec-us-east-1", "ec2us-east-1", "rackspace2", "condorcloud2", "ec2", "ec2-", "moc", ""):
            with self.assertRaises(Unsupported, msg=name) as caught:
                resolve(name)
            for known in ("rhevm-1", "vsphere-1", "ec2-REGION", "rackspace", "mock", "condorcloud", "openstack"):
                self.assertIn(known, str(caught.exception))

    def test_names_are_safe_in_paths(self) -> None:
        """They become parts of file names."""
        for name in ("mock/../../etc", "mock x", "mock\n", "condorcloud-\0", "ec2-us/east-1", "mock" * 100):
            if name.strip() == name:
                self.assertRaises(Unsupported, resolve, name, {})

    def test_defined_names_come_first(self) -> None:
        """A name that looks like a mock is what its file says."""
        provider = resolve("rhevm-1")
        self.assertEqual((provider.name, provider.target), ("rhevm-1", "rhevm"))
        self.assertEqual(provider.definition, DEFINED["rhevm"]["rhevm-1"])
        self.assertEqual(resolve("mock-not").target, "vsphere")
        self.assertNotIn("s3cret", repr(provider))

    def test_a_target_of_another_package(self) -> None:
        """It has names and definitions of its own, as ours have, and errors list them."""
        self.assertEqual((resolve("other-7").target, resolve("ours").target), ("other", "other"))
        error = self.assertRaises(Unsupported, resolve, "other-x")
        self.assertIn("other-NUMBER", str(error))
        self.assertIn("other.json", error.hint)

    def test_definitions_in_place(self) -> None:
        """Their target has to be installed."""
        self.assertEqual(resolve('{"name": "o", "target": "other", "url": "u"}').definition, {"url": "u"})
        error = self.assertRaises(Unsupported, resolve, '<p name="r" target="xen" password="s3cret"/>')
        self.assertIn("known are", str(error))
        self.assertNotIn("s3cret", str(error))

    @given(st.text())
    def test_nothing_but_invalid_input(self, text: str) -> None:
        """Whatever the text is."""
        with contextlib.suppress(InvalidInput):
            resolve(text)
