"""Names on their way to the server and back."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.warehouse import names
from tests.warehouse.client.places import World, new_clock, our_site

NAMES = st.text(min_size=1, max_size=20).filter(
    lambda name: not names.problem(name) and name not in names.RESERVED_ATTRIBUTES | names.RESERVED_KEYS
)


class NameTests(SynchronousTestCase):
    """Any name that there may be."""

    def setUp(self) -> None:
        clock = new_clock()
        self.world = World(our_site(self, clock), clock)
        self.world.run(self.world.warehouse.create_bucket("b"))

    @settings(max_examples=60, deadline=None)
    @given(NAMES)
    def test_any_name(self, name: str) -> None:
        """A key and an attribute are found under their name, and only there."""
        run, warehouse = self.world.run, self.world.warehouse
        run(warehouse.put("b", name, name.encode(), {name: name}))
        self.assertEqual(run(warehouse.keys("b")), [name])
        self.assertEqual(run(warehouse.body("b", name)), name.encode())
        self.assertEqual(run(warehouse.attributes("b", name)), {name: name})
        other = unicodedata.normalize("NFD", name)
        if other != name and not names.problem(other):
            self.assertIsNone(run(warehouse.attributes("b", other)))
        self.assertTrue(run(warehouse.delete("b", name)))
