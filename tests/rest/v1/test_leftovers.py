"""What interrupted pushes left at providers."""

from tests.rest.service import ServiceTestCase


class LeftoverTests(ServiceTestCase):
    """`/imagefactory/leftovers`."""

    def test_all(self) -> None:
        """Each with what a person needs to find it, and no credentials."""
        found = self.wire.ask("GET", "/imagefactory/leftovers").json
        self.assertEqual("leftovers", found["_type"])
        (leftover,) = found["leftovers"]
        self.assertEqual(
            leftover,
            {
                "_type": "leftover",
                "token": "mock/p",
                "provider_image_id": "p",
                "target": "mock",
                "provider": "mock1",
                "account": "me",
                "kind": "image",
                "identifier": None,
                "state": "intended",
                "created": "1970-01-01T00:16:40.000Z",
                "note": "the disk",
            },
        )
