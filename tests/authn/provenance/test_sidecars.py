"""A manifest store beside the file: read by all three readers, told as what it is, and never mixed up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from authn.core.errors import MediaTooLarge, UnreadableMedia
from authn.core.evidence import Axis, CryptographicEvidence, Outcome
from authn.core.media import MAX_SIDECAR_BYTES, media_of, with_sidecar
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots
from tests.doubles.containers import unsigned
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import answers_on, evidence_on, sidecar_of, signed_photo

A, E, N, R = Outcome.ABSENT, Outcome.ESTABLISHED, Outcome.NOT_EXAMINED, Outcome.REFUTED


def proof(examiner: Examiner, data: bytes, sidecar: bytes) -> CryptographicEvidence:
    return examiner.examine(with_sidecar(media_of(data, "photo.jpg"), sidecar, "photo.c2pa")).cryptographic


def codes(found: CryptographicEvidence) -> list[str]:
    return [f.code for f in found.axis(Axis.CREDENTIAL).findings]


@pytest.mark.parametrize("kind", list(unsigned()))
def test_a_file_whose_manifest_lies_beside_it_is_established(
    kind: str, pki: TestPki, examiner: Examiner
) -> None:
    store, data = sidecar_of(pki.leaf(), unsigned()[kind], kind)
    found = proof(examiner, data, store)
    assert [found.axis(a).outcome for a in (Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER)] == [E, E, E]
    (told,) = (f for f in found.axis(Axis.CREDENTIAL).findings if f.code == "assay.credential.sidecar")
    assert told.facts == (("sha256", sha256(store).hexdigest()),)


def test_without_its_sidecar_the_file_has_no_credential(pki: TestPki, examiner: Examiner) -> None:
    _, data = sidecar_of(pki.leaf(), photo())
    assert examiner.examine(media_of(data, "photo.jpg")).cryptographic.axis(Axis.CREDENTIAL).outcome is A


def test_a_changed_file_is_refuted_and_the_report_says_that_the_manifest_lies_beside_it(
    pki: TestPki, examiner: Examiner
) -> None:
    store, data = sidecar_of(pki.leaf(), photo())
    found = proof(examiner, data[:-30] + bytes([data[-30] ^ 1]) + data[-29:], store)
    assert found.axis(Axis.INTEGRITY).outcome is R
    assert "assay.credential.sidecar" in codes(found)


@pytest.mark.parametrize("rubbish", [b"hello", bytes(500), photo()], ids=["text", "zeros", "a photo"])
def test_a_sidecar_that_is_no_store_accuses_nobody(rubbish: bytes, examiner: Examiner) -> None:
    found = proof(examiner, photo(), rubbish)
    assert found.axis(Axis.CREDENTIAL).outcome is N
    assert R not in {a.outcome for a in found.axes}
    assert "no manifest store" in found.axis(Axis.CREDENTIAL).findings[0].detail


def test_a_store_inside_the_file_goes_before_one_beside_it(pki: TestPki, examiner: Examiner) -> None:
    foreign, _ = sidecar_of(TestPki("Rogue").leaf(), photo("JPEG", 64, 64))
    found = proof(examiner, signed_photo(pki.leaf()), foreign)
    assert found.axis(Axis.INTEGRITY).outcome is E
    assert codes(found)[-1] == "assay.credential.sidecarNotRead"


def test_an_empty_or_endless_sidecar_is_refused() -> None:
    media = media_of(photo(), "photo.jpg")
    with pytest.raises(UnreadableMedia):
        with_sidecar(media, b"", "photo.c2pa")
    with pytest.raises(MediaTooLarge):
        with_sidecar(media, bytes(MAX_SIDECAR_BYTES + 1), "photo.c2pa")


@pytest.mark.parametrize("other", [0, 1])
def test_readers_of_different_manifests_are_not_added_up(other: int, pki: TestPki) -> None:
    """What two readers say of two manifests of one file would make one good report together."""
    roots = TrustRoots(signer=pki.device_roots, tsa=pki.tsa_roots)
    media, now = media_of(signed_photo(pki.leaf()), "photo.jpg"), datetime.now(UTC)
    answers = answers_on(media, now, roots)
    assert len({a.active for a in answers}) == 1
    answers[other] = replace(answers[other], active="urn:c2pa:another")
    found = evidence_on(media, answers, now, roots)
    assert found.axis(Axis.INTEGRITY).outcome is N
    assert found.axis(Axis.SIGNER).outcome is N
    assert "another manifest" in found.axis(Axis.INTEGRITY).findings[0].detail
