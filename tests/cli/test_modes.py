"""Which mode a command line means."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.cli.modes import BuildMode, ImportMode, LeftoversMode, LogMode, PushMode, ReapMode, ServeMode, mode_of
from imagefactory.lib.errors import InvalidInput
from imagefactory.settings import Settings

IMAGE = "6d9aee26-0a4b-4d0c-b0d9-4b2b7f9e1ce5"


def mode(**options: Any) -> object:
    """The mode of settings with these options."""
    return mode_of(Settings(**options))


class ModeTests(SynchronousTestCase):
    """The combinations of version 1.0, and a clear word for all others."""

    def test_a_template_with_targets_is_a_build(self) -> None:
        """--template with --target builds; the image may be given, too."""
        self.assertEqual(
            mode(template="t.tdl", target=("rhevm", "ec2"), image=IMAGE, boot_check=True),
            BuildMode("t.tdl", ("rhevm", "ec2"), IMAGE, False, True),
        )

    def test_a_job_s_log(self) -> None:
        """--log prints it."""
        self.assertEqual(mode(log=IMAGE), LogMode(IMAGE))

    def test_leftovers(self) -> None:
        """--leftovers lists them; --reap needs to know where, and takes credentials as a push does."""
        self.assertEqual(mode(leftovers=True), LeftoversMode())
        found = mode(reap=True, provider=("mock-1",), credentials="c.xml")
        self.assertEqual(found, ReapMode(("mock-1",), "c.xml"))
        self.assertNotIn("c.xml", repr(found))
        error = self.assertRaises(InvalidInput, mode, reap=True)
        self.assertIn("--provider", str(error))

    def test_an_image_alone_is_a_rebuild(self) -> None:
        """--image without --provider rebuilds, with the targets given or those of its last build."""
        self.assertEqual(mode(image=IMAGE), BuildMode("", (), IMAGE, False, False))

    def test_an_image_with_providers_is_a_push(self) -> None:
        """--image with --provider pushes, credentials or not: a target knows whether it needs them."""
        self.assertEqual(mode(image=IMAGE, provider=("mock-1",)), PushMode(IMAGE, ("mock-1",), ""))

    def test_a_target_image_is_an_import(self) -> None:
        """--target-image with one target and one provider imports."""
        self.assertEqual(
            mode(target=("mock",), provider=("mock-1",), target_image="my-id"),
            ImportMode("mock", "mock-1", "my-id", None, ""),
        )

    def test_an_import_takes_one_target(self) -> None:
        """Two targets are refused with the words of version 1.0."""
        error = self.assertRaises(
            InvalidInput, mode, target=("mock", "ec2"), provider=("mock-1",), target_image="my-id"
        )
        self.assertEqual(error.message, "Expect a single target, but 'mock, ec2' supplied")

    def test_rest_serves(self) -> None:
        """--rest is the daemon whatever else stands there."""
        self.assertEqual(mode(rest=True, target=("mock",)), ServeMode())

    def test_a_template_without_target_is_refused(self) -> None:
        """The error shows what there is."""
        error = self.assertRaises(InvalidInput, mode, template="t.tdl")
        self.assertIn("--target", error.message)
        self.assertIn("rebuild", error.hint)

    def test_building_and_pushing_at_once_is_refused(self) -> None:
        """A template with a provider would silently ignore one of them."""
        self.assertRaises(InvalidInput, mode, template="t.tdl", target=("mock",), provider=("mock-1",))

    def test_nothing_to_do_is_refused(self) -> None:
        """Options that together ask for nothing are an error, not silence."""
        for options in ({}, {"target": ("mock",)}, {"provider": ("mock-1",)}, {"credentials": "c.xml"}):
            with self.subTest(options=options):
                self.assertRaises(InvalidInput, mode, **options)
