"""Mixed load on a real service whose workers are killed at random: what is lost, and how long health takes.

Usage: python -m tests.bench.load [--seconds 1800] [--kill-every 15] [--heuristics] [--database URL]

Clients examine, leave examinations for later, hand in captures, read. Each request is sent again when its
connection breaks or a 503 says so, as a client would; one that is never answered, a job that never ends, a
report that was given and is gone, and a receipt that does not prove its entry in the log at the end are
counted as lost. Health is asked by a process of its own, on a new connection each time. A short form:
``--seconds 20 --kill-every 4``. Exit code 1 when something was lost or a limit is passed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from authn.core.evidence import Outcome
from authn.provenance.logs import LogTrust, log_axis
from authn.provenance.own import read_own
from authn.service.access.keys import ApiKeys
from authn.store.engine import open_engine
from authn.tlog.format.note import parse_vkey
from authn.tlog.log.check import check_log
from signer.claim import CaptureClaim, DeviceAssertion
from signer.credential import sign_media
from signer.proof.timestamp import build_request, parse_response
from signer.staple import bytes_to_stamp, staple
from tests.conftest import ROOT
from tests.doubles.photos import photo
from tests.doubles.requests import csr_of
from tests.doubles.signed import media

TOKEN = "correct-horse-battery-staple"
GIVE_UP_S = 240.0
HEALTH_LIMIT_S = 0.2
JPEG = {"Content-Type": "image/jpeg"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Tally:
    """What happened, from all threads."""

    counts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    receipts: list[tuple[bytes, str]] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def lose(self, what: str) -> None:
        with self.lock:
            self.lost.append(what)


def send(url: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    """Raises ``OSError``, ``HTTPException``."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=GIVE_UP_S)) as one:
        one.request(method, path, body, {**headers, "Connection": "close"})
        got = one.getresponse()
        return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())


@dataclass
class Caller:
    """Sends until it is answered."""

    url: str
    tally: Tally

    def ask(
        self, what: str, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> Answer | None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        end, tries = time.monotonic() + GIVE_UP_S, 0
        while time.monotonic() < end:
            tries += 1
            try:
                answer = send(self.url, method, path, body, named)
            except (OSError, http.client.HTTPException):
                self.tally.count(f"{what}: connection broke, sent again")
            else:
                # 409: the worker that had the first try was killed; its claim on the key ends with a lease
                waits = answer.status == 503 or (answer.status == 409 and b"inFlight" in answer.body)
                self.tally.count(f"{what}: {answer.status}{', sent again' if waits else ''}")
                if not waits:
                    return answer
            time.sleep(0.2)
        self.tally.lose(f"{what}: never answered in {tries} tries")
        return None


class Clients:
    """What runs until ``stop``; each method is one client's next request."""

    def __init__(self, url: str, tally: Tally, key: str) -> None:
        self._call, self._tally = Caller(url, tally), tally
        self._bearer = f"Bearer {key}"
        self._device = ec.generate_private_key(ec.SECP256R1())
        enrolled = self._call.ask(
            "enrol", "POST", "/v1/devices",
            json.dumps({"name": "load", "csr": csr_of(self._device).decode()}).encode(),
            Authorization=f"Bearer {TOKEN}", Content_Type="application/json",
        )  # fmt: skip
        assert enrolled is not None
        assert enrolled.status == 201, enrolled.body
        self._enrolled: dict[str, Any] = json.loads(enrolled.body)
        self._number = 0
        self._pictures = [photo(seed=n) for n in range(8)]

    def read(self) -> None:
        path = random.choice(("/log/checkpoint", "/pki/crl", "/v1/devices", "/"))
        self._call.ask("read", "GET", path)
        time.sleep(0.05)

    def examine(self) -> None:
        body = random.choice(self._pictures)
        answer = self._call.ask("examine", "POST", "/v1/verifications", body, Content_Type="image/jpeg")
        if answer is not None and answer.status == 200:
            with self._tally.lock:
                self._tally.reports.append(answer.headers["location"])

    def leave_for_later(self) -> None:
        answer = self._call.ask(
            "job", "POST", "/v1/verifications", random.choice(self._pictures),
            Content_Type="image/jpeg", Prefer="respond-async",
            Idempotency_Key=f'"{secrets.token_hex(16)}"',
        )  # fmt: skip
        if answer is None or answer.status != 202:
            if answer is not None:
                self._tally.lose(f"job: {answer.status} {answer.body[:200]!r}")
            return
        end = time.monotonic() + GIVE_UP_S
        while time.monotonic() < end:
            state = self._call.ask("job state", "GET", answer.headers["location"])
            if state is not None and json.loads(state.body).get("state") in ("done", "failed"):
                self._tally.count(f"job ended: {json.loads(state.body)['state']}")
                return
            time.sleep(0.3)
        self._tally.lose("job: accepted and never ended")

    def hand_in(self) -> None:
        self._number += 1
        claim = CaptureClaim(
            title="photo",
            captured_at=datetime.now(UTC),
            device=DeviceAssertion(
                device_id=self._enrolled["device_id"], counter=self._number, nonce=secrets.token_bytes(16)
            ),
        )
        chain = self._enrolled["chain"].encode()
        signed = sign_media(self._pictures[self._number % 8], "image/jpeg", claim, self._device, chain)
        query = build_request(bytes_to_stamp(signed, "image/jpeg"), nonce=self._number + 1)
        stamped = self._call.ask("stamp", "POST", "/tsa", query, Content_Type="application/timestamp-query")
        if stamped is None or stamped.status != 200:
            return
        capture = staple(signed, "image/jpeg", parse_response(stamped.body))
        answer = self._call.ask(
            "capture", "POST", "/v1/captures", capture,
            Content_Type="image/jpeg", Authorization=self._bearer,
        )  # fmt: skip
        if answer is not None and answer.status in (200, 201):
            with self._tally.lock:
                self._tally.receipts.append((capture, json.loads(answer.body)["receipt"]))
        elif answer is not None:
            self._tally.lose(f"capture: {answer.status} {answer.body[:200]!r}")


def probe(url: str, out: Connection) -> None:
    """Times of /healthz in seconds, one every 20 ms, until told to stop; a broken connection is a string."""
    took: list[float | str] = []
    while not out.poll():
        start = time.perf_counter()
        try:
            answer = send(url, "GET", "/healthz", None, {})
            took.append(time.perf_counter() - start if answer.status == 200 else f"{answer.status}")
        except (OSError, http.client.HTTPException) as e:
            took.append(type(e).__name__)
        time.sleep(0.02)
    out.send(took)


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def kill_some(master: int, every_s: float, stop: threading.Event, tally: Tally) -> None:
    """SIGKILL to a worker, or one time in four to something that a worker started."""
    while not stop.wait(random.uniform(0.5, 1.5) * every_s):
        workers = children(master)
        if not workers:
            continue
        one, what = random.choice(workers), "killed: worker"
        if random.random() < 0.25 and (below := children(one)):
            one, what = random.choice(below), "killed: process of a worker"
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
            tally.count(what)


@contextmanager
def service(home: Path, database: str, heuristics: bool) -> Iterator[tuple[int, str]]:
    """The master's process and the address."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    environ |= {
        "ASSAY_HOME": str(home), "ASSAY_ENROLMENT_TOKEN": TOKEN, "ASSAY_HEURISTICS": str(heuristics).lower(),
        "ASSAY_DATABASE_URL": database, "ASSAY_JOB_LEASE_SECONDS": "10", "ASSAY_JOB_ATTEMPTS": "20",
    }  # fmt: skip
    program = [sys.executable, "-c", "from authn.cli import main; main()", "serve", "--port", "0"]
    with (
        (home.parent / "service.log").open("w") as said,
        subprocess.Popen(
            program, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1].rstrip("/")
        try:
            yield process.pid, url
        finally:
            process.terminate()
            print(f"the service ended with exit code {process.wait(60)}")


def looped(work: Callable[[], None], stop: threading.Event) -> threading.Thread:
    def run() -> None:
        while not stop.is_set():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def run(url: str, master: int, key: str, seconds: float, kill_every_s: float, tally: Tally) -> list[float]:
    """Load and kills for so long, then what is still open; the times of health."""
    clients, stop, stop_killing = Clients(url, tally, key), threading.Event(), threading.Event()
    here, there = multiprocessing.Pipe()
    prober = multiprocessing.get_context("fork").Process(target=probe, args=(url, there))
    prober.start()
    killer = threading.Thread(target=kill_some, args=(master, kill_every_s, stop_killing, tally))
    killer.start()
    work = (clients.read, clients.read, clients.examine, clients.leave_for_later, clients.hand_in)
    threads = [looped(one, stop) for one in work]
    time.sleep(seconds)
    stop_killing.set()
    killer.join()
    here.send("stop")
    took = here.recv()
    prober.join()
    stop.set()
    for thread in threads:
        thread.join()
    for location in tally.reports:
        if (again := clients._call.ask("report again", "GET", location)) is None or again.status != 200:
            tally.lose(f"report: {location} is gone")
    for one in took:
        if isinstance(one, str):
            tally.count(f"health: {one}")
    return [one for one in took if isinstance(one, float)]


def verify_receipts(home: Path, database: str, tally: Tally) -> int:
    """Derive the log again, and every receipt against it; the log's size."""
    key = parse_vkey((home / "pki" / "log.vkey").read_text().strip())
    checked = check_log(open_engine(database or f"sqlite:///{home / 'assay.db'}"), key)
    trust = LogTrust(logs=(key,))
    for capture, receipt in tally.receipts:
        if log_axis(read_own(media(capture)), receipt, trust).outcome is not Outcome.ESTABLISHED:
            tally.lose("receipt: it does not prove its entry")
    return checked.size


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=1800)
    options.add_argument("--kill-every", type=float, default=15)
    options.add_argument("--heuristics", action="store_true")
    options.add_argument("--database", default="")
    given, tally = options.parse_args(), Tally()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with service(home, given.database, given.heuristics) as (master, url):
            engine = open_engine(given.database or f"sqlite:///{home / 'assay.db'}")
            soon = datetime.now(UTC) + timedelta(days=1)
            key = ApiKeys(engine).create("load", frozenset({"captures:create"}), datetime.now(UTC), soon)
            took = run(url, master, key.text, given.seconds, given.kill_every, tally)
        size = verify_receipts(home, given.database, tally)
        said = (home.parent / "service.log").read_text()
    for what, count in sorted(tally.counts.items()):
        print(f"{what:45} {count:7}")
    p99 = statistics.quantiles(took, n=100)[98]
    print(f"log: {size} entries, derived again; {len(tally.receipts)} receipts verified")
    print(f"lines of defects in the service's log: {said.count('Traceback')}")
    print("\n".join(line for line in said.splitlines() if "Error" in line)[:2000])
    print(f"lost: {len(tally.lost)}")
    for one in tally.lost[:20]:
        print(f"  {one}")
    print(
        f"/healthz: n = {len(took)}, median {statistics.median(took) * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, "
        f"most {max(took) * 1e3:.0f} ms (limit of p99: {HEALTH_LIMIT_S * 1e3:.0f} ms)"
    )
    sys.exit(bool(tally.lost) or p99 > HEALTH_LIMIT_S)


if __name__ == "__main__":
    main()
