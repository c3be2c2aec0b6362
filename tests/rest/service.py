"""A whole REST service in memory."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from imagefactory.rest.site import make_site
from imagefactory.settings.table import Settings
from imagefactory.testing.inventory import FakeInventory
from imagefactory.testing.rest import FakeArguments, FakeJobs, FakeTargetCatalog, one_leftover
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.wire import Wire

TEMPLATE = "<template><name>demo</name></template>"
NAMES = ("factory.example", "other.example", "cloud.example", "x")
CREDENTIALS = "<provider_credentials><mock_credentials><key>s3cret</key></mock_credentials></provider_credentials>"


class ServiceTestCase(SynchronousTestCase):
    """Has a service without OAuth, unless the settings say otherwise, and one connection to it."""

    settings: dict[str, Any] = {"no_oauth": True, "rest_names": NAMES}  # noqa: RUF012
    mounts: Mapping[str, Resource] = {}

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.jobs = FakeJobs()
        self.inventory = FakeInventory.of_one()
        self.serve()

    def serve(self, **settings: Any) -> None:
        """Start anew with further settings."""
        self.site = make_site(
            self.jobs,
            self.inventory,
            arguments=FakeArguments(),
            targets=FakeTargetCatalog(),
            leftovers=one_leftover,
            settings=replace(Settings(), **{**self.settings, **settings}),
            clock=self.clock,
            threads=ImmediateThreads(),
            mounts=self.mounts,
        )
        self.wire = Wire(self.site, clock=self.clock)

    def build(self) -> str:
        """A build job is accepted; its id."""
        answer = self.wire.json("POST", "/imagefactory/images", {"template": TEMPLATE, "targets": "mock"})
        self.assertEqual(answer.status, 202, answer.body)
        id: str = answer.json["build"]["target_images"][0]["id"]
        return id
