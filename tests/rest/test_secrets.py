"""What the REST service says and logs of passwords: nothing."""

from __future__ import annotations

import json

from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from imagefactory.lib.secret import Secret
from tests.rest.test_authentication import IMAGES, OAuthTestCase

PROVIDER_IMAGES = "/imagefactory/provider_images"
HUSH = "s3cret-hush"
CREDENTIALS = f"<provider_credentials><mock_credentials><key>{HUSH}</key></mock_credentials></provider_credentials>"


class SecretsTests(OAuthTestCase):
    """All that a client sends in confidence, in requests that are accepted, refused and broken."""

    settings = {"clients": {"mock-key": Secret("mock-secret")}}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[LogEvent] = []
        globalLogPublisher.addObserver(self.seen.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.seen.append)
        self.answers: list[bytes] = []

    def send(self, path: str, body: str, *, secret: str = "mock-secret", kind: str = "application/json") -> int:
        """A signed POST."""
        status = self.signed(path=path, body=body, secret=secret, kind=kind)
        self.answers.append(repr(self.answer.headers).encode() + self.answer.body)
        return status

    def nothing_seen(self, *secrets: str) -> None:
        """Neither in an answer nor in the log, whatever its level."""
        said = b"".join(self.answers).decode() + "".join(f"{formatEvent(event)} {event!r}" for event in self.seen)
        for secret in ("mock-secret", *secrets):
            self.assertNotIn(secret, said)

    def push(self, credentials: str, provider: str = "mock-1") -> str:
        """The body of a push."""
        return json.dumps({"provider": provider, "credentials": credentials, "image_id": "i1"})

    def test_pushes(self) -> None:
        """With good and with broken credentials, with a provider defined in place, with a wrong signature."""
        good = CREDENTIALS
        inline = json.dumps({"name": "mock-2", "target": "mock", "password": HUSH})
        self.assertEqual(self.send(PROVIDER_IMAGES, self.push(good)), 202)
        self.send(PROVIDER_IMAGES, self.push(good, inline))
        self.assertEqual(self.send(PROVIDER_IMAGES, self.push(good), secret="another"), 401)
        for broken in (good[:-5], HUSH, f"<{HUSH}/>", good.replace("<key>", f"<key {HUSH}>")):
            self.send(PROVIDER_IMAGES, self.push(broken))
        self.send(PROVIDER_IMAGES, self.push(good)[:-3])
        self.send(PROVIDER_IMAGES, f"credentials={HUSH}", kind="application/x-www-form-urlencoded")
        self.again(f"credentials={HUSH}%zz&provider=%ff".encode())
        self.answers.append(self.answer.body)
        self.nothing_seen(HUSH)

    def test_builds(self) -> None:
        """A template with a password, whole and broken."""
        template = f"<template><name>demo</name><os><rootpw>{HUSH}</rootpw></os></template>"
        self.assertEqual(self.send(IMAGES, json.dumps({"template": template, "targets": "mock"})), 202)
        for broken in (template[:-5], template.replace("</rootpw>", "")):
            self.send(IMAGES, json.dumps({"template": broken, "targets": "mock"}))
        self.nothing_seen(HUSH)

    def test_unexpected_errors(self) -> None:
        """A bug is logged with its trace, which shows lines and no values."""

        async def fails(*_: object, **__: object) -> None:
            raise RuntimeError("a bug")

        for method in ("build", "push"):
            self.patch(self.jobs, method, fails)
        self.assertEqual(self.send(PROVIDER_IMAGES, self.push(CREDENTIALS)), 500)
        template = f"<template><name>demo</name><os><rootpw>{HUSH}</rootpw></os></template>"
        self.assertEqual(self.send(IMAGES, json.dumps({"template": template, "targets": "mock"})), 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.nothing_seen(HUSH)
