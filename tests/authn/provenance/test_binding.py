"""Our own reading of the bytes: what it computes agrees with the engines, what it cannot it leaves open."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import pytest

from authn.core.evidence import Axis, AxisEvidence, Outcome
from authn.core.media import Media, media_of, open_media
from authn.pki.roots import TrustRoots
from authn.provenance.answers import EngineState
from authn.provenance.binding import Differs, Open, bound, own_answer
from authn.provenance.box_map import STORE, NoMap, box_map
from authn.provenance.engines import open_engines
from authn.provenance.own import read_own
from authn.provenance.reading import engine_outcome
from signer.proof.container import manifest_spans
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import answers_on, evidence_on, examiner_for, media, signed_photo

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
E, R, N = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.NOT_EXAMINED
KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff"}


def ours(found: Media) -> Outcome:
    return engine_outcome(own_answer(found, read_own(found)), Axis.INTEGRITY)


def our_codes(found: Media) -> list[str]:
    return [c.code for c in own_answer(found, read_own(found)).failures()]


def integrity(pki: TestPki, found: Media) -> AxisEvidence:
    return examiner_for(pki).examine(found, as_of=AS_OF).cryptographic.axis(Axis.INTEGRITY)


def counted_from(first: int, data: bytes) -> bytes:
    """The same JPEG with the packet numbers of its APP11 segments counted from there."""
    out, at, number = bytearray(data), 2, first
    while at + 4 < len(data) and data[at + 1] != 0xDA:
        if data[at + 1] == 0xEB and data[at + 4 : at + 6] == b"JP":
            out[at + 8 : at + 12] = struct.pack(">I", number)
            number += 1
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return bytes(out)


def with_flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("kind", KINDS)
def test_an_untouched_photo_fits_and_a_changed_byte_does_not(pki: TestPki, kind: str) -> None:
    data = signed_photo(pki.leaf(), data=photo(kind), media_type=KINDS[kind])
    assert ours(media(data)) is E
    span = manifest_spans(data, KINDS[kind])
    outside = [
        at for at in range(48, len(data), 97) if not any(s.start - 32 <= at < s.end + 32 for s in span)
    ]
    for at in (outside[0], outside[-1]):
        assert our_codes(media(with_flipped(data, at))) == ["assertion.dataHash.mismatch"]
    assert our_codes(media(data + b"\0")) == ["assertion.dataHash.mismatch"]


def test_a_changed_assertion_is_not_the_one_that_was_signed(pki: TestPki) -> None:
    data = signed_photo(pki.leaf())
    changed = data.replace(b"digitalCapture", b"digitalCapturE")
    assert changed != data
    assert our_codes(media(changed)) == ["assertion.hashedURI.mismatch"]


def test_our_reading_says_nothing_that_an_engine_contradicts(suites: Path) -> None:
    """Over all public files that carry a credential: no digest differs for us that fits for an engine."""
    roots = TrustRoots()
    engines = open_engines(roots)
    seen = {E: 0, R: 0, N: 0}
    for path in sorted(
        p for p in (suites / "c2pa").rglob("*") if p.suffix in (".jpg", ".jpeg", ".mp4", ".png")
    ):
        found = open_media(path)
        own = ours(found)
        seen[own] += 1
        said = {engine_outcome(e.read(found.data, found.media_type, AS_OF), Axis.INTEGRITY) for e in engines}
        assert own is N or said == {own}, (path.name, own, said)
    assert seen[E] >= 35
    assert seen[R] >= 8


def test_ranges_that_leave_out_more_than_the_store_are_not_taken_for_a_binding(suites: Path) -> None:
    folder = suites / "c2pa/public-testfiles/image/jpeg"
    found = open_media(folder / "truepic-20230212-camera.jpg")
    answer = own_answer(found, read_own(found))
    assert engine_outcome(answer, Axis.INTEGRITY) is N
    assert "more than the manifest store" in answer.detail


def test_a_form_from_before_the_first_specification_refutes_nothing(suites: Path) -> None:
    assert ours(open_media(suites / "c2pa/c2pa-rs-fixtures/prerelease.jpg")) is N


def test_a_credential_that_one_engine_cannot_find_is_established_by_the_other_and_us(suites: Path) -> None:
    report = (
        examiner_for(TestPki())
        .examine(open_media(suites / "found/signers/Designer.jpeg"), as_of=AS_OF)
        .cryptographic
    )
    assert report.axis(Axis.CREDENTIAL).outcome is E
    axis = report.axis(Axis.INTEGRITY)
    assert axis.outcome is E
    silent = next(f for f in axis.findings if f.code == "assay.engines.abstention")
    assert "encypher-c2pa" in silent.detail
    assert "c2pa-rs and our own check agree" in axis.findings[-1].detail


@pytest.mark.parametrize("at", [-3, -700, 3000])
def test_and_a_changed_byte_of_it_is_refuted_all_the_same(suites: Path, at: int) -> None:
    data = (suites / "found/signers/Designer.jpeg").read_bytes()
    where = len(data) + at if at < 0 else data.index(b"\xff\xda") + at
    assert integrity(TestPki(), media_of(with_flipped(data, where), "a.jpg")).outcome is R


def test_nothing_is_won_by_making_an_engine_blind(pki: TestPki) -> None:
    blind = counted_from(0, signed_photo(pki.leaf()))
    answers = [e.read(blind, "image/jpeg", AS_OF) for e in open_engines(TrustRoots())]
    assert [a.state for a in answers] == [EngineState.READ, EngineState.NO_MANIFEST]
    assert integrity(pki, media(blind)).outcome is E
    assert integrity(pki, media(with_flipped(blind, len(blind) - 40))).outcome is R
    assert integrity(pki, media(blind + b"appended")).outcome is R


def test_one_reading_alone_establishes_nothing(pki: TestPki, suites: Path) -> None:
    """A binding that we do not compute, and an engine that read nothing."""
    found = open_media(suites / "c2pa/c2pa-rs-fixtures/video1.mp4")
    answers = answers_on(found, AS_OF)
    for blind in (0, 1):
        heard = [
            replace(a, state=EngineState.NO_MANIFEST) if i == blind else a for i, a in enumerate(answers)
        ]
        evidence = evidence_on(found, heard, AS_OF)
        assert evidence.axis(Axis.INTEGRITY).outcome is N
        assert evidence.axis(Axis.CREDENTIAL).outcome is E


def test_a_store_that_neither_engine_finds_is_not_examined_and_not_accused(pki: TestPki) -> None:
    found = media(signed_photo(pki.leaf()))
    answers = answers_on(found, AS_OF)
    blind = [replace(a, state=EngineState.NO_MANIFEST) for a in answers]
    evidence = evidence_on(found, blind, AS_OF)
    assert evidence.axis(Axis.CREDENTIAL).outcome is N
    assert evidence.axis(Axis.INTEGRITY).outcome is N


ODD = ([], {}, 0, -1, 2**70, "", "sha1", b"", None, [[]], {"url": []}, float("nan"), [1, "C2PA"])


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_values_under_a_signature_that_holds_end_in_an_answer(
    pki: TestPki, suites: Path, odd: object
) -> None:
    """Whoever has a key can sign any claim."""
    for found in (media(signed_photo(pki.leaf())), open_media(suites / "found/signers/Designer.jpeg")):
        own = read_own(found)
        claim = cbor2.loads(own.claim)
        key = next(k for k in ("assertions", "created_assertions") if k in claim)
        first = claim[key][0]
        changed = [{**claim, key: odd}, {**claim, "alg": odd, key: [{**first, "alg": odd}]}]
        fields = ("url", "hash", "alg")
        changed += [{**claim, key: [{**first, field: odd}, *claim[key][1:]]} for field in fields]
        for document in changed:
            answer = own_answer(found, replace(own, claim=cbor2.dumps(document)))
            assert engine_outcome(answer, Axis.INTEGRITY) is not R or answer.failures()
        boxes = own.manifest
        assert boxes is not None
        binding = next(a for a in boxes.assertions if a.label.startswith("c2pa.hash."))
        content = cbor2.loads(binding.content.of(own.store)) if binding.content else {}
        spans = manifest_spans(found.data, found.media_type)
        for field in content:
            with suppress(Open, Differs):
                bound(binding.label, {**content, field: odd}, "sha256", found, spans)
            nested = {**content, field: [odd, {"start": odd, "length": odd, "names": odd, "hash": odd}]}
            with suppress(Open, Differs):
                bound(binding.label, nested, "sha256", found, spans)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"tail",
        lambda data: data[:-2],
        lambda data: data.replace(b"\xff\xdb", b"\xff\x02", 1),
        lambda data: data[:2] + b"\0" + data[2:],
        lambda data: b"",
    ],
    ids=["bytes behind the end", "no end", "unknown segment", "a byte between", "nothing"],
)
def test_every_byte_of_a_picture_belongs_to_a_part_or_there_is_no_map(
    change: Callable[[bytes], bytes],
) -> None:
    whole = photo()
    parts = box_map(whole, "image/jpeg", ())
    assert [p.name for p in parts][:2] == ["SOI", "APP0"]
    assert parts[-1].name == "EOI"
    assert b"".join(p.span.of(whole) for p in parts) == whole
    try:
        changed = box_map(change(whole), "image/jpeg", ())
    except NoMap:
        return
    assert b"".join(p.span.of(change(whole)) for p in changed) == change(whole)


def test_the_parts_of_a_png_are_its_chunks_and_the_store_is_one_of_them(pki: TestPki) -> None:
    data = signed_photo(pki.leaf(), data=photo("PNG"), media_type="image/png")
    parts = box_map(data, "image/png", manifest_spans(data, "image/png"))
    names = [p.name for p in parts]
    assert names[:2] == ["PNGh", "IHDR"]
    assert names.count(STORE) == 1
    assert b"".join(p.span.of(data) for p in parts) == data
