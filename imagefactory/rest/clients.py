"""The first OAuth client, made where none is configured: never an open door, never a dead end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from imagefactory.model.errors import InvalidInput
from imagefactory.model.secret import Secret
from imagefactory.rest.private import write_private

FILE = "clients.json"
KEY = "imagefactory"


def first_client(directory: Path) -> tuple[Mapping[str, Secret], Path, bool]:
    """The clients in the file of `directory`, made with one client if it is not there; its path; whether it is new.

    Blocks: for the start. Raises InvalidInput if the file is there and damaged.
    """
    path = directory / FILE
    if path.exists():
        return _read(path), path, False
    secret = secrets.token_urlsafe(32)
    write_private(path, json.dumps({KEY: secret}).encode() + b"\n")
    return {KEY: Secret(secret)}, path, True


def _read(path: Path) -> Mapping[str, Secret]:
    try:
        clients = json.loads(path.read_text())
        if not clients or not all(isinstance(secret, str) for secret in clients.values()):
            raise ValueError("not an object of texts")
        return {str(key): Secret(secret) for key, secret in clients.items()}
    except (OSError, ValueError, AttributeError) as error:
        hint = "remove it, and the next start makes a new client"
        raise InvalidInput("cannot be read, or is damaged", where=str(path), hint=hint) from error
