"""Build orders as JSON, so that a build can be run again after the process that accepted it has ended.

No secret is kept here. Pushes and deletions need no text: the job says what goes where, and a retry is given the
credentials again. A template that holds a password, also in a URL, is read from the warehouse again, which is the one
place that has it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from imagefactory.build.interface import BuildOrder
from imagefactory.lib.errors import Conflict
from imagefactory.lib.secret import without_secrets
from imagefactory.model.jobs import Job
from imagefactory.model.template import Parse, Template, UrlInstall
from imagefactory.templates import inline_files as contents

Find = Callable[[str], Awaitable[bytes | None]]
"""The source of the template with this id, as the warehouse has it."""


def encode_order(order: BuildOrder, parse: Parse) -> str:
    """What a retry needs: the template's source (unless it holds a secret), what was fetched for it, the options."""
    original = parse(order.template.source)
    fetched = contents.fetched_in(order.template, original)
    return json.dumps(
        {
            "template": None if _holds_secret(order.template, original) else order.template.source.decode(),
            "contents": contents.encode(fetched),
            "template_id": order.template_id,
            "boot_check": order.boot_check,
            "unrecorded": order.unrecorded,
        }
    )


def _holds_secret(template: Template, original: Template) -> bool:
    """A password or key, or a URL with one in it (a query may be a token)."""
    install = original.os.install
    urls = [one.url for one in original.repositories] + list(contents.remotes(original))
    urls += [install.url] if isinstance(install, UrlInstall) else []
    return bool(template.os.root_password or template.os.key) or any(without_secrets(url) != url for url in urls)


async def decode_order(text: str, job: Job, parse: Parse, find: Find) -> BuildOrder:
    """The order of `job`.

    Raises Conflict if nothing (or nothing sensible) was kept, or the template is in the warehouse no more; Unavailable.
    """
    try:
        kept = json.loads(text)
        source = await find(str(kept["template_id"])) if kept["template"] is None else kept["template"].encode()
        if source is None:
            raise Conflict("the template of this job is not in the warehouse any more", hint="ask for it again")
        original = parse(source)
        template = contents.filled(original, contents.decode(kept["contents"], original))
        options = {
            "template_id": str(kept["template_id"]),
            "boot_check": bool(kept["boot_check"]),
            "unrecorded": bool(kept.get("unrecorded")),
            "owner": job.owner,
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Conflict(f"what was asked for in job {job.id} is not known any more", hint="ask for it again") from error
    return BuildOrder(job.id, job.image_id, job.build_id, job.target, template, **options)  # type: ignore[arg-type]
