"""A report can be repeated from its bundle, byte for byte, on another day, by somebody without our home."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from authn.core.errors import BundleError
from authn.examine.bundle import read_bundle
from tests.conftest import ROOT
from tests.doubles.logs import KEY
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, pem_of
from tests.doubles.receipts import receipt_of, witness
from tests.doubles.signed import signed_photo, stamped_photo
from tests.programs import require_program

LIMIT = 50_000_000


def assay(home: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-m", "authn", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"ASSAY_HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, pki = tmp_path_factory.mktemp("bundle"), TestPki()
    signed = signed_photo(pki.leaf())
    (folder / "signed.jpg").write_bytes(signed)
    (folder / "stamped.jpg").write_bytes(stamped_photo(signed, pki.tsa_leaf()))
    (folder / "plain.jpg").write_bytes(photo())
    (folder / "signer.pem").write_bytes(pem_of(*pki.device_roots))
    (folder / "tsa.pem").write_bytes(pem_of(*pki.tsa_roots))
    for name in ("signed", "stamped", "plain"):
        done = assay(
            folder / "home", "bundle", str(folder / f"{name}.jpg"), *roots(folder), "--no-heuristics"
        )
        assert done.returncode == 0, done.stderr
    return folder


def roots(folder: Path) -> tuple[str, ...]:
    return ("--signer-roots", str(folder / "signer.pem"), "--tsa-roots", str(folder / "tsa.pem"))


@pytest.mark.parametrize("name", ["signed", "stamped", "plain"])
def test_a_bundle_repeats_its_report_byte_for_byte_without_our_home(folder: Path, name: str) -> None:
    done = assay(folder / "elsewhere", "verify", "--bundle", str(folder / f"{name}.jpg.assay.zip"), "--json")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / f"{name}.jpg.assay.zip") as archive:
        assert done.stdout.encode() == archive.read("report.json") + b"\n"


@pytest.mark.parametrize("name", ["signed", "stamped"])
def test_a_bundle_repeats_its_report_after_the_certificates_have_expired(folder: Path, name: str) -> None:
    faketime = require_program("faketime")
    done = assay(
        folder / "elsewhere",
        "verify",
        "--bundle",
        str(folder / f"{name}.jpg.assay.zip"),
        prefix=(faketime, "-f", "+12y"),
    )
    assert done.returncode == 0, done.stderr
    assert "byte for byte" in done.stderr


def test_a_bundle_without_media_needs_the_file_it_is_about(folder: Path) -> None:
    out = folder / "thin.zip"
    options = ("--without-media", "--no-heuristics", "--out", str(out), *roots(folder))
    assert assay(folder / "home", "bundle", str(folder / "stamped.jpg"), *options).returncode == 0
    assert assay(folder / "home", "verify", "--bundle", str(out)).returncode == 3
    assert assay(folder / "home", "verify", "--bundle", str(out), str(folder / "plain.jpg")).returncode == 3
    assert assay(folder / "home", "verify", "--bundle", str(out), str(folder / "stamped.jpg")).returncode == 0


def test_a_name_that_is_no_text_is_carried_through_report_and_bundle(folder: Path) -> None:
    odd = folder / os.fsdecode(b"odd\xff.jpg")
    odd.write_bytes((folder / "stamped.jpg").read_bytes())
    out = ("--out", str(folder / "odd.zip"))
    done = assay(folder / "home", "bundle", str(odd), "--no-heuristics", *roots(folder), *out)
    assert done.returncode == 0, done.stderr
    assert assay(folder / "elsewhere", "verify", "--bundle", str(folder / "odd.zip")).returncode == 0
    reported = assay(folder / "home", "verify", "--json", "--no-heuristics", str(odd), *roots(folder))
    assert json.loads(reported.stdout)["subject"]["name"] == odd.name
    assert reported.stdout.isascii()


def test_an_existing_bundle_is_not_overwritten(folder: Path) -> None:
    before = (folder / "plain.jpg.assay.zip").read_bytes()
    assert assay(folder / "home", "bundle", str(folder / "plain.jpg")).returncode == 2
    assert (folder / "plain.jpg.assay.zip").read_bytes() == before


def test_equal_evidence_gives_equal_bundles(folder: Path) -> None:
    options = ("--no-heuristics", "--as-of", "2026-11-24T00:00:00Z", *roots(folder))
    for out in ("a.zip", "b.zip"):
        done = assay(
            folder / "home", "bundle", str(folder / "stamped.jpg"), "--out", str(folder / out), *options
        )
        assert done.returncode == 0, done.stderr
    assert (folder / "a.zip").read_bytes() == (folder / "b.zip").read_bytes()


def rezipped(folder: Path, change: dict[str, bytes | None]) -> bytes:
    with zipfile.ZipFile(folder / "stamped.jpg.assay.zip") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts.update({k: v for k, v in change.items() if v is not None})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            if change.get(name, b"") is not None:
                archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        {"report.json": b"{}"},
        {"media": b"other"},
        {"policy.toml": None},
        {"bundle.json": b"{}"},
        {"bundle.json": b"["},
        {"../evil": b"x"},
        {"device.json": b'{"devices":[{}]}'},
    ],
    ids=[
        "report changed",
        "media changed",
        "part missing",
        "empty list",
        "broken list",
        "foreign name",
        "device",
    ],
)
def test_a_bundle_that_was_changed_is_refused(folder: Path, change: dict[str, bytes | None]) -> None:
    with pytest.raises(BundleError):
        read_bundle(rezipped(folder, change), LIMIT)


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(18), b"no zip", b"PK\x03\x04" + bytes(60)])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        read_bundle(data, LIMIT)


def test_a_bomb_in_a_bundle_is_not_inflated(folder: Path) -> None:
    with pytest.raises(BundleError, match="too large"):
        read_bundle(rezipped(folder, {"report.json": bytes(60_000_000)}), LIMIT)


def test_a_report_that_cannot_be_repeated_names_what_differs(folder: Path) -> None:
    with zipfile.ZipFile(folder / "stamped.jpg.assay.zip") as archive:
        report = json.loads(archive.read("report.json"))
        listing = json.loads(archive.read("bundle.json"))
    report["tool"]["version"] = "0.0.1"
    import hashlib

    forged = json.dumps(report, sort_keys=True, separators=(",", ":")).encode()
    listing["parts"]["report.json"] = hashlib.sha256(forged).hexdigest()
    changed = {"report.json": forged, "bundle.json": json.dumps(listing).encode()}
    (folder / "differs.zip").write_bytes(rezipped(folder, changed))
    done = assay(folder / "home", "verify", "--bundle", str(folder / "differs.zip"))
    assert done.returncode == 1
    assert "/tool/version differs" in done.stderr


def test_a_bundle_keeps_the_policy_on_witnesses_and_repeats_with_it(folder: Path) -> None:
    w = witness("w.example/1")
    (folder / "logged.jpg").write_bytes((folder / "stamped.jpg").read_bytes())
    (folder / "logged.jpg.tlog-proof").write_text(receipt_of((folder / "logged.jpg").read_bytes(), [w]))
    (folder / "witnesses.txt").write_text(f"log {KEY.verifier}\nwitness w {w.verifier}\nquorum w\n")
    options = ("--log-policy", str(folder / "witnesses.txt"), *roots(folder), "--no-heuristics")
    assert assay(folder / "home", "bundle", str(folder / "logged.jpg"), *options).returncode == 0
    done = assay(folder / "elsewhere", "verify", "--bundle", str(folder / "logged.jpg.assay.zip"), "--json")
    assert done.returncode == 0, done.stderr
    assert "assay.log.witnessed" in done.stdout
