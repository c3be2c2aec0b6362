"""The query parameters of version 1.0, and the headers that single routes read."""

from __future__ import annotations

from imagefactory.rest.route_table import Parameter
from imagefactory.rest.v1.schemas import JOB_STATUS, TEXT, Schema

_FROM_ZERO: Schema = {"type": "integer", "minimum": 0}
_SWITCH: Schema = {"type": "string", "enum": ["0", "1"]}
_YES_OR_NO: Schema = {"type": "string", "enum": ["0", "1", "true", "false"]}

LAST_EVENT_ID = Parameter("Last-Event-ID", _FROM_ZERO, "the last event that was seen: later ones come first")
STATUS = Parameter("status", JOB_STATUS, "only jobs in this state")
LIMIT = Parameter("limit", {"type": "integer", "minimum": 1}, "at most so many")
AFTER_JOB = Parameter("after", TEXT, "only jobs that were created after this one")
AFTER_IMAGE = Parameter("after", TEXT, "only images with an id above this one")
AFTER_PROVIDER_IMAGE = Parameter("after", TEXT, "only provider images with an id above this one")
AFTER_LINE = Parameter("after", _FROM_ZERO, "only lines after this number")
AFTER_EVENT = Parameter(
    "after",
    _FROM_ZERO,
    "remembered events after this one first; the header Last-Event-ID says the same",
)
FOLLOW = Parameter("follow", _SWITCH, "1: go on until the job has ended")
JOB_ID = Parameter("id", TEXT, "only events of this job")
KEEP_ON_PROVIDER = Parameter("keep_on_provider", _YES_OR_NO, "1: leave it there")
