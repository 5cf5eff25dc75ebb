"""Refuted needs a store that was found: odd, broken and huge files without one are absent or not examined."""

from __future__ import annotations

from pathlib import Path

import pytest

from authn.core.errors import UnreadableMedia
from authn.core.evidence import Axis, Outcome
from authn.core.media import media_of, open_media
from authn.examine.examiner import Examiner
from tests.doubles.containers import app11, box, pages, tag, tiff, with_segments
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for, signed_photo

A, N, R = Outcome.ABSENT, Outcome.NOT_EXAMINED, Outcome.REFUTED


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return examiner_for(TestPki())


def outcomes(examiner: Examiner, data: bytes, name: str = "x") -> set[Outcome]:
    """A file of which nothing can be read at all is refused; that is "not examined" for all of it."""
    try:
        return {a.outcome for a in examiner.examine(media_of(data, name)).cryptographic.axes}
    except UnreadableMedia:
        return {N}


@pytest.mark.parametrize(
    ("name", "credential"),
    [
        ("scan_63_pages.tif", A),
        ("scan_64_pages.tif", A),
        ("scan_truncated.tif", N),
        ("jpegxt_three_boxes.jpg", A),
    ],
)
def test_an_unsigned_file_that_was_found_in_the_wild_is_not_accused(
    name: str, credential: Outcome, suites: Path, examiner: Examiner
) -> None:
    media = open_media(suites / "found/not-a-credential" / name)
    proof = examiner.examine(media).cryptographic
    assert proof.axis(Axis.CREDENTIAL).outcome is credential
    assert R not in {a.outcome for a in proof.axes}


def test_a_broken_file_that_only_speaks_of_c2pa_is_not_accused(examiner: Examiner) -> None:
    spoken = tiff(
        (tag(270, 2, 60, 40), 0x7FFFFFFF), after=b"signed with c2pa, jumb, jumd, Content Credentials"
    )
    broken = photo("GIF")[:300] + b"c2pa"
    for data in (spoken, broken + bytes(80)):
        assert R not in outcomes(examiner, data)


DOUBLED = with_segments(photo(), *[app11(1, 1, box(b"LCHK", bytes(9)))] * 2)


@pytest.mark.parametrize(
    "data",
    [pages(200), tiff((tag(256, 3, 1, 1), 8)), DOUBLED],
    ids=["200 pages", "a circle of directories", "a doubled piece"],
)
def test_an_odd_file_has_no_credential(data: bytes, examiner: Examiner) -> None:
    assert outcomes(examiner, data) <= {A, N}


def test_a_store_that_was_found_and_is_torn_is_still_refuted(examiner: Examiner) -> None:
    signed = signed_photo(TestPki().leaf())
    cut = signed[: signed.index(b"c2pa.signature") + 400]
    assert R in outcomes(examiner, cut)


def test_where_our_own_reader_gave_up_the_report_says_so(examiner: Examiner) -> None:
    finding = (
        examiner.examine(media_of(photo("PNG")[:500], "a.png"))
        .cryptographic.axis(Axis.CREDENTIAL)
        .findings[0]
    )
    assert (finding.code, finding.outcome) == ("assay.credential.unreadable", N)
    assert "the PNG ends before its last chunk" in finding.detail


@pytest.mark.parametrize("name", ["float_rgb.tif", "gainmap_gammazero_libavif.avif", "two_page.tif"])
def test_a_picture_that_no_decoder_reads_still_gets_a_report(
    name: str, suites: Path, examiner: Examiner
) -> None:
    report = examiner.examine(open_media(suites / "found/containers" / name))
    assert report.cryptographic.axis(Axis.CREDENTIAL).outcome is A


def test_a_float_picture_that_was_signed_is_verified(suites: Path) -> None:
    pki = TestPki()
    data = (suites / "found/containers/float_rgb.tif").read_bytes()
    signed = signed_photo(pki.leaf(), data=data, media_type="image/tiff")
    proof = examiner_for(pki).examine(media_of(signed, "float.tif")).cryptographic
    assert proof.axis(Axis.INTEGRITY).outcome is Outcome.ESTABLISHED
