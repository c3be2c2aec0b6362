"""The first OAuth client."""

import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.app.clients import FIRST_CLIENT, clients_of
from imagefactory.lib.errors import FactoryError
from imagefactory.lib.secret import Secret
from imagefactory.settings import Settings


class FirstClientTests(SynchronousTestCase):
    """A daemon without configured clients is neither open nor useless."""

    def setUp(self) -> None:
        self.settings = Settings(state_dir=Path(self.mktemp()))
        self.path = self.settings.state_dir / FIRST_CLIENT

    def test_one_is_made_and_kept(self) -> None:
        """The second start has the same client; no other user can read the file."""
        first = clients_of(self.settings)
        self.assertEqual(len(first), 1)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(clients_of(self.settings), first)

    def test_its_secret_is_long_and_in_the_file_only(self) -> None:
        """The mapping's text does not show it."""
        ((_, secret),) = clients_of(self.settings).items()
        self.assertGreaterEqual(len(secret.reveal()), 32)
        self.assertIn(secret.reveal(), self.path.read_text())
        self.assertNotIn(secret.reveal(), repr(clients_of(self.settings)))

    def test_configured_clients_are_enough(self) -> None:
        """With clients, or without OAuth, nothing is made."""
        clients = {"conductor": Secret("s")}
        self.assertEqual(clients_of(Settings(state_dir=self.settings.state_dir, clients=clients)), clients)
        self.assertEqual(clients_of(Settings(state_dir=self.settings.state_dir, no_oauth=True)), {})
        self.assertFalse(self.path.exists())

    def test_a_damaged_file_is_an_error_with_a_way_out(self) -> None:
        """An error: neither access for all nor silently a new secret."""
        self.settings.state_dir.mkdir()
        for text in ("", "[]", '{"key": "k"}', "\0"):
            with self.subTest(text=text):
                self.path.write_text(text)
                error = self.assertRaises(FactoryError, clients_of, self.settings)
                self.assertEqual(error.where, str(self.path))
