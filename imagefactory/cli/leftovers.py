"""What interrupted pushes left at providers: listed and deleted by the command."""

from __future__ import annotations

import json
from collections.abc import Sequence

from imagefactory.app import Factory
from imagefactory.cli.terminal import Terminal
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.times import timestamp
from imagefactory.model.visible import visible
from imagefactory.push.leftovers import Reaped
from imagefactory.targets.resources import Resource

NOTHING = "Nothing is left over."


async def show_leftovers(factory: Factory, terminal: Terminal) -> None:
    """Print all leftovers."""
    found = await factory.leftovers.find()
    document = json.dumps({"leftovers": [each.document() for each in found]}, indent=2)
    terminal.result(document, [_line(each) for each in found] or [NOTHING])


async def reap(
    factory: Factory, providers: Sequence[Provider], credentials: Credentials | None, terminal: Terminal
) -> bool:
    """Delete what is left over at these providers. Returns whether all is gone."""
    reaped = [each for provider in providers for each in await factory.leftovers.reap(provider, credentials)]
    document = [{**each.resource.document(), "error": each.problem or None} for each in reaped]
    terminal.result(json.dumps({"reaped": document}, indent=2), [_outcome(each) for each in reaped] or [NOTHING])
    return not any(each.problem for each in reaped)


def _line(resource: Resource) -> str:
    account = f", account {resource.account}" if resource.account else ""
    made = f"{resource.state.value} {timestamp(resource.created)} by push {resource.push}"
    note = f": {resource.note}" if resource.note else ""
    return visible(f"{resource.provider}{account}: {_name(resource)}, {made}{note}")


def _outcome(reaped: Reaped) -> str:
    done = f"is still there: {reaped.problem}" if reaped.problem else "is deleted"
    return visible(f"{reaped.resource.provider}: {_name(reaped.resource)} {done}")


def _name(resource: Resource) -> str:
    return f"{resource.kind} {resource.identifier or resource.token}"
