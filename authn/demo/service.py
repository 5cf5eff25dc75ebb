"""The real service as its own process, started and ended with the demo; and plain HTTP towards it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from authn.core.errors import Unavailable, Unreachable

START_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 25.0
REQUEST_TIMEOUT_S = 90.0
MAX_ANSWER_BYTES = 32 * 1024 * 1024
ADDRESS = re.compile(r"^Assay listens on (http://\S+?)/?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``location`` names the stored verification."""

    report: str
    location: str


@contextlib.contextmanager
def running_service(
    home: Path, log: Path, *, python: Path | None = None, showing: Path | None = None
) -> Iterator[str]:
    """Its address, as soon as it can examine something; ``python`` chooses another installation.

    ``showing`` is a demo's folder: then it remembers what photos look like and has the demo's pages.

    Raises ``Unavailable`` with the end of its log.
    """
    with log.open("wb") as output:
        command = ["-c", "from authn.cli import main; main()", "serve", "--port", "0"]
        if showing is not None:
            command = ["-c", "from authn.demo.server import main; main()", str(showing)]
        process = subprocess.Popen(
            [str(python or sys.executable), *command],
            env=environment(home) | ({"ASSAY_RECOVERY": "manifests"} if showing else {}),
            cwd=log.parent,  # Python would import from the current folder before anything installed
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the demo, which then ends the service in order
        )
    try:
        yield _wait_until_ready(process, log)
    finally:
        _stop(process)


def environment(home: Path) -> dict[str, str]:
    """The user's, without settings of another Assay; one worker is enough for one visitor."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    return {**kept, "ASSAY_HOME": str(home), "ASSAY_WORKERS": "1", "PYTHONUNBUFFERED": "1"}


def verify_over_http(address: str, name: str, data: bytes) -> Answer:
    """Upload one file as a browser does. Raises ``Unavailable`` with the service's own words."""
    boundary = f"assay-{secrets.token_hex(16)}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    request = urllib.request.Request(  # noqa: S310 our own service
        f"{address}/v1/verifications?preview=true",
        data=head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        method="POST",
    )
    body, location = _answer(request)
    return Answer(report=body.decode(), location=location)


def fetch(url: str) -> bytes:
    """Raises ``Unavailable``."""
    return _answer(urllib.request.Request(url))[0]  # noqa: S310 our own service


def _answer(request: urllib.request.Request) -> tuple[bytes, str]:
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as response:  # noqa: S310 as above
            return response.read(MAX_ANSWER_BYTES), response.headers.get("Location", "")
    except urllib.error.HTTPError as e:
        raise Unreachable(f"the service answered {e.code}: {_problem(e.read(MAX_ANSWER_BYTES))}") from e
    except (OSError, http.client.HTTPException) as e:
        raise Unreachable(f"the service does not answer: {e}") from e


def _problem(body: bytes) -> str:
    try:
        return str(json.loads(body).get("detail", "no reason given"))
    except (ValueError, AttributeError):
        return "no reason given"


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    reason = "it has not opened its port"
    while time.monotonic() < deadline_s and process.poll() is None:
        found = ADDRESS.search(log.read_text(encoding="utf-8", errors="replace"))
        if found:
            try:
                fetch(f"{found.group(1)}/readyz")
            except Unavailable as e:
                reason = e.detail
            else:
                return found.group(1)
        time.sleep(0.1)
    end = " / ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
    why = reason if process.poll() is None else f"it ended with exit code {process.returncode}"
    raise Unreachable(f"the service did not start: {why} ({end or 'its log is empty'})")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """In order first; whatever is left of its process group is killed."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
