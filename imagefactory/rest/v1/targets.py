"""Targets, and the providers that are known by name."""

from __future__ import annotations

from imagefactory.lib.errors import InvalidInput, NotFound
from imagefactory.rest.call import RestCall
from imagefactory.rest.reply import RestReply, json_reply
from imagefactory.rest.v1 import paths
from imagefactory.rest.v1.services import ApiServices


def index(api: ApiServices, call: RestCall) -> RestReply:
    """Returns all targets."""
    targets = [_target(name, call.base) for name in api.targets.targets()]
    return json_reply({"_type": "targets", "href": call.url, "targets": targets})


async def show(api: ApiServices, call: RestCall) -> RestReply:
    """Returns one target with its providers."""
    name = _known(api, call)
    return json_reply({**_target(name, call.base), **await _providers(api, name, call.base)})


async def providers(api: ApiServices, call: RestCall) -> RestReply:
    """Returns the providers of a target; a push may define further ones."""
    providers = await _providers(api, _known(api, call), call.base)
    return json_reply({"_type": "providers", "href": call.url, **providers})


async def provider(api: ApiServices, call: RestCall) -> RestReply:
    """Returns one provider, without its definition, which may hold passwords."""
    target, name = _known(api, call), call.ids["provider_name"]
    if not await _belongs(api, name, target):
        raise NotFound(f"target {target} has no provider of that name", hint="see its providers")
    return json_reply(_provider(target, name, call.base))


async def _providers(api: ApiServices, target: str, base: str) -> dict[str, object]:
    """Returns the providers with a definition, and the forms of names that need none."""
    providers = [_provider(target, name, base) for name in await api.targets.providers(target)]
    return {"providers": providers, "names": list(api.targets.forms(target))}


async def _belongs(api: ApiServices, name: str, target: str) -> bool:
    try:
        provider = await api.targets.provider(name)
    except InvalidInput:
        return False
    return (provider.name, provider.target) == (name, target)


def _known(api: ApiServices, call: RestCall) -> str:
    name = call.ids["target_name"]
    if name not in api.targets.targets():
        raise NotFound("no such target", hint="see /imagefactory/targets")
    return name


def _target(name: str, base: str) -> dict[str, object]:
    return {"_type": "target", "name": name, "href": paths.link(base, paths.TARGET, target_name=name)}


def _provider(target: str, name: str, base: str) -> dict[str, object]:
    href = paths.link(base, paths.PROVIDERS + "/{name}", target_name=target, name=name)
    return {"_type": "provider", "name": name, "target": target, "href": href}
