"""Targets and providers of an installation."""

import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.app.clouds import InstalledClouds, target_content
from imagefactory.lib.errors import InvalidInput, Unsupported
from imagefactory.model.providers import Provider
from imagefactory.settings import Settings
from imagefactory.targets.registry import InstalledTargets
from imagefactory.testing.targets import target_context
from imagefactory.testing.threads import ImmediateThreads

T = TypeVar("T")


class InstalledCloudsTests(SynchronousTestCase):
    """What the administrator has defined."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.settings = Settings(provider_definitions=self.directory)
        self.clouds = InstalledClouds(InstalledTargets(target_context()), self.directory, ImmediateThreads())

    def provider(self, text: str) -> Deferred[Provider]:
        """A look-up of a provider."""
        return Deferred.fromCoroutine(self.clouds.provider(text))

    def get(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a look-up."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def define(self, name: str, content: object) -> None:
        """Write a definitions file."""
        (self.directory / name).write_text(json.dumps(content))

    def test_definitions_are_read_at_each_use(self) -> None:
        """A provider can be added without a restart."""
        self.failureResultOf(self.provider("rhevm-7"), Unsupported)
        self.define("rhevm.json", {"rhevm-7": {"api-url": "https://rhevm.example/api", "password": "hidden"}})
        provider = self.successResultOf(self.provider("rhevm-7"))
        self.assertEqual((provider.target, provider.definition["api-url"]), ("rhevm", "https://rhevm.example/api"))
        self.assertNotIn("hidden", repr(provider))
        self.assertEqual(self.get(self.clouds.providers("rhevm")), ["rhevm-7"])
        self.assertEqual(self.get(self.clouds.providers("vsphere")), [])

    def test_forms_of_names(self) -> None:
        """Of the targets whose providers need no definition."""
        self.assertEqual(self.clouds.forms("ec2"), ("ec2-REGION",))
        self.assertEqual(self.clouds.forms("rhevm"), ())

    def test_a_slip_of_the_pen_is_no_provider(self) -> None:
        """Version 1.0 took it for condorcloud."""
        self.failureResultOf(self.provider("ec3-us-east-1"), Unsupported)

    def test_damaged_definitions_are_an_error(self) -> None:
        """Not silence: a push would go elsewhere."""
        (self.directory / "vsphere.json").write_text("{")
        self.failureResultOf(self.provider("vsphere-1"), InvalidInput)

    def test_limits_and_credentials_are_the_targets_own(self) -> None:
        """The number of pushes is a setting of one cloud; other spellings of fields are those of its credentials."""
        self.assertEqual((self.clouds.concurrency("ec2"), self.clouds.concurrency("mock")), (2, None))
        document = b"<provider_credentials><ec2_credentials><key>k</key></ec2_credentials></provider_credentials>"
        self.assertEqual(list(self.clouds.credentials(document).fields), ["x509_private"])

    def test_target_content_may_be_absent(self) -> None:
        """It is optional."""
        self.assertIsNone(target_content(self.settings))
        (self.directory / "target_content.xml").write_bytes(b"<template_includes/>")
        self.assertEqual(target_content(self.settings), b"<template_includes/>")
