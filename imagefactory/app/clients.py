"""The OAuth clients of the REST API; the first start makes one if none is configured."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from twisted.logger import Logger

from imagefactory.lib.errors import FactoryError
from imagefactory.lib.files.durable import write_whole
from imagefactory.lib.secret import Secret
from imagefactory.settings import Settings

FIRST_CLIENT = "oauth-client.json"

log = Logger()


def clients_of(settings: Settings) -> Mapping[str, Secret]:
    """Returns the configured clients; without any, one that is made at the first start and kept in a private file.

    Blocks.

    Raises:
        FactoryError: the file can be neither read nor made.
    """
    if settings.no_oauth or settings.clients:
        return settings.clients
    path = settings.state_dir / FIRST_CLIENT
    try:
        key, secret = _kept(path) or _made(path)
    except (OSError, ValueError) as error:
        raise FactoryError(
            f"no client is configured and the one made for you cannot be used: {error}",
            where=str(path),
            hint='remove the file, or configure "clients"',
        ) from None
    log.warn("no client is configured; key and secret of one are in {path}", path=str(path))
    return {key: Secret(secret)}


def _kept(path: Path) -> tuple[str, str] | None:
    if not path.exists():
        return None
    content = json.loads(path.read_text("utf-8"))
    if not isinstance(content, dict) or not content.get("key") or not content.get("secret"):
        raise ValueError("it has no key and secret")
    return str(content["key"]), str(content["secret"])


def _made(path: Path) -> tuple[str, str]:
    key, secret = f"client-{secrets.token_hex(4)}", secrets.token_urlsafe(32)
    write_whole(path, json.dumps({"key": key, "secret": secret}, indent=2).encode() + b"\n")
    return key, secret
