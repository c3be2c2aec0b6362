"""What interrupted pushes left at providers."""

from __future__ import annotations

from imagefactory.rest.call import RestCall
from imagefactory.rest.reply import RestReply, json_reply
from imagefactory.rest.v1.services import ApiServices


async def index(api: ApiServices, call: RestCall) -> RestReply:
    """Returns all leftovers, oldest first."""
    found = [{"_type": "leftover", **each.document()} for each in await api.leftovers()]
    return json_reply({"_type": "leftovers", "href": call.url, "leftovers": found})
