"""The public keys that package sources have to be signed with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imagefactory.lib.errors import MissingTool
from imagefactory.systems.families.interface import Bootstrap

DIRECTORIES = (
    Path("/etc/imagefactory/keys"),
    Path("/usr/share/distribution-gpg-keys"),
    Path("/etc/pki/rpm-gpg"),
)


def find_keys(bootstrap: Bootstrap, directories: Sequence[Path] = DIRECTORIES) -> tuple[Path, ...]:
    """Returns the keyring of this bootstrap on this host; none if the template wants no signatures.

    Reads directories: call it in a thread. Raises MissingTool, naming the package that has the keyring.
    """
    if not bootstrap.verify:
        return ()
    for directory in directories:  # an absolute name stays what it is when it is joined
        for name in bootstrap.keyrings:
            if (directory / name).is_file():
                return (directory / name,)
    release = f"{bootstrap.release.os} {bootstrap.release.version}"
    raise MissingTool(
        f"the keys that sign {release} are not on this host",
        where=" or ".join(bootstrap.keyrings),
        hint=f"put the key, as its distributor publishes it, below {directories[0]} with one of these names (or into"
        f" another directory, and name that in the setting key_directories), or install {bootstrap.keyring_package}"
        " if your system has that package",
    )
