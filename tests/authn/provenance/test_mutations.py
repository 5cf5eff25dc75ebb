"""Flip every class of byte of a signed file: no exception, and nothing covered stays established."""

from __future__ import annotations

import random

import pytest

from authn.core.errors import MediaError
from authn.core.evidence import Axis, Outcome
from authn.examine.examiner import Examiner
from signer.proof.container import manifest_spans, read_manifest
from signer.proof.jumbf import active_manifest
from tests.doubles.pki import TestPki
from tests.doubles.signed import media, signed_photo, stamped_photo

ROUNDS = 60


@pytest.fixture(scope="module")
def signed(pki: TestPki) -> bytes:
    return stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())


def flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def regions(signed: bytes) -> dict[str, range]:
    store = read_manifest(signed, "image/jpeg")
    assert store is not None
    (span,) = manifest_spans(signed, "image/jpeg")
    boxes = active_manifest(store)
    return {
        "claim": range(span.start + boxes.claim.start, span.start + boxes.claim.end),
        "signature": range(span.start + boxes.signature.start, span.start + boxes.signature.start + 1800),
        "scan data": range(span.end + 700, len(signed) - 2),
        "anything": range(len(signed)),
    }


@pytest.mark.parametrize("region", ["claim", "scan data"])
def test_no_flipped_bit_that_is_covered_stays_established(
    region: str, signed: bytes, examiner: Examiner
) -> None:
    draw = random.Random(region)
    for _ in range(ROUNDS):
        at, bit = draw.choice(regions(signed)[region]), draw.randrange(8)
        proof = examiner.examine(media(flipped(signed, at, bit))).cryptographic
        assert proof.axis(Axis.INTEGRITY).outcome is Outcome.REFUTED, (at, bit)


@pytest.mark.parametrize("region", ["signature", "anything"])
def test_no_flipped_bit_raises_anything_but_a_typed_refusal(
    region: str, signed: bytes, examiner: Examiner
) -> None:
    draw = random.Random(region)
    for _ in range(2 * ROUNDS):
        at, bit = draw.choice(regions(signed)[region]), draw.randrange(8)
        try:
            examiner.examine(media(flipped(signed, at, bit)))
        except MediaError:
            assert at < 4096, "only a broken header makes a file unreadable"


def test_no_cut_raises_anything_but_a_typed_refusal(signed: bytes, examiner: Examiner) -> None:
    for size in range(1, len(signed), 211):
        try:
            proof = examiner.examine(media(signed[:size])).cryptographic
        except MediaError:
            continue
        assert proof.axis(Axis.INTEGRITY).outcome is not Outcome.ESTABLISHED, size
