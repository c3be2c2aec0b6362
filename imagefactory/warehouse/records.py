"""The factory's records in any `Warehouse`: images, builds, target images, provider images, templates, ICICLEs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from imagefactory.lib.concurrency.parallel import in_parallel
from imagefactory.lib.errors import InvalidInput, NotFound
from imagefactory.model.records import (
    Buckets,
    BuildRecord,
    ImageRecord,
    Kind,
    ProviderImageRecord,
    TargetImageRecord,
)
from imagefactory.warehouse import codec
from imagefactory.warehouse.codec import Changes, Record
from imagefactory.warehouse.interface import Changed, Warehouse

Body = Path | bytes
_NOTHING: Mapping[str, str] = {}


class Records:
    """Stores and finds records.

    Storing one writes only what differs from what is there; attributes that others have set stay. Errors are those of
    `Warehouse`; what is not there reads as None or as an empty list.
    """

    def __init__(self, warehouse: Warehouse, buckets: Buckets | None = None) -> None:
        self.warehouse = warehouse
        self.buckets = buckets or Buckets()
        self._made: set[str] = set()

    async def store_template(self, id: str, template: bytes) -> None:
        """Keep TDL text under this id; it is ours to remove when nothing is made from it any more."""
        await self._store_text(Kind.TEMPLATE, id, template, codec.OURS)

    async def store_icicle(self, id: str, icicle: bytes) -> None:
        """Keep an ICICLE under this id."""
        await self._store_text(Kind.ICICLE, id, icicle)

    async def store_image(self, record: ImageRecord) -> None:
        """Make the warehouse say what `record` says."""
        same = await self._body(Kind.IMAGE, record.id) == record.descriptor
        await self._store(record, None if same else record.descriptor)

    async def store_build(self, record: BuildRecord) -> None:
        """Make the warehouse say what `record` says."""
        await self._store(record, None)

    async def change(self, before: Record, after: Record) -> None:
        """Make the warehouse say what `after` says of a record whose body stays, if it says what `before` does.

        Raises:
            Changed: it says something else by now; nothing has been written.
        """
        kind, known, wanted = codec.kind_of(before), codec.texts(before), codec.texts(after)
        current = await self.attributes(kind, before.id) or {}
        if any(codec.present(current, name) != value for name, value in known.items()):
            raise Changed("the record has been changed meanwhile", where=f"{kind.value} {before.id}")
        changes = {name: value for name, value in wanted.items() if value != known[name]}
        await self.annotate(kind, before.id, changes, {name: current.get(name) for name in known})

    async def store_target_image(
        self,
        record: TargetImageRecord,
        body: Body | None = None,
        *,
        content: str = "",
        notes: Mapping[str, str] = _NOTHING,
        keep: bool = False,
    ) -> None:
        """Make the warehouse say what `record` says, with `notes` as more attributes, in one step.

        A file given as `body` is consumed, or kept (see `Warehouse.adopt`).
        """
        await self._store(record, body, content, notes, keep=keep)

    async def store_provider_image(self, record: ProviderImageRecord, body: Body | None = None) -> None:
        """As `store_target_image`; without a body, a new one gets a sentence as body, as 1.0 did."""
        if body is None and await self.attributes(Kind.PROVIDER_IMAGE, record.id) is None:
            body = codec.PROVIDER_IMAGE_BODY
        await self._store(record, body)

    async def template(self, id: str) -> bytes | None:
        """The TDL text."""
        return await self._body(Kind.TEMPLATE, id)

    async def icicle(self, id: str) -> bytes | None:
        """The ICICLE."""
        return await self._body(Kind.ICICLE, id)

    async def image(self, id: str) -> ImageRecord | None:
        """The image of this id."""
        attributes = await self.attributes(Kind.IMAGE, id)
        if attributes is None:
            return None
        return codec.decode_image(id, attributes, await self._body(Kind.IMAGE, id) or b"")

    async def build(self, id: str) -> BuildRecord | None:
        """The build of this id."""
        attributes = await self.attributes(Kind.BUILD, id)
        return None if attributes is None else codec.decode_build(id, attributes)

    async def target_image(self, id: str) -> TargetImageRecord | None:
        """The target image of this id."""
        attributes = await self.attributes(Kind.TARGET_IMAGE, id)
        return None if attributes is None else codec.decode_target_image(id, attributes)

    async def provider_image(self, id: str) -> ProviderImageRecord | None:
        """The provider image of this id."""
        attributes = await self.attributes(Kind.PROVIDER_IMAGE, id)
        return None if attributes is None else codec.decode_provider_image(id, attributes)

    async def images(self, *, after: str = "", limit: int | None = None) -> list[ImageRecord]:
        """All images, in order of their ids; those with an id above `after`, at most `limit`."""
        found = await self._several(Kind.IMAGE, await self.ids(Kind.IMAGE, after=after, limit=limit))
        bodies = await in_parallel(lambda id: self._body(Kind.IMAGE, id), found)
        return [
            codec.decode_image(id, attributes, body or b"")
            for (id, attributes), body in zip(found.items(), bodies, strict=True)
        ]

    async def every_provider_image(self, *, after: str = "", limit: int | None = None) -> list[ProviderImageRecord]:
        """As `images`."""
        ids = await self.ids(Kind.PROVIDER_IMAGE, after=after, limit=limit)
        found = await self._several(Kind.PROVIDER_IMAGE, ids)
        return [codec.decode_provider_image(id, attributes) for id, attributes in found.items()]

    async def builds(self, image: str) -> list[BuildRecord]:
        """All builds of the image, oldest first."""
        found = await self._several(Kind.BUILD, await self.find(Kind.BUILD, image=image))
        records = [codec.decode_build(id, attributes) for id, attributes in found.items()]
        return sorted(records, key=lambda record: record.timestamp)

    async def target_images(self, build: str, target: str | None = None) -> list[TargetImageRecord]:
        """The target images of the build, of one target or of all."""
        wanted = {"build": build} if target is None else {"build": build, "target": target}
        found = await self._several(Kind.TARGET_IMAGE, await self.find(Kind.TARGET_IMAGE, **wanted))
        return [codec.decode_target_image(id, attributes) for id, attributes in found.items()]

    async def provider_images(self, target_image: str, provider: str | None = None) -> list[ProviderImageRecord]:
        """What providers made of the target image, one provider or all."""
        wanted = {"target_image": target_image} | ({} if provider is None else {"provider": provider})
        found = await self._several(Kind.PROVIDER_IMAGE, await self.find(Kind.PROVIDER_IMAGE, **wanted))
        return [codec.decode_provider_image(id, attributes) for id, attributes in found.items()]

    async def target_image_file(self, id: str, workspace: Path) -> Path | None:
        """The body of the target image as a local file, not to be changed (see `Warehouse.local`)."""
        return await self.warehouse.local(self.buckets.target_image, id, workspace)

    async def ids(self, kind: Kind, *, after: str = "", limit: int | None = None) -> list[str]:
        """Ids of all records of a kind, in order."""
        try:
            return await self.warehouse.keys(self.buckets.of(kind), after=after, limit=limit)
        except NotFound:  # no bucket yet
            return []

    async def find(self, kind: Kind, **attributes: str) -> list[str]:
        """Ids of the records that have all these attributes."""
        terms = " && ".join(f"${name} == {_quoted(value)}" for name, value in attributes.items())
        try:
            return await self.warehouse.query(self.buckets.of(kind), terms)
        except NotFound:  # no bucket yet
            return []

    async def children(self, kind: Kind, id: str) -> tuple[Kind, list[str]] | None:
        """The kind and ids of the records that name this one as their parent; None for kinds without children."""
        if kind not in codec.CHILDREN:
            return None
        child, name = codec.CHILDREN[kind]
        return child, await self.find(child, **{name: id})

    async def attributes(self, kind: Kind, id: str) -> dict[str, str] | None:
        """Everything that is noted of the object, by anybody; None if there is none."""
        return await self.warehouse.attributes(self.buckets.of(kind), id)

    async def annotate(
        self,
        kind: Kind,
        id: str,
        attributes: Mapping[str, str | None],
        expected: Mapping[str, str | None] | None = None,
    ) -> None:
        """Set attributes, also such as are beside those of the record (a boot proof, say); None removes.

        Raises:
            Changed: one of those that are `expected` is not as given.
        """
        await self.warehouse.set_attributes(await self._bucket(kind), id, attributes, expected=expected)

    async def drop_template(self, id: str) -> bool:
        """Remove a template that was stored for a build, if no image is of it any more; whether it is gone.

        A template that was put into the warehouse to build from it again and again stays.
        """
        attributes = await self.attributes(Kind.TEMPLATE, id) or {}
        if not codec.OURS.items() <= attributes.items():
            return False
        for kind in (Kind.IMAGE, Kind.TARGET_IMAGE):
            if await self.find(kind, template=id):
                return False
        return await self.delete(Kind.TEMPLATE, id)

    async def delete(self, kind: Kind, id: str) -> bool:
        """Remove the record with its body, not its children; False if there was none."""
        return await self.warehouse.delete(self.buckets.of(kind), id)

    async def _several(self, kind: Kind, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Attributes by id, in the order of the ids; without those that were removed meanwhile."""
        found = await self.warehouse.several(self.buckets.of(kind), ids) if ids else {}
        return {id: found[id] for id in ids if id in found}

    async def _body(self, kind: Kind, id: str) -> bytes | None:
        return await self.warehouse.body(self.buckets.of(kind), id)

    async def _store_text(self, kind: Kind, id: str, text: bytes, notes: Mapping[str, str] = _NOTHING) -> None:
        attributes = {"uuid": id, "object_type": kind.value, **notes}
        await self.warehouse.put(await self._bucket(kind), id, text, attributes)

    async def _store(
        self,
        record: Record,
        body: Body | None,
        content: str = "",
        notes: Mapping[str, str] = _NOTHING,
        *,
        keep: bool = False,
    ) -> None:
        kind = codec.kind_of(record)
        current = await self.attributes(kind, record.id)
        changes = _differences(current or {}, {**codec.encode(record), **notes})
        added = {name: value for name, value in changes.items() if value is not None}
        bucket = await self._bucket(kind)
        if isinstance(body, Path):
            await self.warehouse.adopt(bucket, record.id, body, added, content=content, keep=keep)
        elif body is not None or current is None:
            await self.warehouse.put(bucket, record.id, body or b"", added)  # iwhd deletes nothing without a body
        elif changes:
            await self.warehouse.set_attributes(bucket, record.id, changes)
            return
        if len(added) < len(changes):
            removed = {name: None for name, value in changes.items() if value is None}
            await self.warehouse.set_attributes(bucket, record.id, removed)

    async def _bucket(self, kind: Kind) -> str:
        """The bucket of a kind, made when this process first writes to it."""
        bucket = self.buckets.of(kind)
        if bucket not in self._made:
            await self.warehouse.create_bucket(bucket)
            self._made.add(bucket)
        return bucket


def _differences(current: Mapping[str, str], wanted: Changes) -> Changes:
    return {name: value for name, value in wanted.items() if (current.get(name) or None) != value}


def _quoted(value: str) -> str:
    if '"' in value:
        raise InvalidInput("a value with a quotation mark cannot be asked for", where=value)
    return f'"{value}"'
