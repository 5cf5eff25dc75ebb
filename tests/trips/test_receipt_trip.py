"""Trip one to its end: enrol, sign, stamp, upload, and a receipt that anybody verifies offline."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from authn.demo.service import fetch, running_service
from signer.freshness import newest_checkpoint
from tests.conftest import ROOT
from tests.doubles import makers
from tests.doubles.photos import photo

pytestmark = pytest.mark.slow


def assay(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "authn", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"ASSAY_HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environ},
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("receipt")
    with running_service(folder / "service", folder / "service.log") as address:
        yield address, folder


@pytest.fixture(scope="module")
def camera(service: tuple[str, Path]) -> Path:
    """The home of an enrolled device, with a photo that is signed, stamped and uploaded."""
    address, folder = service
    home = folder / "camera"
    token = (folder / "service" / "enrolment-token").read_text().strip()
    (folder / "a.jpg").write_bytes(photo())
    for arguments in (
        ("device", "enrol", "cam", "--service", address, "--token", token),
        ("sign", str(folder / "a.jpg")),
        ("upload", str(folder / "a.jpg")),
    ):
        done = assay(home, *arguments)
        assert done.returncode == 0, done.stderr
    return home


def report(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, object]]:
    axes: dict[str, dict[str, object]] = json.loads(done.stdout)["cryptographic"]["axes"]
    return axes


def codes(axis: dict[str, object]) -> list[str]:
    findings = axis["findings"]
    assert isinstance(findings, list)
    return [f["code"] for f in findings]


def test_a_stranger_verifies_file_and_receipt_with_the_log_s_key_alone(
    service: tuple[str, Path], camera: Path
) -> None:
    _, folder = service
    key = (camera / "devices" / "cam" / "log.vkey").read_text().strip()
    done = assay(
        folder / "stranger", "verify", "--json", "--no-heuristics", "--log-key", key, str(folder / "a.jpg")
    )
    log = report(done)["log"]
    assert log["outcome"] == "established"
    assert codes(log) == ["assay.log.included", "assay.log.unwitnessed"]


def test_without_a_key_the_receipt_is_not_examined(service: tuple[str, Path], camera: Path) -> None:
    _, folder = service
    done = assay(folder / "stranger", "verify", "--json", "--no-heuristics", str(folder / "a.jpg"))
    assert report(done)["log"]["outcome"] == "not_examined"


def test_a_receipt_of_another_photo_is_refuted(service: tuple[str, Path], camera: Path) -> None:
    _, folder = service
    (folder / "b.jpg").write_bytes(photo(seed=5))
    assert assay(camera, "sign", str(folder / "b.jpg")).returncode == 0
    receipt = ("--receipt", str(folder / "a.jpg.tlog-proof"))
    done = assay(folder / "service", "verify", "--json", "--no-heuristics", *receipt, str(folder / "b.jpg"))
    assert done.returncode == 1
    assert codes(report(done)["log"]) == ["assay.log.receiptRefused"]


def test_a_receipt_with_a_changed_byte_is_refuted(service: tuple[str, Path], camera: Path) -> None:
    _, folder = service
    text = (folder / "a.jpg.tlog-proof").read_text()
    bad = folder / "bad.tlog-proof"
    bad.write_text(re.sub(r"^index \d+$", "index 0", text, count=1, flags=re.MULTILINE))
    assert bad.read_text() != text
    done = assay(
        folder / "service",
        "verify",
        "--json",
        "--no-heuristics",
        "--receipt",
        str(bad),
        str(folder / "a.jpg"),
    )
    assert report(done)["log"]["outcome"] == "refuted"


def test_what_is_not_established_is_refused_and_not_logged(service: tuple[str, Path], camera: Path) -> None:
    address, folder = service
    before = fetch(f"{address}/log/checkpoint")
    (folder / "plain.jpg").write_bytes(photo(seed=9))
    done = assay(camera, "upload", str(folder / "plain.jpg"))
    assert done.returncode == 3
    assert "credential is absent" in done.stderr
    assert not (folder / "plain.jpg.tlog-proof").exists()
    assert fetch(f"{address}/log/checkpoint") == before


def test_files_that_cannot_be_logged_cost_themselves_and_never_the_run(
    service: tuple[str, Path], camera: Path
) -> None:
    _, folder = service
    (folder / "good.tif").write_bytes(makers.PHOTOS["two_pages.tif"]())
    assert assay(camera, "sign", str(folder / "good.tif")).returncode == 0
    bad = {"text.jpg": b"no photo", "cut.jpg": photo()[:-300], "unsigned.png": photo("PNG"), "none.tif": b""}
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    done = assay(camera, "upload", *(str(folder / name) for name in (*bad, "absent.jpg", "good.tif")))
    assert done.returncode == 3
    assert done.stdout == f"logged {folder / 'good.tif'}\n"
    refused = [Path(line.split(": ")[1]).name for line in done.stderr.splitlines()]
    assert refused == [*bad, "absent.jpg"]
    assert "Traceback" not in done.stderr


def test_a_receipt_that_cannot_be_kept_is_said_in_one_sentence(
    service: tuple[str, Path], camera: Path
) -> None:
    _, folder = service
    photo_file = folder / ("n" * 245 + ".jpg")  # with the receipt's suffix the name is too long for a file
    photo_file.write_bytes((folder / "a.jpg").read_bytes())
    done = assay(camera, "upload", str(photo_file))
    assert done.returncode == 4
    assert "no receipt kept" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_next_capture_commits_to_the_service_s_newest_checkpoint(
    service: tuple[str, Path], camera: Path
) -> None:
    _, folder = service
    assert assay(camera, "stamp").returncode == 0
    (folder / "c.jpg").write_bytes(photo(seed=7))
    known = newest_checkpoint(camera / "devices" / "cam")
    assert known.startswith("assay.local/log\n")
    assert assay(camera, "sign", "--no-stamp", str(folder / "c.jpg")).returncode == 0
    done = assay(folder / "service", "verify", "--json", "--no-heuristics", str(folder / "c.jpg"))
    claims = json.loads(done.stdout)["cryptographic"]["claims"]
    assert any(c["label"] == "device" and "assay.local/log" in c["statement"] for c in claims)


def test_a_device_judges_its_own_photo_by_what_its_service_gave_it(
    service: tuple[str, Path], camera: Path
) -> None:
    address, folder = service
    done = assay(camera, "verify", "--json", "--no-heuristics", str(folder / "a.jpg"))
    axes = report(done)
    assert done.returncode == 0
    established = ("credential", "integrity", "signer", "time", "log")
    assert [a for a in established if axes[a]["outcome"] != "established"] == []
    assert axes["device"]["outcome"] == "not_examined"
    assert address in assay(camera, "device", "list").stdout
    assert not (camera / "assay.db").exists()
    checked = assay(camera, "receipt", "verify", str(folder / "a.jpg.tlog-proof"))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_log_key_beside_a_receipt_is_used_and_named(service: tuple[str, Path], camera: Path) -> None:
    _, folder = service
    (apart := folder / "apart").mkdir()
    for name in ("a.jpg", "a.jpg.tlog-proof"):
        (apart / name).write_bytes((folder / name).read_bytes())
    receipt, key = apart / "a.jpg.tlog-proof", (camera / "devices" / "cam" / "log.vkey").read_text()
    assert assay(folder / "stranger", "receipt", "verify", str(receipt)).returncode == 2
    (apart / "log.vkey").write_text(key)
    done = assay(folder / "stranger", "receipt", "verify", str(receipt))
    assert done.returncode == 0, done.stderr
    assert key.strip() in done.stderr
    assert "can have made both" in done.stderr
    (apart / "log.vkey").write_text("no key\n")
    assert assay(folder / "stranger", "receipt", "verify", str(receipt)).returncode == 4


def test_a_device_of_the_service_s_own_home_uploads_to_that_service(service: tuple[str, Path]) -> None:
    address, folder = service
    home = folder / "service"
    (folder / "own.jpg").write_bytes(photo(seed=11))
    assert assay(home, "device", "enrol", "own").returncode == 0
    assert assay(home, "sign", "--device", "own", str(folder / "own.jpg")).returncode == 0
    port = {"ASSAY_PORT": address.rpartition(":")[2]}
    done = assay(home, "upload", "--device", "own", str(folder / "own.jpg"), **port)
    assert done.returncode == 0, done.stderr
    assert (folder / "own.jpg.tlog-proof").exists()
