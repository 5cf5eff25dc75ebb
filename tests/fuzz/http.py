"""Requests that fit the description of the HTTP API, and such that do not: every answer is one of those that
it names, and none is a defect. By hand: ``python -m tests.fuzz.http 200`` (examples of each operation).
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure, FailureGroup

from authn.core.config import load_settings
from authn.service.access.keys import ApiKeys
from authn.service.access.scopes import SCOPES
from authn.service.wiring import open_services
from authn.web import create_app

CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# 507 of a full disk and 503 of a busy service are answers, and what is not ready says so.
ALLOWED_FAILURES = (503, 507)


@schemathesis.serializer(
    *("application/timestamp-query", "application/ocsp-request", "application/pkcs10", "application/zip"),
    *("image/*", "video/*", "audio/*", "*/*"),
)
def _as_it_is(_context: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@dataclass
class Found:
    """``requests``: by operation; ``failures``: what was answered that should not have been."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)


def search(app: Flask, headers: dict[str, str], examples: int, below: str = "/") -> Found:
    """Send so many requests to each operation ``below`` an address."""
    found = Found()
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app).include(path_regex=f"^{below}")
    checks = [CHECKS.get_one(name) for name in CHECKED]

    def send(case: Case) -> None:
        found.requests[case.operation.label] += 1
        response = case.call(headers=headers)
        if response.status_code in ALLOWED_FAILURES:
            return
        try:
            case.validate_response(response, checks=checks)
        except (Failure, FailureGroup) as e:
            why = f"{case.operation.label}: {str(e)[:1500]}"
            found.failures.setdefault(why, case.as_curl_command()[:400])

    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except (ValueError, TypeError):
                continue
            run = settings(
                max_examples=examples,
                derandomize=True,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )(given(case=strategy)(send))
            with suppress(Unsatisfiable):  # an operation without parameters has no wrong ones
                run()
    return found


def main() -> None:
    """Against the whole application with its own examiners."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        configured = load_settings(environ={}, home=Path(folder) / "home", heuristics=False)
        services = open_services(configured)
        key = ApiKeys(services.engine).create("search", frozenset(SCOPES), services.clock())
        found = search(create_app(services), {"Authorization": f"Bearer {key.text}"}, examples)
        services.close()
    for failure, command in found.failures.items():
        print(failure, command, sep="\n", end="\n\n")
    sent = f"{found.requests.total()} requests to {len(found.requests)} operations"
    print(f"{sent}, {len(found.failures)} failures")
    raise SystemExit(bool(found.failures))


if __name__ == "__main__":
    main()
