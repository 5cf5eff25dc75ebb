"""Workers are replaced and a service is stopped under load, and no request is lost to it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT
from tests.doubles.photos import photo
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.slow, pytest.mark.timeless]
PATHS = ("/healthz", "/log/checkpoint", "/pki/crl")


@contextmanager
def service(folder: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service of two workers that is ready, and its address."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    environ |= {"ASSAY_HOME": str(folder / "home"), "ASSAY_HEURISTICS": "false", "ASSAY_EXAMINERS": "1"}
    environ |= {f"ASSAY_{name.upper()}": value for name, value in settings.items()}
    program = [sys.executable, "-c", "from authn.cli import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(
        program, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1].rstrip("/")
        try:
            until(lambda: answer(url, "/readyz") == 200)
            yield process, url
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)


def answer(url: str, path: str) -> int:
    with suppress(OSError, http.client.HTTPException), closing(connection(url)) as one:
        one.request("GET", path, headers={"Connection": "close"})
        with one.getresponse() as got:
            got.read()
            return got.status
    return 0


@dataclass
class Load:
    """Clients that ask without a pause: some on one connection for as long as it is left to them."""

    url: str
    done: int = 0
    failed: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join()

    def _ask(self, number: int) -> None:
        one, kept, count = connection(self.url), number % 2 == 0, 0
        while not self.stopping.is_set():
            try:
                one.request("GET", PATHS[count % len(PATHS)], headers={} if kept else {"Connection": "close"})
                got = one.getresponse()
                got.read()
                if got.status != 200:
                    self.failed.append(f"{got.status}")
                if got.getheader("Connection") == "close" or not kept:
                    one.close()
                self.done, count = self.done + 1, count + 1
            except (OSError, http.client.HTTPException) as e:
                self.failed.append(repr(e))
                one.close()
            time.sleep(0.01)
        one.close()


def workers_of(process: subprocess.Popen[str]) -> set[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return {int(pid) for pid in children.split()}


def test_new_workers_take_over_under_load_and_nobody_notices(tmp_path: Path) -> None:
    with service(tmp_path) as (process, url):
        load, before = Load(url), workers_of(process)
        with load.running():
            process.send_signal(signal.SIGHUP)
            until(lambda: len(workers_of(process)) == 2 and not workers_of(process) & before)
            done = load.done
            until(lambda: load.done > done + 20)  # by the new ones
        assert load.failed == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_settings_that_do_not_hold_leave_the_old_ones_and_the_service_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "assay.toml"
    file.write_text("report_days = 7\n")
    with service(tmp_path, config=str(file)) as (process, url):
        before = workers_of(process)
        file.write_text("report_days = 'a week'\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: len(workers_of(process)) == 2 and not workers_of(process) & before)
        assert answer(url, "/healthz") == 200
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE_S)
        assert "the settings stay as they were: report_days" in said


def test_an_upload_that_is_on_its_way_when_the_service_stops_is_answered(tmp_path: Path) -> None:
    body = photo(seed=1)
    head = "POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    head += f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    with service(tmp_path) as (process, url):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S) as client:
            client.sendall(head.encode())
            assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"  # it has begun
            client.sendall(body[: len(body) // 2])
            process.send_signal(signal.SIGTERM)
            until(lambda: answer(url, "/healthz") == 0)  # it takes nobody new
            client.sendall(body[len(body) // 2 :])
            got = b""
            while chunk := client.recv(65536):
                got += chunk
        assert got.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in got.lower()
        assert process.wait(PATIENCE_S) == 0
