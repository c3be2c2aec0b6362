"""The factory's records in a warehouse, spelled as 1.0 spelled them."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import TestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.model.records import (
    Buckets,
    BuildRecord,
    ImageRecord,
    Kind,
    ProviderImageRecord,
    TargetImageRecord,
)
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.records import Records
from imagefactory.warehouse.store import EmbeddedWarehouse, open_store
from tests.warehouse.places import fresh_directory

IMAGE = ImageRecord("i1", b"<image><name>web</name></image>", template="t1")
BUILD = BuildRecord("b1", "i1", 1330000000.25)
TARGET_IMAGE = TargetImageRecord("ti1", "b1", "rhevm", "t1", "ic1", "<domain/>", 42)
PROVIDER_IMAGE = ProviderImageRecord("p1", "ti1", "mock-1", "Mock_1", "ic1", "mock-account")


class RecordsTests(TestCase):
    """Storing, reading, finding."""

    def setUp(self) -> None:
        self.directory = fresh_directory(self)
        self.store = open_store(self.directory / "warehouse")
        self.addCleanup(self.store.close)
        self.warehouse = EmbeddedWarehouse(self.store, ImmediateThreads())
        self.records = Records(self.warehouse, Buckets(image="pictures"))

    async def test_round_trip(self) -> None:
        """What is stored is what is read."""
        await self.records.store_image(IMAGE)
        await self.records.store_build(BUILD)
        await self.records.store_target_image(TARGET_IMAGE)
        await self.records.store_provider_image(PROVIDER_IMAGE)
        self.assertEqual(await self.records.image("i1"), IMAGE)
        self.assertEqual(await self.records.build("b1"), BUILD)
        self.assertEqual(await self.records.target_image("ti1"), TARGET_IMAGE)
        self.assertEqual(await self.records.provider_image("p1"), PROVIDER_IMAGE)

    async def test_owners(self) -> None:
        """Each record may have one, in an attribute of that name."""
        await self.records.store_image(replace(IMAGE, owner="alice"))
        await self.records.store_build(replace(BUILD, owner="alice"))
        await self.records.store_target_image(replace(TARGET_IMAGE, owner="alice"))
        await self.records.store_provider_image(replace(PROVIDER_IMAGE, owner="alice"))
        self.assertEqual(await self.records.image("i1"), replace(IMAGE, owner="alice"))
        self.assertEqual(await self.records.build("b1"), replace(BUILD, owner="alice"))
        self.assertEqual(await self.records.target_image("ti1"), replace(TARGET_IMAGE, owner="alice"))
        self.assertEqual(await self.records.provider_image("p1"), replace(PROVIDER_IMAGE, owner="alice"))
        self.assertEqual((await self.warehouse.attributes("builds", "b1") or {})["owner"], "alice")

    async def test_spelling(self) -> None:
        """Attribute names, buckets and bodies are those of 1.0."""
        await self.records.store_image(replace(IMAGE, latest_build="b0"))
        await self.records.store_build(BUILD)
        await self.records.store_target_image(replace(TARGET_IMAGE, icicle=None, size=None))
        expected = {"uuid": "i1", "object_type": "image", "template": "t1", "latest_build": "b0"}
        self.assertEqual(await self.warehouse.attributes("pictures", "i1"), expected)
        self.assertEqual(await self.warehouse.body("pictures", "i1"), b"<image><name>web</name></image>")
        expected = {"uuid": "b1", "object_type": "build", "image": "i1", "timestamp": "1330000000.25"}
        self.assertEqual(await self.warehouse.attributes("builds", "b1"), expected)
        self.assertEqual(await self.warehouse.body("builds", "b1"), b"")
        found = await self.warehouse.attributes("target_images", "ti1")
        assert found is not None
        self.assertEqual((found["icicle"], found["target_parameters"]), ("none", "<domain/>"))

    async def test_absent(self) -> None:
        """Old warehouses hold the texts None and none: they read as absent."""
        await self.warehouse.create_bucket("pictures")
        await self.warehouse.put(
            "pictures", "i1", b"<image/>", {"latest_build": "None", "latest_unpushed": "none", "template": "t"}
        )
        self.assertEqual(await self.records.image("i1"), ImageRecord("i1", b"<image/>", "t"))
        self.assertIsNone(await self.records.image("i2"))
        self.assertIsNone(await self.records.build("b"))

    async def test_foreign_attributes_stay(self) -> None:
        """What others have set survives a change, and only what changed is written."""
        await self.records.store_image(IMAGE)
        await self.warehouse.set_attributes("pictures", "i1", {"environment": "ec2", "architecture": "x86_64"})
        before = self.store.find("pictures", "i1")
        await self.records.store_image(IMAGE)
        self.assertEqual(self.store.find("pictures", "i1"), before)
        await self.records.store_image(replace(IMAGE, latest_unpushed="b1"))
        await self.records.store_image(replace(IMAGE, latest_build="b1"))
        found = await self.records.attributes(Kind.IMAGE, "i1")
        assert found is not None
        self.assertEqual((found["environment"], found["latest_build"]), ("ec2", "b1"))
        self.assertNotIn("latest_unpushed", found)

    async def test_adopting_a_file(self) -> None:
        """A target image's file is consumed, and can be had back as a local file."""
        path = self.directory / "image"
        path.write_bytes(b"disk" * 1000)
        await self.records.store_target_image(TARGET_IMAGE, path)
        self.assertFalse(path.exists())
        local = await self.records.target_image_file("ti1", self.directory)
        assert local is not None
        self.assertEqual(local.read_bytes(), b"disk" * 1000)
        self.assertEqual(await self.records.target_image("ti1"), TARGET_IMAGE)

    async def test_provider_image_bodies(self) -> None:
        """A sentence where there is nothing else; what is given stays."""
        await self.records.store_provider_image(PROVIDER_IMAGE)
        body = await self.warehouse.body("provider_images", "p1")
        assert body is not None
        self.assertIn(b"target_identifier", body)
        await self.records.store_provider_image(PROVIDER_IMAGE, b"given")
        await self.records.store_provider_image(replace(PROVIDER_IMAGE, target_identifier="other"))
        self.assertEqual(await self.warehouse.body("provider_images", "p1"), b"given")

    async def test_finding(self) -> None:
        """By parent, by parent and target, by kind; nothing where there is no bucket yet."""
        self.assertEqual(await self.records.ids(Kind.BUILD), [])
        self.assertEqual(await self.records.target_images("b1"), [])
        await self.records.store_build(BUILD)
        await self.records.store_build(replace(BUILD, id="a2", timestamp=1330000001.0))
        await self.records.store_target_image(TARGET_IMAGE)
        await self.records.store_target_image(replace(TARGET_IMAGE, id="ti2", target="ec2"))
        await self.records.store_provider_image(PROVIDER_IMAGE)
        self.assertEqual([one.id for one in await self.records.builds("i1")], ["b1", "a2"])
        self.assertEqual([one.id for one in await self.records.target_images("b1", "ec2")], ["ti2"])
        self.assertEqual(len(await self.records.target_images("b1")), 2)
        self.assertEqual([one.id for one in await self.records.provider_images("ti1", "mock-1")], ["p1"])
        self.assertEqual(await self.records.ids(Kind.BUILD, after="a2"), ["b1"])
        self.assertEqual(await self.records.children(Kind.BUILD, "b1"), (Kind.TARGET_IMAGE, ["ti1", "ti2"]))
        self.assertIsNone(await self.records.children(Kind.PROVIDER_IMAGE, "p1"))

    async def test_hostile_values(self) -> None:
        """A value that would end the string of a query is refused."""
        await self.records.store_build(BUILD)
        with self.assertRaises(InvalidInput):
            await self.records.builds('" || "1')

    async def test_texts_notes_and_deletion(self) -> None:
        """Templates and ICICLEs are texts; anything may be noted; records can go."""
        await self.records.store_template("t1", b"<template/>")
        await self.records.store_icicle("ic1", b"<icicle/>")
        self.assertEqual(await self.records.template("t1"), b"<template/>")
        self.assertEqual(await self.records.icicle("ic1"), b"<icicle/>")
        await self.records.annotate(Kind.TEMPLATE, "t1", {"boot": "{}"})
        expected = {"uuid": "t1", "object_type": "template", "origin": "request", "boot": "{}"}
        self.assertEqual(await self.records.attributes(Kind.TEMPLATE, "t1"), expected)
        self.assertTrue(await self.records.delete(Kind.TEMPLATE, "t1"))
        self.assertFalse(await self.records.delete(Kind.TEMPLATE, "t1"))

    async def test_none_is_absent(self) -> None:
        """The text None, which 1.0 wrote for what it did not have, is no id, also where there must be one."""
        for text in ("None", "none"):
            await self.warehouse.create_bucket("builds")
            await self.warehouse.create_bucket("target_images")
            await self.warehouse.put("builds", "b", b"", {"image": text})
            await self.warehouse.put("target_images", "t", b"", {"build": text, "target": text, "icicle": text})
            build, target_image = await self.records.build("b"), await self.records.target_image("t")
            assert build is not None
            assert target_image is not None
            self.assertEqual((build.image, target_image.build, target_image.target), ("", "", ""))
            self.assertIsNone(target_image.icicle)
