"""What an earlier release signed verifies today: as of its day, and long after its certificate ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from authn.core.evidence import Axis, Outcome
from authn.core.media import open_media
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots, load_roots
from authn.policies.shelf import default_policy
from authn.provenance.engines import open_engines
from tests.conftest import ROOT

RELEASES = sorted((ROOT / "tests" / "vectors").glob("signed_by_*"))
FILES = [f for r in RELEASES for f in sorted(r.glob("*stamped.*"))]


def examiner(folder: Path) -> Examiner:
    roots = TrustRoots(
        signer=load_roots([folder / "signer-roots.pem"]), tsa=load_roots([folder / "tsa-roots.pem"])
    )
    return Examiner(roots=roots, engines=open_engines(roots), policy=default_policy())


def made_at(folder: Path) -> datetime:
    return datetime.fromisoformat((folder / "made-at.txt").read_text().strip())


def test_there_is_a_folder_for_this_release() -> None:
    assert len(FILES) >= 12


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_a_file_of_an_earlier_release_is_established_as_of_its_day(file: Path) -> None:
    as_of = made_at(file.parent) + timedelta(hours=1)
    proof = examiner(file.parent).examine(open_media(file), as_of=as_of).cryptographic
    for axis in (Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER, Axis.HISTORY):
        assert proof.axis(axis).outcome is Outcome.ESTABLISHED, axis


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_only_a_stamped_file_outlives_its_certificate(file: Path) -> None:
    as_of = made_at(file.parent) + timedelta(days=400)
    proof = examiner(file.parent).examine(open_media(file), as_of=as_of).cryptographic
    stamped = file.name.startswith("stamped")
    assert proof.axis(Axis.SIGNER).outcome is (Outcome.ESTABLISHED if stamped else Outcome.REFUTED)
