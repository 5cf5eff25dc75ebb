"""Signed in every container that the engines read: established untouched, refuted damaged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.core.evidence import Axis, CryptographicEvidence, Outcome
from authn.core.media import media_of, open_media, sniff
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots, load_roots
from authn.policies.shelf import default_policy
from authn.provenance.engines import open_engines
from tests.doubles.containers import unsigned
from tests.doubles.pki import TestPki
from tests.doubles.signed import signed_photo

A, E, R = Outcome.ABSENT, Outcome.ESTABLISHED, Outcome.REFUTED
KINDS = tuple(unsigned())
OWN = {"image/svg+xml": b'width="5', "application/pdf": b"q 96.000000 0 0 64"}
FOUND = ("fmt_mp3.mp3", "fmt_svg.svg", "fmt_pdf.pdf")


@pytest.fixture(scope="module")
def signed(pki: TestPki) -> dict[str, bytes]:
    leaf = pki.leaf()
    return {kind: signed_photo(leaf, data=data, media_type=kind) for kind, data in unsigned().items()}


def proof(examiner: Examiner, data: bytes) -> CryptographicEvidence:
    return examiner.examine(media_of(data, "x")).cryptographic


@pytest.mark.parametrize("kind", KINDS)
def test_an_unsigned_file_is_known_by_its_bytes_and_has_no_credential(kind: str, examiner: Examiner) -> None:
    data = unsigned()[kind]
    assert sniff(data) == kind
    assert proof(examiner, data).axis(Axis.CREDENTIAL).outcome is A


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_file_is_established(kind: str, signed: dict[str, bytes], examiner: Examiner) -> None:
    found = proof(examiner, signed[kind])
    assert [found.axis(a).outcome for a in (Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER)] == [E, E, E]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_file_with_a_changed_byte_is_refuted(
    kind: str, signed: dict[str, bytes], examiner: Examiner
) -> None:
    """In what was there before it was signed, and is no structure of the container."""
    before, data = unsigned()[kind], signed[kind]
    own = OWN.get(kind, before[-40:-20])
    at = data.rindex(own) + len(own) - 1
    hurt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert proof(examiner, hurt).axis(Axis.INTEGRITY).outcome is R


@pytest.fixture(scope="module")
def of_the_found(suites: Path) -> Examiner:
    roots = TrustRoots(signer=load_roots([suites / "found/signers/root.pem"]), tsa=())
    return Examiner(roots=roots, engines=open_engines(roots), policy=default_policy())


@pytest.mark.parametrize("name", FOUND)
def test_a_sound_a_drawing_and_a_document_that_were_signed_elsewhere_are_established(
    name: str, suites: Path, of_the_found: Examiner
) -> None:
    report = of_the_found.examine(open_media(suites / "found/containers" / name), as_of=datetime.now(UTC))
    assert report.cryptographic.axis(Axis.CREDENTIAL).outcome is E
    assert report.cryptographic.axis(Axis.INTEGRITY).outcome is E


@pytest.mark.parametrize(
    ("name", "at"),
    [
        *((name, at) for name in ("fmt_mp3.mp3", "fmt_svg.svg") for at in (-40, -400, -1500)),
        *(("fmt_pdf.pdf", at) for at in (300, 4000, 8000, -400)),
    ],
)
def test_a_sound_a_drawing_and_a_document_that_were_damaged_are_refuted(
    name: str, at: int, suites: Path, of_the_found: Examiner
) -> None:
    data = bytearray((suites / "found/containers" / name).read_bytes())
    data[at] ^= 1
    axes = of_the_found.examine(media_of(bytes(data), name)).cryptographic.axes
    assert R in {a.outcome for a in axes}
