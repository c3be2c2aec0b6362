"""The factory's records as attributes of warehouse objects, spelled as version 1.0 spelled them.

Every object also has `uuid` and `object_type`. What is absent is no attribute, except `icicle`, which 1.0 set to
`none`. The texts `None`, `none` and the empty one, all found in old warehouses, read as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagefactory.model.records import BuildRecord, ImageRecord, Kind, ProviderImageRecord, TargetImageRecord

Record = ImageRecord | BuildRecord | TargetImageRecord | ProviderImageRecord
Attributes = Mapping[str, str]
Changes = dict[str, str | None]

#: What a provider image holds where the provider gives nothing to keep.
PROVIDER_IMAGE_BODY = (
    b"This image lives at its provider. The attributes target_image, provider, target_identifier, icicle and "
    b"provider_account_identifier say which one it is.\n"
)

_NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.IMAGE: ("template", "latest_build", "latest_unpushed", "owner"),
    Kind.BUILD: ("image", "parent", "owner"),
    Kind.TARGET_IMAGE: ("build", "target", "template", "icicle", "target_parameters", "owner"),
    Kind.PROVIDER_IMAGE: (
        "target_image",
        "provider",
        "target_identifier",
        "icicle",
        "provider_account_identifier",
        "owner",
    ),
}
_KINDS: dict[type[Record], Kind] = {
    ImageRecord: Kind.IMAGE,
    BuildRecord: Kind.BUILD,
    TargetImageRecord: Kind.TARGET_IMAGE,
    ProviderImageRecord: Kind.PROVIDER_IMAGE,
}

#: What is noted of a template that came with a request for a build.
OURS: Attributes = {"origin": "request"}

#: Which attribute of which kind names a parent of this kind.
CHILDREN: dict[Kind, tuple[Kind, str]] = {
    Kind.TEMPLATE: (Kind.IMAGE, "template"),
    Kind.IMAGE: (Kind.BUILD, "image"),
    Kind.BUILD: (Kind.TARGET_IMAGE, "build"),
    Kind.TARGET_IMAGE: (Kind.PROVIDER_IMAGE, "target_image"),
}


def present(attributes: Attributes, name: str) -> str | None:
    """The attribute's value, None for all that means absent."""
    value = attributes.get(name, "")
    return None if value in {"", "None", "none"} else value


def kind_of(record: Record) -> Kind:
    """Which kind of object keeps this record."""
    return _KINDS[type(record)]


def texts(record: Record) -> Changes:
    """Returns the attributes that name other records, or something of the record's own; None: absent."""
    return {name: getattr(record, name) for name in _NAMES[kind_of(record)]}


def encode(record: Record) -> Changes:
    """All attributes of the record; None: absent."""
    kind = kind_of(record)
    changes: Changes = {"uuid": record.id, "object_type": kind.value}
    changes |= texts(record)
    if "icicle" in changes:
        changes["icicle"] = changes["icicle"] or "none"
    if isinstance(record, BuildRecord):
        changes["timestamp"] = repr(record.timestamp)
    if isinstance(record, TargetImageRecord):
        changes["size"] = None if record.size is None else str(record.size)
    return changes


def decode_image(id: str, attributes: Attributes, descriptor: bytes) -> ImageRecord:
    """An image from its attributes and its body."""
    return ImageRecord(id, descriptor, **_texts(Kind.IMAGE, attributes))


def decode_build(id: str, attributes: Attributes) -> BuildRecord:
    """A build from its attributes; one without a readable time was made in 1970."""
    try:
        timestamp = float(attributes.get("timestamp", ""))
    except ValueError:
        timestamp = 0.0
    return BuildRecord(id, timestamp=timestamp, **_texts(Kind.BUILD, attributes, "image"))


def decode_target_image(id: str, attributes: Attributes) -> TargetImageRecord:
    """A target image from its attributes."""
    size = attributes.get("size", "")
    texts = _texts(Kind.TARGET_IMAGE, attributes, "build", "target")
    return TargetImageRecord(id, size=int(size) if size.isascii() and size.isdigit() else None, **texts)


def decode_provider_image(id: str, attributes: Attributes) -> ProviderImageRecord:
    """A provider image from its attributes."""
    return ProviderImageRecord(id, **_texts(Kind.PROVIDER_IMAGE, attributes, "target_image", "provider"))


def _texts(kind: Kind, attributes: Attributes, *demanded: str) -> dict[str, Any]:
    """What they say, None where they say nothing; for those that are demanded the empty text."""
    found = {name: present(attributes, name) for name in _NAMES[kind]}
    return found | {name: found[name] or "" for name in demanded}
