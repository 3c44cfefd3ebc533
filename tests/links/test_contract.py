"""The API does what its OpenAPI description says, whatever it is sent."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.links.live import FULL, Live, Person

pytestmark = [pytest.mark.links, pytest.mark.timeout(2000 if FULL else 400)]

CASES, EXAMPLES = (5000, 400) if FULL else (500, 40)
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance,unsupported_method,ignored_auth,"
    "use_after_free,ensure_resource_availability"
)
# An endless stream; and what ends the session, after which little would be left to test.
ENDLESS = ("--exclude-path", "/api/events")
ENDING = ("--exclude-path-regex", "^/api/(accounts|session)$")


def test_no_answer_is_undocumented(live: Live, tools: Path, tmp_path: Path) -> None:
    """Once as somebody who is logged in, once as a stranger."""
    address, port = live.addresses("backend")[0]
    person = Person(address, port)
    person.sign_up()
    login = ("-H", f"Cookie: session={person.cookie}", "-H", f"X-CSRF-Token: {person.csrf}")
    total = 0
    for number, who in enumerate(((*login, *ENDING), ())):
        done = subprocess.run(
            [
                *(tools / "schemathesis", "run", f"http://{address}:{port}/api/openapi.json"),
                *("--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--seed", "1"),
                *("--max-examples", str(EXAMPLES), "--continue-on-failure", "--workers", "1"),
                *("--no-color", *ENDLESS, *who),
            ],
            capture_output=True, text=True, check=False, timeout=900 if FULL else 180, cwd=tmp_path,
        )  # fmt: skip
        said = "\n".join(line[:300] for line in done.stdout.splitlines())
        assert done.returncode == 0, said
        assert number or "returned only 401" not in said, said
        total += int(re.search(r"(\d+) generated", said)[1])  # type: ignore[index]  # it always says so
    assert total >= CASES
    assert person.get("/api/links").status == 200, "its session has lasted"
