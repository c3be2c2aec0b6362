"""Build orders as JSON, so that a build can be run again after the process that accepted it is gone.

Push orders are never kept: their credentials live in memory only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from imagefactory.jobs import contents
from imagefactory.jobs.work import BuildOrder
from imagefactory.model.errors import Conflict
from imagefactory.model.jobs import Job
from imagefactory.model.template import Template

Parse = Callable[[bytes], Template]


def encode_order(order: BuildOrder, siblings: Sequence[str], parse: Parse) -> str:
    """What a retry needs: the template's source, what was fetched for it, the options, the jobs of the same request."""
    fetched = contents.fetched_in(order.template, parse(order.template.source))
    return json.dumps(
        {
            "template": order.template.source.decode(),
            "contents": contents.encode(fetched),
            "template_id": order.template_id,
            "boot_check": order.boot_check,
            "siblings": list(siblings),
        }
    )


def decode_order(text: str, job: Job, parse: Parse) -> tuple[BuildOrder, tuple[str, ...]]:
    """The order of `job` and its siblings.

    Raises Conflict if nothing (or nothing sensible) was kept.
    """
    try:
        kept = json.loads(text)
        fetched = contents.decode(kept["contents"])
        template = contents.filled(parse(kept["template"].encode()), fetched)
        options = {"template_id": str(kept["template_id"]), "boot_check": bool(kept["boot_check"])}
        siblings = tuple(str(id) for id in kept["siblings"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Conflict(f"what was asked for in job {job.id} is not known any more", hint="ask for it again") from error
    return BuildOrder(job.id, job.image_id, job.build_id, job.target, template, **options), siblings  # type: ignore[arg-type]
