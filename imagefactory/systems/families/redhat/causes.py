"""What dnf and rpm say when they fail, and what that means."""

from __future__ import annotations

import re

from imagefactory.lib.errors import BuildFailed, NoSpace, Unavailable
from imagefactory.systems.families.causes import Cause

_KEYS = (
    "the mirror may be tampered with, or the key is another's: a repository with a key of its own needs a precommand"
    " (rpm --import URL), one that nobody signs <signed>no</signed>"
)
_MIRROR = "check the install URL, or map it to another mirror with the setting mirrors"

CAUSES = (
    Cause(
        re.compile(
            r"No space left on device|needs \S+ more space|At least \S+ more space needed|Curl error \(23\)"
        ),  # libcurl-errors(3): 23 is CURLE_WRITE_ERROR
        NoSpace,
        "the file system that packages are unpacked on is full",
        "make room, or set imgdir to a larger file system",
    ),
    Cause(
        re.compile(r"No match for argument: (\S+)|No package (\S+) available"),
        BuildFailed,
        "package {0} does not exist in the repositories",
        "check its spelling, or add the repository that has it",
    ),
    Cause(
        re.compile(
            r"(?:Package|Public key for) (\S+) is not (?:signed|installed)|GPG check FAILED"
            r"|(?i:digest|signature)\b.*: (?:BAD|NOKEY)\b"
        ),
        BuildFailed,
        "bad signature on package {0}",
        _KEYS,
    ),
    Cause(
        re.compile(r"nothing provides (.+?)(?: needed by (\S+).*)?$"),
        BuildFailed,
        "the packages cannot be installed together: nothing provides {0}",
        "add the repository that has it",
    ),
    Cause(
        re.compile(r"Status code: 404 for (\S+)"),
        Unavailable,
        "the mirror does not have {0} (404)",
        _MIRROR,
    ),
    Cause(
        re.compile(
            r"Cannot download repomd|Failed to download metadata|Could(?:n't| not) (?:resolve|connect)|Curl error"
        ),
        Unavailable,
        "the mirror does not answer, or has no package lists there",
        _MIRROR,
    ),
)
