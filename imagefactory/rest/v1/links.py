"""Addresses of our resources, below the base a client sees."""

from __future__ import annotations

from urllib.parse import quote

from imagefactory.rest.v1 import routes


def link(base: str, path: str, **ids: str) -> str:
    """The address of a path of the route table with its ids filled in."""
    return base + path.format(**{name: quote(id, safe="") for name, id in ids.items()})


def image(base: str, image_id: str) -> str:
    return link(base, routes.IMAGE, image_id=image_id)


def build(base: str, image_id: str, build_id: str) -> str:
    return link(base, routes.BUILD, image_id=image_id, build_id=build_id)


def target_image(base: str, image_id: str, build_id: str, id: str) -> str:
    return link(base, routes.TARGET_IMAGE, image_id=image_id, build_id=build_id, target_image_id=id)


def builder(base: str, id: str) -> str:
    return link(base, routes.BUILDER, builder_id=id)
