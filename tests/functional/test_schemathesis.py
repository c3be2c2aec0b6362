"""schemathesis against the OpenAPI document: whatever it thinks of, no answer is our fault."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from imagefactory.jobs.interface import BuildRequest
from tests.functional.serving import ServingTestCase


class SchemathesisTests(ServingTestCase):
    """The service with fakes behind it."""

    timeout = 300
    tls = False

    async def test_no_server_error(self) -> None:
        """No 5xx, and answers of the announced status, type and shape; streams that never end are left out."""
        await self.jobs.build(BuildRequest(None, ("mock",)))
        program = Path(sys.executable).with_name("schemathesis")
        arguments = [
            "run",
            f"{self.url}/imagefactory/openapi.json",
            "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=12",
            "--seed=1",
            "--request-timeout=10",
            "--exclude-path=/imagefactory/events",
            "--exclude-path=/imagefactory/builders/{builder_id}/log",
            "--no-color",
        ]
        environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": self.mktemp()}
        output, errors, code = await getProcessOutputAndValue(
            str(program), arguments, env=environment, path=".", reactor=reactor
        )
        self.assertEqual(code, 0, (output + errors).decode("utf-8", "replace")[-6000:])
