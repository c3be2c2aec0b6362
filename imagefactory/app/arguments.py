"""Parses the texts of REST requests: templates, providers, credentials."""

from __future__ import annotations

from collections.abc import Sequence

from imagefactory.app.clouds import InstalledClouds
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.templates.resolve import Resolved, Templates


class RestArguments:
    """See `imagefactory.rest.interface.Arguments`."""

    def __init__(self, templates: Templates, clouds: InstalledClouds) -> None:
        self._templates = templates
        self._clouds = clouds

    async def template(self, text: str, targets: Sequence[str]) -> Resolved:
        """Resolve a template that is never a path: requests must not read files of this host."""
        return await self._templates.resolve(text, loosely=self._clouds.install_nothing(targets))

    async def provider(self, text: str) -> Provider:
        """A name, or a definition as JSON or XML."""
        return await self._clouds.provider(text)

    def credentials(self, text: str) -> Credentials:
        """XML with a `provider_credentials` element anywhere."""
        return self._clouds.credentials(text.encode())
