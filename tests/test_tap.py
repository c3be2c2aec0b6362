"""The options of twist's sub-commands."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import Mock, patch

from twisted.trial.unittest import SynchronousTestCase

from imagefactory import tap, tap_warehouse
from imagefactory.cli import warehouse


class OptionsTests(SynchronousTestCase):
    """They mean the same as those of the commands."""

    def test_the_factory(self) -> None:
        """A list is given with commas; what was not given is not passed on."""
        options = tap.Options()
        options.parseOptions(["--port", "8076", "--no_ssl", "--ssl_names", "one.example,two.example"])
        wanted = ["--port=8076", "--no_ssl", "--ssl_names=one.example", "--ssl_names=two.example"]
        self.assertEqual(options.arguments(), wanted)

    def test_the_warehouse(self) -> None:
        """Its short names stand for those of the one table."""
        options = tap_warehouse.Options()
        options.parseOptions(["--port", "9091", "--path", "/srv/images"])
        self.assertEqual(options.arguments(), ["--warehouse_port=9091", "--warehouse_path=/srv/images"])

    def test_the_directory_of_images_is_private(self) -> None:
        """Whoever makes it: images may hold secrets."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        for number, make in enumerate((self.with_twist, self.with_the_command)):
            path = Path(directory.name) / str(number) / "images"
            make(path)
            self.assertEqual(oct(path.stat().st_mode & 0o777), "0o700")

    def with_twist(self, path: Path) -> None:
        """As twist imagewarehouse makes it."""
        options = tap_warehouse.Options()
        options.parseOptions(["--path", str(path), "--state_dir", str(path.parent), "--port", "9"])
        with patch("imagefactory.app.daemons.warehouse_daemon", return_value=Mock(failed=False)):
            tap_warehouse.makeService(options)

    def with_the_command(self, path: Path) -> None:
        """As imagewarehouse makes it."""
        with patch("imagefactory.cli.serving.serve"):
            warehouse.serve(["-f", "--path", str(path)])

    def test_what_cannot_be_used(self) -> None:
        """Ends the process with a message and its way out, not with a stack trace."""
        for module, flag in ((tap, "--warehouse_port"), (tap_warehouse, "--port")):
            options = module.Options()
            options.parseOptions([flag, "seventy"])
            ended = self.assertRaises(SystemExit, module.makeService, options)
            self.assertIn("seventy", str(ended.code))
