"""The options of imagewarehouse."""

import shlex

from twisted.trial.unittest import SynchronousTestCase

from imagefactory import __version__
from imagefactory.cli.warehouse import early_answer, settings_arguments
from imagefactory.lib.errors import InvalidInput


class WarehouseOptionTests(SynchronousTestCase):
    """They are settings of the factory under the names that iwhd's users know."""

    def test_each_option_is_a_setting(self) -> None:
        """Addresses, files and flags arrive where the daemon looks for them."""
        given = (
            "-f --address ::1 -p 9191 --path /srv/w -o -u users.json --ssl_pem tls.pem --copies /srv/c -l w.log --debug"
        )
        self.assertEqual(
            settings_arguments(shlex.split(given)),
            [
                "--warehouse_address=::1",
                "--warehouse_port=9191",
                "--warehouse_path=/srv/w",
                "--warehouse_users=users.json",
                "--warehouse_pem=tls.pem",
                "--warehouse_copies=/srv/c",
                "--log_file=w.log",
                "--foreground",
                "--debug",
            ],
        )

    def test_oauth_without_users_is_refused(self) -> None:
        """OAuth without users is a mistake."""
        self.assertIn("--users", self.assertRaises(InvalidInput, settings_arguments, ["-o"]).message)

    def test_unknown_options_are_refused(self) -> None:
        """With the words of the command, not of a parser."""
        self.assertRaises(InvalidInput, settings_arguments, ["--database", "x"])

    def test_help_and_version_need_nothing(self) -> None:
        """They are answered before anything is read."""
        self.assertIn("--path DIR", early_answer(["--help"]) or "")
        self.assertEqual(early_answer(["--version"]), f"imagewarehouse {__version__}\n")
        self.assertIsNone(early_answer(["-f"]))
