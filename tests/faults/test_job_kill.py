"""What was accepted is examined, whoever is killed: a worker, or the service with all its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.authn.web.test_serve import START_TIMEOUT_S, address, start
from tests.doubles.media import tiny_jpeg
from tests.waiting import until

pytestmark = pytest.mark.timeless

QUICK = {"ASSAY_JOB_LEASE_SECONDS": "1", "ASSAY_JOB_ATTEMPTS": "20"}


class Service:
    """The real command, started on one home as often as it was killed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.accepted: list[str] = []
        self.begin()

    def begin(self) -> None:
        self._process = start(self._home, **QUICK)
        self._url = address(self._process)

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def accept(self, count: int) -> None:
        for _ in range(count):
            headers = {"Content-Type": "image/jpeg", "Prefer": "respond-async"}
            request = urllib.request.Request(f"{self._url}/v1/verifications", tiny_jpeg(), headers)
            with (
                suppress(URLError, ConnectionError, TimeoutError),  # whom a kill met was promised nothing
                urllib.request.urlopen(request, timeout=START_TIMEOUT_S) as answer,
            ):
                assert answer.status == 202
                self.accepted.append(answer.headers["Location"])

    def end(self, how: signal.Signals) -> None:
        if how == signal.SIGKILL:
            os.killpg(self._process.pid, how)
        else:
            self._process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=START_TIMEOUT_S)
        assert self._process.returncode == (0 if how == signal.SIGTERM else -how)

    def state_of(self, where: str) -> str:
        found: list[str] = []

        def is_over() -> bool:
            with suppress(URLError, ConnectionError):
                with urllib.request.urlopen(f"{self._url}{where}", timeout=START_TIMEOUT_S) as answer:
                    found.append(json.load(answer)["state"])
                return found[-1] not in ("queued", "running")
            return False

        until(is_over, where, pause_s=0.1)
        return found[-1]

    def report_of(self, where: str) -> str:
        url = f"{self._url}{where.replace('jobs', 'verifications')}"
        with urllib.request.urlopen(url, timeout=START_TIMEOUT_S) as answer:
            return str(json.load(answer)["run"]["report_id"])


@pytest.mark.slow
def test_whatever_was_accepted_is_examined_once_though_its_processes_are_killed(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    service.accept(6)
    for pid in service.workers():
        os.kill(pid, signal.SIGKILL)
        service.accept(3)
    service.end(signal.SIGTERM)
    service.begin()
    service.accept(6)
    service.end(signal.SIGKILL)
    service.begin()
    assert len(service.accepted) >= 12
    assert {service.state_of(where) for where in service.accepted} == {"done"}
    assert [service.report_of(w) for w in service.accepted] == [w.split("/")[-1] for w in service.accepted]
    assert list((tmp_path / "home" / "jobs").iterdir()) == []
    service.end(signal.SIGTERM)
