"""The contract suite of `Warehouse`: the embedded store and the client over any server pass the same tests."""

from __future__ import annotations

import os
import string
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from imagefactory.lib.errors import InvalidInput, NotFound, TooLarge
from imagefactory.warehouse.interface import Changed, Warehouse

if TYPE_CHECKING:
    from unittest import TestCase as _Base
else:
    _Base = object

SPECIAL = (
    "a b",
    "100%",
    "é€𝄞",
    "<&>\"'",
    "a+b=c;d?e#f",
    "..x",
    "-",
    "~",
    "a" * 63,
    "{x}",
    "a\\b",
    "*",
    "[1]",
    "a:b,c@d",
    "+a",
    string.punctuation.replace("/", ""),
    *(f"{first}{second}" for first, second in pairwise(string.punctuation.replace("/", "") + "!")),
    "e\u0301\u0323 \u0301",
    "\u202ea\u200d\ufeff",
)
"""Names with everything that some layer could take for its own."""


class WarehouseContract(_Base):
    """Mix into a trial TestCase that defines `make()`; the warehouse is fresh for each test."""

    async def make(self) -> Warehouse:
        """The warehouse to test; what it needs to be ended belongs into addCleanup."""
        raise NotImplementedError

    async def with_bucket(self) -> Warehouse:
        """A warehouse with the bucket `b`."""
        warehouse = await self.make()
        await warehouse.create_bucket("b")
        return warehouse

    def workspace(self) -> Path:
        """A directory that is gone after the test."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return Path(directory.name)

    async def test_bucket_twice(self) -> None:
        """A bucket is made once, and asking again says so."""
        warehouse = await self.make()
        self.assertTrue(await warehouse.create_bucket("b"))
        self.assertFalse(await warehouse.create_bucket("b"))

    async def test_body_and_attributes(self) -> None:
        """What is put is what is read."""
        warehouse = await self.with_bucket()
        body = bytes(range(256)) * 1000
        await warehouse.put("b", "k", body, {"target": "mock", "name": "Größe"})
        self.assertEqual(await warehouse.body("b", "k"), body)
        self.assertEqual(await warehouse.attributes("b", "k"), {"target": "mock", "name": "Größe"})

    async def test_put_replaces_the_body_and_keeps_attributes(self) -> None:
        """A second put changes the body and the attributes given, no others."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", b"old", {"a": "1", "b": "2"})
        await warehouse.put("b", "k", b"new", {"b": "3"})
        self.assertEqual(await warehouse.body("b", "k"), b"new")
        self.assertEqual(await warehouse.attributes("b", "k"), {"a": "1", "b": "3"})

    async def test_put_without_body(self) -> None:
        """An object may have attributes only, and later attributes leave a body alone."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", None, {"a": "1"})
        self.assertEqual(await warehouse.attributes("b", "k"), {"a": "1"})
        await warehouse.put("b", "k", b"body", {})
        await warehouse.put("b", "k", None, {"a": "2"})
        self.assertEqual(await warehouse.body("b", "k"), b"body")

    async def test_empty_body(self) -> None:
        """An empty body is a body."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", b"", {})
        self.assertEqual(await warehouse.body("b", "k"), b"")

    async def test_absent_things(self) -> None:
        """What is not there reads as None and deletes as False."""
        warehouse = await self.with_bucket()
        self.assertIsNone(await warehouse.attributes("b", "no"))
        self.assertIsNone(await warehouse.body("b", "no"))
        self.assertIsNone(await warehouse.local("b", "no", self.workspace()))
        self.assertFalse(await warehouse.delete("b", "no"))

    async def test_set_attributes(self) -> None:
        """Attributes are set and removed in one step; an empty value is an absent one."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", b"", {"a": "1", "b": "2", "c": "3"})
        await warehouse.set_attributes("b", "k", {"a": "x", "b": None, "c": "", "d": "new"})
        self.assertEqual(await warehouse.attributes("b", "k"), {"a": "x", "d": "new"})

    async def test_attributes_that_are_expected(self) -> None:
        """They are set if others, or they themselves, are as expected; else nothing changes."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", b"", {"a": "1", "b": "Größe & more"})
        await warehouse.set_attributes("b", "k", {"a": "2"}, expected={"a": "1", "b": "Größe & more", "c": None})
        self.assertEqual((await warehouse.attributes("b", "k") or {})["a"], "2")
        for wrong in ({"a": "1"}, {"a": None}, {"a": "2", "c": "x"}, {"b": "Größe"}):
            with self.assertRaises(Changed):
                await warehouse.set_attributes("b", "k", {"a": "3", "d": "new"}, expected=wrong)
        self.assertEqual(await warehouse.attributes("b", "k"), {"a": "2", "b": "Größe & more"})
        with self.assertRaises(Changed):
            await warehouse.set_attributes("b", "new", {"a": "3"}, expected={"a": "1"})
        self.assertIsNone(await warehouse.attributes("b", "new"))
        await warehouse.set_attributes("b", "new", {"a": "3"}, expected={"a": None})
        self.assertEqual(await warehouse.attributes("b", "new"), {"a": "3"})

    async def test_large_attribute(self) -> None:
        """An attribute of 1 MB is kept, one of 10 MB refused."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", b"", {"large": "x" * 1_000_000})
        self.assertEqual(await warehouse.attributes("b", "k"), {"large": "x" * 1_000_000})
        with self.assertRaises(TooLarge):
            await warehouse.set_attributes("b", "k", {"large": "x" * 10_000_000})

    async def test_attribute_text(self) -> None:
        """Values are kept to the byte: line ends, blanks, quotes, any letters."""
        warehouse = await self.with_bucket()
        values = {"a": " two\r\nlines\n", "b": "<&>\"'%41+", "c": "é€𝄞", "d": "None"}
        await warehouse.put("b", "k", b"", values)
        self.assertEqual(await warehouse.attributes("b", "k"), values)

    async def test_several(self) -> None:
        """Attributes of many objects at once; those that are not there are left out."""
        warehouse = await self.with_bucket()
        for key in ("a", "b", "c"):
            await warehouse.put("b", key, b"", {"name": key, "kind": "x"})
        found = await warehouse.several("b", ["c", "a", "none"])
        self.assertEqual(found, {key: {"name": key, "kind": "x"} for key in ("a", "c")})
        self.assertEqual(await warehouse.several("b", []), {})

    async def test_delete(self) -> None:
        """Delete removes body and attributes."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", b"x", {"a": "1"})
        self.assertTrue(await warehouse.delete("b", "k"))
        self.assertIsNone(await warehouse.attributes("b", "k"))
        self.assertIsNone(await warehouse.body("b", "k"))
        self.assertEqual(await warehouse.keys("b"), [])

    async def test_keys(self) -> None:
        """Keys come in byte order, by prefix, after a key, up to a limit."""
        warehouse = await self.with_bucket()
        for key in ("b2", "a", "B", "b1", "b3"):
            await warehouse.put("b", key, b"", {})
        self.assertEqual(await warehouse.keys("b"), ["B", "a", "b1", "b2", "b3"])
        self.assertEqual(await warehouse.keys("b", prefix="b"), ["b1", "b2", "b3"])
        self.assertEqual(await warehouse.keys("b", prefix="b", after="b1", limit=1), ["b2"])

    async def test_query(self) -> None:
        """The queries of the factory find what they name."""
        warehouse = await self.with_bucket()
        for key, build, target in (("1", "x", "ec2"), ("2", "x", "mock"), ("3", "y", "mock")):
            await warehouse.put("b", key, b"", {"build": build, "target": target})
        self.assertEqual(await warehouse.query("b", '$build == "x"'), ["1", "2"])
        self.assertEqual(await warehouse.query("b", '$build == "x" && $target == "mock"'), ["2"])
        self.assertEqual(await warehouse.query("b", '$build == "z"'), [])

    async def test_wrong_query(self) -> None:
        """A query that cannot be read is an error, never everything."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", b"", {"n": "1"})
        with self.assertRaises(InvalidInput):
            await warehouse.query("b", "$n = 1")

    async def test_missing_bucket(self) -> None:
        """Where a bucket is demanded, its absence is an error."""
        warehouse = await self.make()
        with self.assertRaises(NotFound):
            await warehouse.keys("none")
        with self.assertRaises(NotFound):
            await warehouse.put("none", "k", b"x", {})

    async def test_wrong_names(self) -> None:
        """Names that would lead elsewhere, or are too long, or reserved, are refused."""
        warehouse = await self.with_bucket()
        for key in ("", "a/b", "..", ".", "x" * 64, "é" * 32, "a\nb", "a\0b", "a\x7fb"):
            with self.assertRaises(InvalidInput):
                await warehouse.put("b", key, b"", {})
        for bucket in ("_new", "_providers", "a/b", ""):
            with self.assertRaises(InvalidInput):
                await warehouse.create_bucket(bucket)
        with self.assertRaises(InvalidInput):
            await warehouse.put("b", "k", b"", {"_size": "1"})

    async def test_special_names(self) -> None:
        """Names may hold every special character, in keys, buckets and attributes."""
        warehouse = await self.make()
        for name in SPECIAL:
            await warehouse.create_bucket(name)
            await warehouse.put(name, name, name.encode(), {name: name})
            self.assertEqual(await warehouse.keys(name), [name])
            self.assertEqual(await warehouse.body(name, name), name.encode())
            self.assertEqual(await warehouse.attributes(name, name), {name: name})

    async def test_adopt(self) -> None:
        """An adopted file becomes the body and is gone from where it was."""
        warehouse = await self.with_bucket()
        workspace = self.workspace()
        path = workspace / "image"
        path.write_bytes(b"data" * 50_000)
        await warehouse.adopt("b", "k", path, {"target": "mock"})
        self.assertFalse(path.exists())
        self.assertEqual(await warehouse.body("b", "k"), b"data" * 50_000)
        self.assertEqual(await warehouse.attributes("b", "k"), {"target": "mock"})

    async def test_adopt_and_keep(self) -> None:
        """A file that is to be kept is the body, too, and stays when the object goes."""
        warehouse = await self.with_bucket()
        path = self.workspace() / "image"
        path.write_bytes(b"data")
        await warehouse.adopt("b", "k", path, {}, keep=True)
        self.assertEqual(await warehouse.body("b", "k"), b"data")
        await warehouse.delete("b", "k")
        self.assertEqual(path.read_bytes(), b"data")

    async def test_local(self) -> None:
        """A body can be had as a local file, whole and with its holes."""
        warehouse = await self.with_bucket()
        workspace = self.workspace()
        path = workspace / "image"
        with path.open("wb") as file:
            file.seek(3 << 20)
            file.write(b"middle")
            file.truncate(8 << 20)
        await warehouse.adopt("b", "k", path, {})
        local = await warehouse.local("b", "k", workspace)
        assert local is not None
        self.assertEqual(local.read_bytes(), bytes(3 << 20) + b"middle" + bytes((5 << 20) - 6))
        self.assertLess(os.stat(local).st_blocks * 512, 1 << 20)

    async def test_body_limit(self) -> None:
        """A body over the limit is not read into memory."""
        warehouse = await self.with_bucket()
        await warehouse.put("b", "k", b"x" * 1001, {})
        with self.assertRaises(TooLarge):
            await warehouse.body("b", "k", limit=1000)
