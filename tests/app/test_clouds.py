"""Targets and providers of an installation."""

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.app.clouds import InstalledClouds, target_content
from imagefactory.lib.errors import InvalidInput, Unsupported
from imagefactory.settings import Settings
from imagefactory.targets.registry import Targets


class InstalledCloudsTests(SynchronousTestCase):
    """What the administrator has defined."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.settings = Settings(provider_definitions=self.directory)
        self.clouds = InstalledClouds(Targets(None), self.directory)  # type: ignore[arg-type]

    def define(self, name: str, content: object) -> None:
        """Write a definitions file."""
        (self.directory / name).write_text(json.dumps(content))

    def test_definitions_are_read_at_each_use(self) -> None:
        """A provider can be added without a restart."""
        self.assertRaises(Unsupported, self.clouds.provider, "rhevm-7")
        self.define("rhevm.json", {"rhevm-7": {"api-url": "https://rhevm.example/api", "password": "hidden"}})
        provider = self.clouds.provider("rhevm-7")
        self.assertEqual((provider.target, provider.definition["api-url"]), ("rhevm", "https://rhevm.example/api"))
        self.assertNotIn("hidden", repr(provider))

    def test_forms_of_names(self) -> None:
        """Of the targets whose providers need no definition."""
        self.assertEqual(self.clouds.forms("ec2"), ("ec2-REGION",))
        self.assertEqual(self.clouds.forms("rhevm"), ())

    def test_a_slip_of_the_pen_is_no_provider(self) -> None:
        """Version 1.0 took it for condorcloud."""
        self.assertRaises(Unsupported, self.clouds.provider, "ec3-us-east-1")

    def test_damaged_definitions_are_an_error(self) -> None:
        """Not silence: a push would go elsewhere."""
        (self.directory / "vsphere.json").write_text("{")
        self.assertRaises(InvalidInput, self.clouds.provider, "vsphere-1")

    def test_target_content_may_be_absent(self) -> None:
        """It is optional."""
        self.assertIsNone(target_content(self.settings))
        (self.directory / "target_content.xml").write_bytes(b"<template_includes/>")
        self.assertEqual(target_content(self.settings), b"<template_includes/>")
