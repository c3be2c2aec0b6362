"""Checks whether the ids in an address belong together."""

from __future__ import annotations

from collections.abc import Mapping

from imagefactory.lib.errors import NotFound
from imagefactory.rest.interface import ImageInventory


async def check_ancestry(inventory: ImageInventory, ids: Mapping[str, str]) -> None:
    """Raises NotFound unless each id in an address names a child of the one before it.

    For removals: version 1.0 looked at the last id only, which is harmless where something is only shown.
    """
    for name, parent_name in (
        ("provider_image", "target_image"),
        ("target_image", "build"),
        ("build", "image"),
    ):
        id, parent = ids.get(f"{name}_id"), ids.get(f"{parent_name}_id")
        if id and parent and await _parent(inventory, name, id) != parent:
            what = name.replace("_", " ")
            raise NotFound(f"{what} {id} is not of {parent_name.replace('_', ' ')} {parent}", hint="see the list there")


async def _parent(inventory: ImageInventory, name: str, id: str) -> str:
    match name:
        case "provider_image":
            return (await inventory.provider_image(id)).target_image
        case "target_image":
            return (await inventory.target_image(id)).build
    return (await inventory.build(id)).image
