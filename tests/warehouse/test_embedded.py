"""The embedded store, held to the contract of warehouses, and what it does about damage on the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import TestCase

from imagefactory.lib.errors import FactoryError
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.warehouse import WarehouseContract
from imagefactory.warehouse.store import EmbeddedWarehouse, open_store
from tests.warehouse.places import fresh_directory


class EmbeddedContractTests(WarehouseContract, TestCase):
    """The contract, in-process."""

    async def make(self) -> EmbeddedWarehouse:
        """A store in a fresh directory."""
        store = open_store(fresh_directory(self) / "warehouse")
        self.addCleanup(store.close)
        return EmbeddedWarehouse(store, ImmediateThreads())


class DamageTests(TestCase):
    """A body is handed out as it was stored, or not at all."""

    async def stored(self) -> tuple[EmbeddedWarehouse, Path]:
        """A warehouse with the object b/k, and the file of its body."""
        self.directory = fresh_directory(self)
        store = open_store(self.directory / "warehouse")
        self.addCleanup(store.close)
        warehouse = EmbeddedWarehouse(store, ImmediateThreads())
        await warehouse.create_bucket("b")
        await warehouse.put("b", "k", b"body " * 1000, {})
        path = await warehouse.path("b", "k")
        assert path is not None
        return warehouse, path

    async def refuse(self, warehouse: EmbeddedWarehouse, word: str) -> None:
        """Neither way hands it out; the error has the word and the object."""
        for _ in range(2):
            for ask in (warehouse.body("b", "k"), warehouse.local("b", "k", self.directory)):
                with self.assertRaises(FactoryError) as caught:
                    await ask
                self.assertIn(word, caught.exception.message)
                self.assertEqual(caught.exception.where, "b/k")
        self.assertFalse((self.directory / "k").exists())

    async def test_changed(self) -> None:
        """A body with another byte in it is refused, also when it was whole a moment ago; stored again it is well."""
        warehouse, path = await self.stored()
        self.assertEqual(await warehouse.body("b", "k"), b"body " * 1000)
        with path.open("r+b") as file:
            file.seek(700)
            file.write(b"X")
        await self.refuse(warehouse, "damaged")
        await warehouse.put("b", "k", b"body " * 1000, {})
        self.assertEqual(await warehouse.body("b", "k"), b"body " * 1000)

    async def test_cut(self) -> None:
        """So is one that lost its end."""
        warehouse, path = await self.stored()
        os.truncate(path, 100)
        await self.refuse(warehouse, "damaged")
        self.assertIsNone(await warehouse.path("b", "k"))

    async def test_lost(self) -> None:
        """And one that is gone."""
        warehouse, path = await self.stored()
        path.unlink()
        await self.refuse(warehouse, "lost")
        self.assertIsNone(await warehouse.path("b", "k"))

    async def test_hashed_once(self) -> None:
        """A body that was found whole is not read again each time."""
        warehouse, _ = await self.stored()
        await warehouse.local("b", "k", self.directory)
        with patch("imagefactory.warehouse.store.trust.proof", side_effect=AssertionError):
            await warehouse.local("b", "k", self.directory)

    async def test_no_second_name(self) -> None:
        """Where the file system allows no second name, it is the store's own file; other trouble is no secret."""
        warehouse, path = await self.stored()
        for number, expected in ((errno.EXDEV, path), (errno.EPERM, path), (errno.EMLINK, path), (errno.EIO, None)):
            with patch("os.link", side_effect=OSError(number, "so")):
                asked = warehouse.local("b", "k", self.directory / "new")
                if expected:
                    self.assertEqual(await asked, expected)
                else:
                    with self.assertRaises(OSError):
                        await asked

    async def test_replaced_meanwhile(self) -> None:
        """A body that is replaced while it is looked at is the new one then."""
        warehouse, _ = await self.stored()
        true_link, turns = os.link, []

        def link(source: Path, target: Path) -> None:
            if not turns:
                turns.append(source)
                warehouse.store.put("b", "k", b"new", {})
            true_link(source, target)

        with patch("os.link", link):
            local = await warehouse.local("b", "k", self.directory)
        assert local is not None
        self.assertEqual(local.read_bytes(), b"new")
