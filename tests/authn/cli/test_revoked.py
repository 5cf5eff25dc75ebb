"""A stolen camera, from its enrolment to the report: nothing good is said before the revocation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import ROOT
from tests.doubles.homes import open_home, signed_by

REVOCATION = "Revocation refuted: revoked at that time."
DEVICE = "Device refuted: a device that was revoked by then."
GOOD = "The holder of the key of cam1"


@dataclass(frozen=True)
class Stolen:
    """A home whose camera was revoked between two photos."""

    home: Path
    before: Path
    after: Path

    def assay(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "authn", *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={"ASSAY_HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def stolen(tmp_path_factory: pytest.TempPathFactory) -> Stolen:
    folder = tmp_path_factory.mktemp("stolen")
    home, key = open_home(folder / "home"), ec.generate_private_key(ec.SECP256R1())
    enrolled = home.enrol("cam1", key)
    found = Stolen(home=folder / "home", before=folder / "before.jpg", after=folder / "after.jpg")
    found.before.write_bytes(home.stamp(signed_by(key, enrolled, datetime.now(UTC), seed=1)))
    time.sleep(1.1)  # a time-stamp may count in whole seconds
    since = datetime.now(UTC).isoformat()
    time.sleep(1.1)
    found.after.write_bytes(home.stamp(signed_by(key, enrolled, datetime.now(UTC), seed=2)))
    well = found.assay("verify", "--no-heuristics", str(found.after))
    assert well.returncode == 0, well.stderr
    assert GOOD in well.stdout
    cause = ("--reason", "stolen", "--cause", "keyCompromise", "--invalid-since", since)
    done = found.assay("device", "revoke", "cam1", *cause)
    assert done.returncode == 0, done.stderr
    return found


def test_the_text_opens_with_the_revocation_and_says_nothing_good(stolen: Stolen) -> None:
    done = stolen.assay("verify", "--no-heuristics", str(stolen.after))
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    opening = text.partition(" UTC ")[2].partition("CRYPTOGRAPHIC EVIDENCE")[0]
    assert opening.startswith(f"{REVOCATION} {DEVICE} ")
    assert GOOD not in text
    assert "Nothing about this file is established" not in text


def test_programs_get_the_revocation_first_and_no_true_statement_beside_it(stolen: Stolen) -> None:
    done = stolen.assay("verify", "--json", "--no-heuristics", str(stolen.after))
    assert done.returncode == 1
    report = json.loads(done.stdout)
    first, second, *rest = report["statements"]
    assert (first["id"], first["text"]) == ("assay.statement.refuted.revocation", REVOCATION)
    assert (second["id"], second["text"]) == ("assay.statement.refuted.device", DEVICE)
    assert {s["value"] for s in rest} == {False}
    signed = next(s for s in rest if s["id"] == "assay.statement.signedAndUnchanged")
    assert signed["text"].startswith("Refuted: revocation, device.")
    assert report["cryptographic"]["axes"]["integrity"]["outcome"] == "established"


def test_the_page_has_the_revocation_for_its_head(stolen: Stolen, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = stolen.assay("verify", "--no-heuristics", "--html", str(page), str(stolen.after))
    assert done.returncode == 1
    html = unescape(page.read_text())
    (head,) = re.findall(r"<h1><bdi>(.*?)</bdi></h1>", html)
    assert head == f"{REVOCATION} {DEVICE}"
    assert GOOD not in html


def test_an_audit_puts_the_photo_before_a_person(stolen: Stolen, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for photo in (stolen.before, stolen.after):
        (photos / photo.name).write_bytes(photo.read_bytes())
    run = ("audit", "--no-heuristics", "--json", "--jobs", "1", "--out", str(tmp_path / "run"), str(photos))
    done = stolen.assay(*run, "--fail-on", "refuted")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["with_a_refuted_axis"] == 1
    page = (tmp_path / "run" / "summary.html").read_text()
    assert "Revocation: Revoked at that time" in page.partition("A person should look")[2]


def test_what_was_provably_signed_before_keeps_its_sentence(stolen: Stolen) -> None:
    done = stolen.assay("verify", "--no-heuristics", str(stolen.before))
    assert done.returncode == 0, done.stdout
    assert GOOD in done.stdout


def test_card_sentence_and_interval_name_the_same_time(stolen: Stolen) -> None:
    done = stolen.assay("verify", "--json", "--no-heuristics", str(stolen.before))
    report = json.loads(done.stdout)
    until = datetime.fromisoformat(report["cryptographic"]["interval"]["not_after"])
    assert not until.microsecond
    spoken = f"{until.day} {until:%b %Y, %H:%M:%S} UTC"
    text = " ".join(stolen.assay("verify", "--no-heuristics", str(stolen.before)).stdout.split())
    assert f"It was signed not after {spoken}, as a time-stamp authority" in text
    assert f"Not after: {spoken}" in text
    assert f"signed not after {spoken}, as a time-stamp authority of your list" in text
    assert (
        f"signed not after {spoken}, as" in report["cryptographic"]["axes"]["time"]["findings"][0]["detail"]
    )
