"""A digest that fits shows nothing about what the signer left out of it."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import pytest

from authn.core.evidence import Axis, Outcome
from authn.core.media import media_of
from authn.core.report import Report
from authn.pki.roots import TrustRoots
from authn.provenance.engines import open_engines
from authn.provenance.left_out import bmff_left_out
from authn.provenance.reading import LEAVES_OUT, engine_outcome
from tests.doubles.bound import STORE_UUID, film_but, jpeg_but, jpeg_by_boxes
from tests.doubles.makers import film
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for

E, N, R = Outcome.ESTABLISHED, Outcome.NOT_EXAMINED, Outcome.REFUTED
AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
SCAN = b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0"


def examined(pki: TestPki, data: bytes, name: str) -> Report:
    return examiner_for(pki).examine(media_of(data, name), as_of=datetime.now(UTC))


def engines_establish(data: bytes, media_type: str) -> bool:
    answers = [e.read(data, media_type, AS_OF) for e in open_engines(TrustRoots())]
    return {engine_outcome(a, Axis.INTEGRITY) for a in answers} == {E}


def bound_in_part(pki: TestPki, kind: str) -> tuple[bytes, str]:
    leaf, data = pki.leaf(), photo()
    if kind == "pixels":
        return jpeg_but(leaf, data, (SCAN, 200)), "a.jpg"
    if kind == "everything behind a byte of the picture":
        tail = len(data) - data.rindex(SCAN) - len(SCAN)
        return jpeg_but(leaf, data, (SCAN, tail)), "a.jpg"
    if kind == "the scan as a box":
        return jpeg_by_boxes(leaf, data, "SOS"), "a.jpg"
    return film_but(leaf, film("a.mp4"), "/" + kind), "a.mp4"


@pytest.mark.parametrize(
    "kind", ["pixels", "everything behind a byte of the picture", "the scan as a box", "mdat", "moov"]
)
def test_a_binding_that_leaves_out_content_establishes_nothing_though_both_engines_are_content(
    pki: TestPki, kind: str
) -> None:
    data, name = bound_in_part(pki, kind)
    assert engines_establish(data, media_of(data, name).media_type)
    report = examined(pki, data, name)
    axis = report.cryptographic.axis(Axis.INTEGRITY)
    assert (axis.outcome, axis.findings[0].code) == (N, LEAVES_OUT)
    assert not any(s.value for s in report.statements if s.id == "assay.statement.signedAndUnchanged")
    assert not any("have not changed" in s.text for s in report.statements if s.value)


@pytest.mark.parametrize(("before", "behind"), [(0, 1), (0, 4), (0, 20), (0, 40), (13, 0), (18, 0), (18, 30)])
def test_the_bytes_beside_the_store_are_content_too(pki: TestPki, before: int, behind: int) -> None:
    """Directly behind it begin the tables that the picture is decoded by."""
    data = jpeg_but(pki.leaf(), photo(), before=before, behind=behind)
    assert engines_establish(data, "image/jpeg")
    axis = examined(pki, data, "a.jpg").cryptographic.axis(Axis.INTEGRITY)
    assert (axis.outcome, axis.findings[0].code) == (N, LEAVES_OUT)


def test_pixels_that_were_left_out_can_be_changed_by_anybody_and_the_report_does_not_deny_it(
    pki: TestPki,
) -> None:
    data, name = bound_in_part(pki, "pixels")
    at = data.rindex(SCAN) + len(SCAN) + 100
    changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert engines_establish(changed, "image/jpeg")
    assert examined(pki, changed, name).cryptographic.axis(Axis.INTEGRITY).outcome is N


def test_what_is_bound_is_still_refuted_beside_what_is_not(pki: TestPki) -> None:
    data, name = bound_in_part(pki, "pixels")
    changed = data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]
    assert examined(pki, changed, name).cryptographic.axis(Axis.INTEGRITY).outcome is R


def test_whole_bindings_of_our_own_making_are_established(pki: TestPki) -> None:
    """So that the cases above differ in what they leave out and in nothing else."""
    leaf = pki.leaf()
    whole = (
        (jpeg_but(leaf, photo()), "a.jpg"),
        (jpeg_by_boxes(leaf, photo()), "a.jpg"),
        (film_but(leaf, film("a.mp4")), "a.mp4"),
    )
    for data, name in whole:
        assert examined(pki, data, name).cryptographic.axis(Axis.INTEGRITY).outcome is E


def test_a_film_whose_tables_of_positions_are_not_bound_is_not_called_unchanged(
    pki: TestPki, suites: Path
) -> None:
    """The first list of exclusions leaves the positions out. Somebody without any key appends other samples
    in a box that is not bound either, and lets the table point there: every reader finds the digest right."""
    data = (suites / "c2pa/c2pa-rs-fixtures/video1.mp4").read_bytes()
    table = data.index(b"stco", data.index(b"mvhd")) + 12
    (first,) = struct.unpack_from(">I", data, table)
    samples = data[first : first + 60_000][::-1]
    merkle = cbor2.dumps({"uniqueId": 0, "localId": 0, "location": 0, "hashes": [samples]})
    body = STORE_UUID + bytes(4) + b"merkle\0" + merkle
    changed = bytearray(data + struct.pack(">I4s", 8 + len(body), b"uuid") + body)
    struct.pack_into(">I", changed, table, len(changed) - len(samples))
    for film_ in (data, bytes(changed)):
        found = examined(pki, film_, "a.mp4").cryptographic.axis(Axis.INTEGRITY)
        assert engines_establish(film_, "video/mp4")
        assert (found.outcome, found.findings[0].code) == (N, LEAVES_OUT)


STORE_ONLY = {"xpath": "/uuid", "data": [{"offset": 8, "value": STORE_UUID}]}


@pytest.mark.parametrize(
    ("exclusions", "merkle", "whole"),
    [
        ([STORE_ONLY, {"xpath": "/ftyp"}, {"xpath": "/mfra"}], None, True),
        ([STORE_ONLY, {"xpath": "/free"}, {"xpath": "/skip"}], None, True),
        ([STORE_ONLY, {"xpath": "/mdat"}], [{"uniqueId": 0}], True),
        ([STORE_ONLY, {"xpath": "/mdat"}], [], False),
        ([{"xpath": "/uuid"}], None, False),
        ([{"xpath": "/uuid", "data": [{"offset": 8, "value": bytes(16)}]}], None, False),
        ([STORE_ONLY, {"xpath": "/meta/iloc"}], None, False),
        ([STORE_ONLY, {"xpath": "/moov/trak/mdia/minf/stbl/co64"}], None, False),
        ([STORE_ONLY, {"xpath": "/meta"}], None, False),
        ([STORE_ONLY, "no map"], None, False),
        ([STORE_ONLY, {"xpath": ["/ftyp"]}], None, False),
    ],
)
def test_of_iso_media_only_boxes_without_content_may_be_left_out(
    exclusions: list[object], merkle: object, whole: bool
) -> None:
    assert (bmff_left_out({"exclusions": exclusions, "merkle": merkle}) == "") is whole


def test_the_detail_names_only_those_who_compared_the_bytes(pki: TestPki) -> None:
    axis = examined(pki, film_but(pki.leaf(), film("a.mp4")), "a.mp4").cryptographic.axis(Axis.INTEGRITY)
    assert axis.findings[-1].detail.endswith("c2pa-rs and encypher-c2pa agree")
