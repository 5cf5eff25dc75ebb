"""Verification and intake over HTTP beside a bare Flask that calls c2pa-python, on as many workers.

Usage: python -m tests.bench.http [SECONDS] [PYTHON]

``PYTHON``: the interpreter that runs ``assay serve``, of another checkout for instance. Real services on
loopback ports and a client in this process, whose work counts against all of them alike. They are asked in
turn, round by round, so that a busy machine slows all of them; the rate of the best round counts, and beside
it stands the processor time of the service's own processes. One worker has one core, two have two.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from authn.core.config import load_settings
from authn.core.instants import utc_now
from authn.home.enrolment import enrol_device
from authn.pki.roots import load_roots, roots_pem
from authn.service.access.keys import ApiKeys
from authn.store.engine import open_engine
from signer.claim import CaptureClaim, DeviceAssertion
from signer.client import Client
from signer.credential import sign_media
from signer.device import SIGNER_ROOTS_FILE, DeviceIdentity
from signer.keys import open_key
from signer.proof.timestamp import build_request, parse_response
from signer.staple import bytes_to_stamp, staple
from tests.bench.sign_verify import KEY_USAGES, photo

JPEG = "image/jpeg"
CAPTURES = 64
CLIENTS = 8
ROUNDS = 4
START_S = 60.0
BARE = """
import io, json, os
from c2pa import Context, Reader
from flask import Flask, request
context = []
app = Flask(__name__)

@app.post("/verify")
def verify():
    if not context:
        context.append(Context.from_dict(json.loads(os.environ["BARE_SETTINGS"])))
    with Reader("image/jpeg", io.BytesIO(request.get_data()), context=context[0]) as reader:
        return reader.json(), 200, {"Content-Type": "application/json"}
"""


@dataclass(kw_only=True)
class Service:
    """``rates`` and ``cpu_ms``: one of each round."""

    name: str
    process: subprocess.Popen[str]
    address: str
    path: str
    headers: dict[str, str]
    status: int
    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


def cpu_s(root: int) -> float:
    """Of a process, those below it, and those of them that have ended."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(stat[1]), []).append(int(entry.name))
            used[int(entry.name)] = sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")
    below, total = [root], 0.0
    while below:
        one = below.pop()
        total += used.get(one, 0.0)
        below += children.get(one, [])
    return total


def ask(service: Service, files: list[bytes], seconds: float) -> None:
    """One round: each client keeps its connection and sends one file after the other."""
    end = time.monotonic() + seconds

    def client(offset: int) -> int:
        connection, count = http.client.HTTPConnection(service.address, timeout=60), 0
        while time.monotonic() < end:
            body = files[(offset * 7 + count) % len(files)]
            connection.request("POST", service.path, body, service.headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != service.status:
                raise RuntimeError(f"{service.name} answered {answer.status}: {content[:300]!r}")
            count += 1
        connection.close()
        return count

    before, start = cpu_s(service.process.pid), time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        count = sum(pool.map(client, range(CLIENTS)))
    used = cpu_s(service.process.pid) - before
    if count and not used:
        raise RuntimeError(f"{service.name} answered without its own processes")
    service.rates.append(count / (time.monotonic() - start))
    service.cpu_ms.append(used * 1e3 / count)


def free_port() -> int:
    """A fixed one may be held by a server of an earlier run, which would be measured as nobody's."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(command: list[str], workers: int, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """On as many cores as it has workers."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")} | variables
    cores = sorted(os.sched_getaffinity(0))[:workers]
    process = subprocess.Popen(
        command,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def when_ready(address: str, path: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection(address, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status in (200, 405):
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{address} does not start")


@contextmanager
def ours(python: str, folder: Path, workers: int) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    home = folder / f"home-{workers}"
    command = [python, "-m", "authn", "serve", "--port", "0", "--workers", str(workers)]
    with running(command, workers, ASSAY_HOME=str(home), ASSAY_HEURISTICS="false") as process:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().split()[-1]).netloc
        when_ready(address, "/readyz")
        time.sleep(2)  # the other worker's examiners
        yield process, address, home


@contextmanager
def bare(folder: Path, workers: int, identity: DeviceIdentity) -> Iterator[Service]:
    port = free_port()
    (folder / "bare.py").write_text(BARE)
    signer_roots = load_roots([identity.folder / SIGNER_ROOTS_FILE])
    anchors = [
        {"trust_anchors": roots_pem(given), "trust_kind": kind, "trust_uri": f"urn:bench:{kind}"}
        for kind, given in (("manifest", signer_roots), ("tsa", identity.tsa_roots))
    ]
    settings = {
        "trust": {"trust_config": KEY_USAGES, "anchors": anchors},
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    }
    command = [
        *(sys.executable, "-m", "gunicorn", "--chdir", str(folder), "-w", str(workers), "--threads", "6"),
        *("-b", f"127.0.0.1:{port}", "--keep-alive", "75", "bare:app"),
    ]
    with running(command, workers, BARE_SETTINGS=json.dumps(settings)) as process:
        when_ready(f"127.0.0.1:{port}", "/verify")
        if process.poll() is not None:
            raise RuntimeError(f"another program answers on port {port}")
        yield Service(
            name=f"bare Flask + c2pa, {workers} workers",
            process=process,
            address=f"127.0.0.1:{port}",
            path="/verify",
            headers={"Content-Type": JPEG},
            status=200,
        )


def captures_at(address: str, home: Path, folder: Path, picture: bytes) -> tuple[list[bytes], DeviceIdentity]:
    """Really enrolled, signed and stamped by this very service."""
    token = (home / "enrolment-token").read_text().strip()
    url = f"http://{address}"
    settings = load_settings(environ={}, home=folder, service_url=url, enrolment_token=token)
    identity = enrol_device(settings, "camera", now=datetime.now(UTC))
    key, client = open_key(identity.key_uri), Client(service_url=url)
    found = []
    for counter in range(1, CAPTURES + 1):
        device = DeviceAssertion(device_id=identity.device_id, counter=counter, nonce=bytes(16))
        claim = CaptureClaim(title="bench.jpg", captured_at=datetime.now(UTC), device=device)
        signed = sign_media(picture, JPEG, claim, key, identity.chain_pem)
        answer = client.stamp(identity.tsa_url, build_request(bytes_to_stamp(signed, JPEG), counter))
        found.append(staple(signed, JPEG, parse_response(answer)))
    return found, identity


def asked_in_turn(services: list[tuple[Service, list[bytes]]], seconds: float) -> None:
    for service, files in services:
        ask(service, files, 1.0)
    for service, _ in services:
        service.rates.clear()
        service.cpu_ms.clear()
    for _ in range(ROUNDS):
        for service, files in services:
            ask(service, files, seconds)


def of_workers(python: str, folder: Path, workers: int, picture: bytes, seconds: float) -> dict[str, Service]:
    with ours(python, folder, workers) as (process, address, home):
        files, identity = captures_at(address, home, folder / f"device-{workers}", picture)
        settings = load_settings(environ={}, home=home)
        scopes = frozenset({"captures:create", "verifications:create"})
        key = ApiKeys(open_engine(settings.database)).create("bench", scopes, utc_now())
        plain = {"Content-Type": JPEG}

        def service(name: str, path: str, status: int, **more: str) -> Service:
            return Service(
                name=f"{name}, {workers} workers",
                process=process,
                address=address,
                path=path,
                headers=plain | more,
                status=status,
            )

        with bare(folder, workers, identity) as theirs:
            verification = service("verification", "/v1/verifications", 200)
            intake = service("intake", "/v1/captures", 201, Authorization=f"Bearer {key.text}")
            found = [theirs, verification, intake]
            asked_in_turn([(one, files) for one in found], seconds)
    return {"bare": theirs, "verification": verification, "intake": intake}


def show(found: dict[int, dict[str, Service]]) -> None:
    best: Callable[[Service], float] = lambda s: max(s.rates)  # noqa: E731
    for of in found.values():
        for service in of.values():
            ratio = best(service) / best(of["bare"])
            print(
                f"{service.name:34}{best(service):8.0f} /s  {min(service.cpu_ms):6.2f} CPU ms"
                f"   {ratio:.2f} x bare's rate, {min(service.cpu_ms) / min(of['bare'].cpu_ms):.2f} x its CPU"
            )
    if len(found) > 1:
        for name in ("bare", "verification", "intake"):
            print(f"{name}: two workers / one: {best(found[2][name]) / best(found[1][name]):.2f}")


def main(seconds: float, python: str) -> None:
    picture = photo(1152, 864)
    found = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            found[workers] = of_workers(python, Path(name), workers, picture, seconds)
    print(f"1-MP JPEG of {len(picture) / 1e6:.2f} MB, {CLIENTS} clients, best of {ROUNDS} rounds in turn")
    show(found)


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 4.0, sys.argv[2] if sys.argv[2:] else sys.executable)
