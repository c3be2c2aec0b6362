"""What apt and dpkg say when they fail, and what that means."""

from __future__ import annotations

import re

from imagefactory.lib.errors import BuildFailed, NoSpace, Unavailable
from imagefactory.systems.families.causes import Cause

_KEYS = "the mirror may be tampered with, or the keyring of this host is too old for the release"
_MIRROR = "check the install URL, or map it to another mirror with the setting mirrors"

#: apt goes on after these; only of a signature a warning tells more than the error that follows.
PASSING = re.compile(r"Ign:|W: (?!GPG error)")

CAUSES = (
    Cause(
        re.compile(r"No space left on device|You don't have enough free space"),
        NoSpace,
        "the file system that packages are unpacked on is full",
        "make room, or set imgdir to a larger file system",
    ),
    Cause(
        re.compile(r"(?:BADSIG|NO_PUBKEY|EXPKEYSIG|REVKEYSIG) ([0-9A-F]+)"),
        BuildFailed,
        "bad signature on the package lists (key {0})",
        _KEYS,
    ),
    Cause(
        re.compile(r"repository '([^']*)' is not signed|At least one invalid signature|NODATA|splitting up (\S+)"),
        BuildFailed,
        "bad signature on the package lists",
        _KEYS,
    ),
    Cause(
        re.compile(r"Release file for (\S+) is (?:expired|not valid)"),
        BuildFailed,
        "the mirror's Release file {0} is out of date",
        _MIRROR,
    ),
    Cause(
        re.compile(r"Unable to locate package (\S+)|Package '?([^ ']+)'? has no installation candidate"),
        BuildFailed,
        "package {0} does not exist in the repositories",
        "check its spelling, or add the repository that has it",
    ),
    Cause(
        re.compile(r"((?:Version|Release) '[^']*' for '[^']*') was not found"),
        BuildFailed,
        "{0} does not exist in the repositories",
        "take a version that they have, or leave it out for the newest",
    ),
    Cause(
        re.compile(r"unmet dependencies|held broken packages"),
        BuildFailed,
        "the packages cannot be installed together",
        "see the log for the dependencies that are not met",
    ),
    Cause(
        re.compile(r"does not have a Release file|404 +Not Found"),
        Unavailable,
        "the mirror does not have what its lists promise (404)",
        _MIRROR,
    ),
    Cause(
        re.compile(r"Hash Sum mismatch|File has unexpected size"),
        Unavailable,
        "the mirror is being updated, its files do not fit together",
        "try again in some minutes",
    ),
    Cause(
        re.compile(r"Could not (?:resolve|connect)|Temporary failure resolving|Connection (?:failed|timed out)"),
        Unavailable,
        "the mirror does not answer",
        _MIRROR,
    ),
)
