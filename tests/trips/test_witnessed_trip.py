"""A service with two witnesses of other people: uploads become witnessed, captures get a lower bound in time,
a monitor of a third person finds all in order, and a restored backup is stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from authn.core.config import load_settings
from authn.pki.authority import open_authority
from authn.service.wiring import open_transparency_log
from tests.conftest import ROOT
from tests.doubles.photos import photo
from tests.doubles.witnesses import ASSAY, policy_text, witness_process
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.slow


def assay(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"ASSAY_HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, "-m", "authn", *arguments],
        capture_output=True, text=True, cwd=ROOT, env=environ, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


@contextmanager
def serving(home: Path, policy: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    environ |= {"ASSAY_HOME": str(home), "ASSAY_WITNESS_POLICY": str(policy), "ASSAY_HEURISTICS": "false"}
    environ |= {"ASSAY_WITNESS_INTERVAL_SECONDS": "1"}
    process = subprocess.Popen(
        [*ASSAY, "serve", "--port", "0", "--workers", "1"],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield line.split()[-1].rstrip("/") if line else "", process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE_S)


def fetched(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as e:
        with e:
            return ""


def size(note: str) -> int:
    return int(note.split("\n")[1]) if note else -1


def wait_until_witnessed(service: str) -> None:
    shown = f"{service}/log/witnessed"
    until(lambda: size(fetched(shown)) >= size(fetched(f"{service}/log/checkpoint")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    folder: Path
    policy: Path
    service: str

    @property
    def log_options(self) -> tuple[str, ...]:
        return ("--log-policy", str(self.policy))


@contextmanager
def witnessed_home(folder: Path) -> Iterator[Path]:
    """The policy for a home that has a log; both witnesses run as long as the block lasts."""
    settings = load_settings(environ={}, home=folder / "service")
    open_authority(settings)
    with closing(open_transparency_log(settings)) as log:
        key = str(log.verifier)
    with (
        witness_process(folder / "w1", "w1.example/w", key) as one,
        witness_process(folder / "w2", "w2.example/w", key) as two,
    ):
        text = policy_text(("one", one.key, one.url), ("two", two.key, two.url), quorum=2)
        (folder / "policy").write_text(f"log {key}\n{text}")
        yield folder / "policy"


def test_uploads_become_witnessed_and_a_restored_backup_is_stopped(tmp_path: Path) -> None:
    """One trip: its setup takes longer than all its steps."""
    with witnessed_home(tmp_path) as policy:
        with serving(tmp_path / "service", policy) as (url, _):
            place = Place(folder=tmp_path, policy=policy, service=url)
            camera = enrolled(place)
            an_upload_s_receipt_becomes_witnessed(place, camera)
            a_capture_is_bounded_from_below_by_the_witnesses(place, camera)
            a_third_person_s_monitor_finds_all_in_order(place, camera)
            shutil.copytree(tmp_path / "service", tmp_path / "backup")
            uploaded(place, camera, "d.jpg")
            wait_until_witnessed(url)
        shutil.rmtree(tmp_path / "service")
        shutil.copytree(tmp_path / "backup", tmp_path / "service")
        a_restored_backup_is_stopped_and_does_not_start_again(place)


def a_restored_backup_is_stopped_and_does_not_start_again(place: Place) -> None:
    with serving(place.folder / "service", place.policy) as (url, _):
        until(lambda: "has signed this log at" in fetched_problem(f"{url}/readyz"))
    with serving(place.folder / "service", place.policy) as (url, process):
        _, said = process.communicate(timeout=PATIENCE_S)
        assert (url, process.returncode) == ("", 4)
        assert "has signed this log at" in said
        assert "Traceback" not in said
    kept = (place.folder / "service" / "pki" / "log.halted").read_text()
    assert kept.count("\u2014 assay.local/log ") == 2


def fetched_problem(url: str) -> str:
    try:
        urllib.request.urlopen(url, timeout=PATIENCE_S).close()
    except urllib.error.HTTPError as e:
        with e:
            return str(e.read().decode())
    return ""


def enrolled(place: Place) -> Path:
    home = place.folder / "camera"
    token = (place.folder / "service" / "enrolment-token").read_text().strip()
    done = assay(home, "device", "enrol", "cam", "--service", place.service, "--token", token)
    assert done.returncode == 0, done.stderr
    wait_until_witnessed(place.service)
    return home


def uploaded(place: Place, camera: Path, name: str) -> None:
    file = place.folder / name
    file.write_bytes(photo())
    for command in (("sign", str(file)), ("upload", str(file))):
        done = assay(camera, *command)
        assert done.returncode == 0, done.stderr


def axes(place: Place, name: str) -> dict[str, dict[str, object]]:
    trust = ["--signer-roots", str(place.folder / "service" / "pki" / "device-root.pem")]
    trust += ["--tsa-roots", str(place.folder / "service" / "pki" / "tsa-root.pem"), *place.log_options]
    done = assay(
        place.folder / "reader", "verify", "--json", "--no-heuristics", *trust, str(place.folder / name)
    )
    found: dict[str, dict[str, object]] = json.loads(done.stdout)["cryptographic"]["axes"]
    return found


def codes(axis: dict[str, object]) -> list[str]:
    findings = axis["findings"]
    assert isinstance(findings, list)
    return [f["code"] for f in findings]


def an_upload_s_receipt_becomes_witnessed(place: Place, camera: Path) -> None:
    uploaded(place, camera, "a.jpg")
    assert "assay.log.unwitnessed" in codes(axes(place, "a.jpg")["log"])
    wait_until_witnessed(place.service)
    receipt = str(place.folder / "a.jpg.tlog-proof")
    done = assay(camera, "receipt", "refresh", "--log", f"{place.service}/log", *place.log_options, receipt)
    assert done.returncode == 0, done.stderr
    assert codes(axes(place, "a.jpg")["log"]) == ["assay.log.included", "assay.log.witnessed"]


def a_capture_is_bounded_from_below_by_the_witnesses(place: Place, camera: Path) -> None:
    assert assay(camera, "stamp").returncode == 0
    wait_until_witnessed(place.service)
    for name in ("b.jpg", "c.jpg"):  # stamping the first tells the device what the second commits to
        (place.folder / name).write_bytes(photo(seed=7))
        done = assay(camera, "sign", str(place.folder / name))
        assert done.returncode == 0, done.stderr
    found = axes(place, "c.jpg")["time"]
    assert found["outcome"] == "established"
    assert "assay.time.checkpoint" in codes(found)


def a_third_person_s_monitor_finds_all_in_order(place: Place, camera: Path) -> None:
    wait_until_witnessed(place.service)
    done = assay(
        place.folder / "reader", "log", "monitor", f"{place.service}/log", "--once", "--json",
        "--policy", str(place.policy), "--state", str(place.folder / "monitor"), "--grace", "0",
        "--watch", str(camera / "devices" / "cam"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["witnesses"] == ["w1.example/w", "w2.example/w"]
    kinds = [e["kind"] for e in events[1:]]
    assert kinds == ["tsa.changed", "policy.changed", "policy.changed", "certificate.issued"]
