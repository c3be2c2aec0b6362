"""The paths of version 1.0, and links made from them."""

from __future__ import annotations

from urllib.parse import quote

ROOT = "/imagefactory"
OPENAPI = ROOT + "/openapi.json"
IMAGES = ROOT + "/images"
IMAGE = IMAGES + "/{image_id}"
BUILDS = IMAGE + "/builds"
BUILD = BUILDS + "/{build_id}"
TARGET_IMAGES = BUILD + "/target_images"
TARGET_IMAGE = TARGET_IMAGES + "/{target_image_id}"
PROVIDER_IMAGES = TARGET_IMAGE + "/provider_images"
PROVIDER_IMAGE = PROVIDER_IMAGES + "/{provider_image_id}"
ALL_PROVIDER_IMAGES = ROOT + "/provider_images"
ONE_PROVIDER_IMAGE = ALL_PROVIDER_IMAGES + "/{provider_image_id}"
BUILDERS = ROOT + "/builders"
BUILDER = BUILDERS + "/{builder_id}"
TARGETS = ROOT + "/targets"
TARGET = TARGETS + "/{target_name}"
PROVIDERS = TARGET + "/providers"
PROVIDER = PROVIDERS + "/{provider_name}"
LEFTOVERS = ROOT + "/leftovers"
EVENTS = ROOT + "/events"


def link(base: str, path: str, **ids: str) -> str:
    """Returns the address of `path` below `base`, with `ids` filled in."""
    return base + path.format(**{name: quote(id, safe="") for name, id in ids.items()})


def image(base: str, image_id: str) -> str:
    """Returns the address of an image."""
    return link(base, IMAGE, image_id=image_id)


def build(base: str, image_id: str, build_id: str) -> str:
    """Returns the address of a build."""
    return link(base, BUILD, image_id=image_id, build_id=build_id)


def target_image(base: str, image_id: str, build_id: str, id: str) -> str:
    """Returns the address of a target image."""
    return link(base, TARGET_IMAGE, image_id=image_id, build_id=build_id, target_image_id=id)


def builder(base: str, id: str) -> str:
    """Returns the address of a job."""
    return link(base, BUILDER, builder_id=id)
