"""The secret of an OAuth client that has a role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagefactory.lib.secret import Secret

ADMIN = "admin"
"""May change and delete what other clients have made."""


@dataclass(frozen=True, slots=True, repr=False)
class ClientSecret(Secret):
    """A client's secret, and its role (empty: none)."""

    role: str = ""


def client_secret(value: Mapping[str, Any]) -> ClientSecret:
    """Returns what `{"secret": TEXT, "role": "admin"}` says; the role may be absent.

    Raises:
        ValueError: it is something else; the secret is not quoted.
    """
    secret, role = value.get("secret"), value.get("role", "")
    if not isinstance(secret, str) or role not in ("", ADMIN) or value.keys() - {"secret", "role"}:
        raise ValueError(f'has to be a text, or {{"secret": TEXT, "role": "{ADMIN}"}}')
    return ClientSecret(secret, role)


def admins(clients: Mapping[str, Secret]) -> Sequence[str]:
    """Returns the keys of the clients that are administrators."""
    return [key for key, secret in clients.items() if isinstance(secret, ClientSecret) and secret.role == ADMIN]
