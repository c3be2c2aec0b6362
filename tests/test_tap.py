"""The options of twist's sub-commands."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from imagefactory import tap, tap_warehouse
from imagefactory.app.daemons import warehouse_daemon
from imagefactory.lib.errors import FactoryError
from imagefactory.settings.loading import load_here


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
        """However it is made: images may hold secrets."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "state" / "images"
        settings = load_here(["--foreground", "--warehouse_path", str(path)])
        with patch("imagefactory.app.daemons.bind", side_effect=FactoryError("that is enough")):
            self.assertRaises(FactoryError, warehouse_daemon, settings, reopen_log=None, pidfile=False)
        self.assertEqual(oct(path.stat().st_mode & 0o777), "0o700")

    def test_what_cannot_be_used(self) -> None:
        """Ends the process with a message and its way out, not with a stack trace."""
        for module, flag in ((tap, "--warehouse_port"), (tap_warehouse, "--port")):
            options = module.Options()
            options.parseOptions([flag, "seventy"])
            ended = self.assertRaises(SystemExit, module.makeService, options)
            self.assertIn("seventy", str(ended.code))
