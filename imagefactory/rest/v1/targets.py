"""Targets, and the providers that are known by name."""

from __future__ import annotations

from imagefactory.lib.errors import InvalidInput, NotFound
from imagefactory.rest.call import Call
from imagefactory.rest.interface import Clouds
from imagefactory.rest.reply import Reply, json_reply
from imagefactory.rest.v1 import links, routes


class Targets:
    """The family `/targets`."""

    def __init__(self, clouds: Clouds) -> None:
        self._clouds = clouds

    def index(self, call: Call) -> Reply:
        """All targets by name."""
        targets = [_target(name, call.base) for name in self._clouds.targets()]
        return json_reply({"_type": "targets", "href": call.url, "targets": targets})

    async def show(self, call: Call) -> Reply:
        """One target with its providers."""
        name = self._known(call)
        return json_reply({**_target(name, call.base), **await self._providers(name, call.base)})

    async def providers(self, call: Call) -> Reply:
        """The providers of one target; further ones may be given as definitions in a push."""
        providers = await self._providers(self._known(call), call.base)
        return json_reply({"_type": "providers", "href": call.url, **providers})

    async def provider(self, call: Call) -> Reply:
        """One provider; its definition may hold passwords and is not shown."""
        target, name = self._known(call), call.ids["provider_name"]
        if not await self._belongs(name, target):
            raise NotFound(f"target {target} has no provider of that name", hint="see its providers")
        return json_reply(_provider(target, name, call.base))

    async def _providers(self, target: str, base: str) -> dict[str, object]:
        """Those with a definition, and how names look that need none."""
        providers = [_provider(target, name, base) for name in await self._clouds.providers(target)]
        return {"providers": providers, "names": list(self._clouds.forms(target))}

    async def _belongs(self, name: str, target: str) -> bool:
        try:
            provider = await self._clouds.provider(name)
        except InvalidInput:
            return False
        return (provider.name, provider.target) == (name, target)

    def _known(self, call: Call) -> str:
        name = call.ids["target_name"]
        if name not in self._clouds.targets():
            raise NotFound("no such target", hint="see /imagefactory/targets")
        return name


def _target(name: str, base: str) -> dict[str, object]:
    return {"_type": "target", "name": name, "href": links.link(base, routes.TARGET, target_name=name)}


def _provider(target: str, name: str, base: str) -> dict[str, object]:
    href = links.link(base, routes.PROVIDERS + "/{name}", target_name=target, name=name)
    return {"_type": "provider", "name": name, "target": target, "href": href}
