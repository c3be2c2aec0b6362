"""A cloud for trials: a directory of small files, which Deltacloud's mock driver reads."""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed, InvalidInput, Problem
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.template import Template
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.disk.space import full_disk
from imagefactory.systems.families.interface import Needs
from imagefactory.targets.descriptor import CredentialsForm, ProviderNames, TargetDescriptor
from imagefactory.targets.images import whole
from imagefactory.targets.interface import PushContext, Pushed, Ready, Target
from imagefactory.targets.resources import Resource

NAME = "mock"
CREDENTIALS = "mock_credentials"
_FAILING = re.compile(rb"\s*(<\?xml[^>]*\?>)?\s*<template>\s*FAIL\s*</template>\s*")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class MockPush:
    """Copies images to where Deltacloud's mock driver looks for them, below `imgdir`."""

    def __init__(self, imgdir: Path, threads: Threads) -> None:
        self._directory = imgdir / f"deltacloud-{_user()}"
        self._threads = threads

    def account(self, credentials: Credentials | None, provider: Provider) -> str:
        """Returns the user name, the only field of these credentials."""
        _check(provider.name, "provider")
        if credentials is None or credentials.kind != CREDENTIALS or not credentials.fields.get("username"):
            problem = Problem(f"provider_credentials/{CREDENTIALS}/username", "is missing")
            hint = "<provider_credentials><mock_credentials><username>me</username></mock_credentials>..."
            raise InvalidInput("a push to mock needs credentials", problems=[problem], hint=hint)
        return credentials.fields["username"].reveal()

    async def push(self, image: Ready, context: PushContext) -> Pushed:
        """See `CloudPush`. The token of the file is the identifier, which is known before it is made."""
        provider = context.provider
        account = self.account(context.credentials, provider)
        identifier = f"Mock_{provider.name}_{context.id}"
        context.report.activity(f"copying the image to provider {provider.name}")
        async with image.open() as reader:
            body = await whole(reader)
        async with context.resources.creating("image", identifier) as resource:
            if not resource.identifier:
                await self._threads.run(_write, self._path(identifier, provider), body)
                await resource.created(identifier)
        context.report.progress(100)
        return Pushed(identifier, account, body)

    async def sweep(self, resource: Resource, provider: Provider, credentials: Credentials | None) -> None:
        """See `CloudPush`."""
        await self.delete(resource.token, provider, credentials)

    async def delete(self, identifier: str, provider: Provider, credentials: Credentials | None) -> None:
        """See `CloudPush`."""
        await self._threads.run(_remove, self._path(identifier, provider))

    def _path(self, identifier: str, provider: Provider) -> Path:
        id = identifier.removeprefix(f"Mock_{_check(provider.name, 'provider')}_")
        return self._directory / provider.name / "images" / f"{_check(id, 'identifier')}.yml"


class Mock(Target):
    """An image without an operating system."""

    name = NAME
    os = False

    def __init__(self, pushing: MockPush) -> None:
        self.pushing = pushing

    def needs(self, template: Template) -> Needs:
        """Nothing."""
        return Needs()

    def conversion(self) -> Conversion:
        """Not used: an image has no disk."""
        return Conversion("raw")

    def placeholder(self, template: Template, image_id: str) -> bytes:
        """Returns what Deltacloud's mock driver keeps of an image, in YAML; a text in JSON is one in YAML, too.

        Raises BuildFailed for `<template>FAIL</template>`: clients of 1.0 test their handling of failed builds with it.
        """
        if _FAILING.fullmatch(template.source):
            hint = "any other template succeeds; this one is there for testing how a client takes a failed build"
            raise BuildFailed("the template asks for a failed build", where="template", hint=hint)
        facts = {
            "id": image_id,
            "name": template.name,
            "description": template.description or template.name,
            "architecture": template.os.arch.value,
            "owner_id": NAME,
        }
        return "".join(["---\n", *(f":{key}: {json.dumps(value)}\n" for key, value in facts.items())]).encode()


def _check(text: str, what: str) -> str:
    """Returns `text`, which has to be fit for a path.

    Raises InvalidInput.
    """
    if not _PLAIN.fullmatch(text):
        raise InvalidInput(f"{text!r} cannot be a {what} of mock", hint="use letters, digits, '.', '_' and '-'")
    return text


def _write(path: Path, body: bytes) -> None:
    with full_disk(path, len(body)):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = _unfinished(path)
        unfinished.write_bytes(body)
        unfinished.replace(path)


def _remove(path: Path) -> None:
    for each in (path, _unfinished(path)):
        each.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_suffix(".new")


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


TARGET = TargetDescriptor(
    NAME,
    "for trying out; needs no cloud",
    lambda context: Mock(MockPush(context.settings.imgdir, context.threads)),
    names=(ProviderNames(re.compile(r"mock.*"), "mock..."),),
    credentials=CredentialsForm(CREDENTIALS, ("username",)),
)
