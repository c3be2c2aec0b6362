"""schemathesis against the daemon and its OpenAPI document: whatever it thinks of, no answer is our fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.functional.daemon import CLIENT, CREDENTIALS, MOCK, DaemonCase

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
HOOKS = "tests.functional.schemathesis_hooks"
OWN_JOBS = 4
CHECKOUT = Path(__file__).parents[2]


class SchemathesisTests(DaemonCase):
    """A daemon as users start it, with its own warehouse; what is built is the mock target's."""

    timeout = 300
    signs_reads = True

    def known(self) -> dict[str, str]:
        """The ids of an image with a build and a push, by the names that the document has for them."""
        answer = self.ask("POST", "/images", json={"image": {"targets": "mock", "template": MOCK}}).json()
        (target_image,) = answer["build"]["target_images"]
        self.until(target_image["id"], status="COMPLETED")
        ids = {"image_id": answer["id"], "build_id": answer["build"]["id"], "target_image_id": target_image["id"]}
        pushed = self.ask("POST", "/provider_images", json={**ids, "provider": "mock-1", "credentials": CREDENTIALS})
        self.until(pushed.json()["id"], status="COMPLETED")
        place = {"target_name": "mock", "provider_name": "mock-1"}
        return {**ids, "provider_image_id": pushed.json()["id"], "builder_id": target_image["id"], **place}

    def run_schemathesis(self, *, examples: int, client: tuple[str, str] | None = None, accepted: int = 0) -> None:
        """Ask whatever the document allows, and more; only the stream of events is left out, which never ends."""
        ids = [self.known(), self.known()]
        fields = {"targets": "mock", "template": MOCK, "credentials": CREDENTIALS, "provider": "mock-1"}
        fields |= {name: ids[0][name] for name in ("image_id", "build_id", "target_image_id")}
        known: dict[str, Any] = {"ids": ids, "fields": fields, "client": client}
        document = self.directory / "openapi.json"
        document.write_bytes(self.ask("GET", "/openapi.json").content)
        argv: list[str] = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            str(document),
            f"--url={self.url}",
            f"--checks={CHECKS}",
            "--phases=examples,coverage,fuzzing,stateful",
            f"--max-examples={examples}",
            "--seed=1",
            "--request-timeout=10",
            "--exclude-path=/imagefactory/events",
            "--suppress-health-check=all",
            "--no-color",
        ]
        environment = {
            **os.environ,
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.directory / "hypothesis"),
            "SCHEMATHESIS_HOOKS": HOOKS,
            "PYTHONPATH": str(CHECKOUT),
            "KNOWN": json.dumps(known),
        }
        done = subprocess.run(argv, env=environment, cwd=self.directory, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-6000:])
        self.assertNotIn("incident", self.log.lower())
        self.assertNotIn("Traceback", self.log)
        jobs = self.ask("GET", "/builders").json()["builders"]
        self.assertGreaterEqual(len(jobs), OWN_JOBS + accepted, "hardly anything was accepted")
        self.stop()

    def test_open(self) -> None:
        """Everybody may write."""
        self.configure(no_oauth=True, no_ssl=True)
        self.rest()
        self.run_schemathesis(examples=40, accepted=20)

    def test_signed(self) -> None:
        """Only a client may write, and it signs."""
        self.configure(no_ssl=True, oauth_reads=True)
        self.rest()
        self.run_schemathesis(examples=25, client=CLIENT, accepted=10)

    def test_unsigned(self) -> None:
        """An unknown key is refused."""
        self.configure(no_ssl=True, oauth_reads=True)
        self.rest()
        self.run_schemathesis(examples=5)
