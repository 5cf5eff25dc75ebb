from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from authn.core.errors import AuthnError
from authn.core.evidence import HeuristicOutcome, Question
from authn.core.media import Media, media_of
from authn.sources.compression import CompressionSource
from detector.core.errors import DetectorError
from detector.forensics.compression import (
    MIN_SAMPLES,
    Comparison,
    Compression,
    compare,
    examine_compression,
    known_cameras,
)
from detector.pixels import exif
from detector.pixels.jpeg import parse_jpeg
from detector.pixels.quantisation import standard_table
from tests.detector.made import encoded, exif_block, jpeg_with, jpegs, photo_like

D70 = {exif.MAKE: "NIKON CORPORATION", exif.MODEL: "NIKON D70"}
S40 = {exif.MAKE: "Canon", exif.MODEL: "Canon PowerShot S40"}  # measured in two files
I9505 = {exif.MAKE: "SAMSUNG", exif.MODEL: "GT-I9505"}


def examine(data: bytes):
    (evidence,) = CompressionSource().examine(media_of(data, "a.jpg"))
    assert evidence.question is Question.EDITED
    assert evidence.llr is None
    return evidence


def claiming(tags: dict, **options) -> bytes:
    return jpeg_with((0xE1, b"Exif\0\0" + exif_block(tags)), pixels=photo_like(48, 64), **options)


def test_a_camera_file_saved_again_by_software_supports_edited_and_calls_it_innocent():
    evidence = examine(claiming(D70, quality=90))
    assert evidence.outcome is HeuristicOutcome.SUPPORTS
    assert "common and innocent" in evidence.reason
    assert "quality 90" in evidence.reason
    assert dict(evidence.findings[0].facts)["comparison"] == "software_tables"


def test_the_untouched_file_of_a_camera_supports_nothing(corpus_dir):
    for path in jpegs(corpus_dir / "camera" / "prnu_nikon_d70"):
        assert examine(path.read_bytes()).outcome is HeuristicOutcome.INCONCLUSIVE


def test_the_same_file_re_encoded_by_pillow_supports_edited(corpus_dir):
    path = jpegs(corpus_dir / "camera" / "prnu_nikon_d70")[0]
    with Image.open(path) as image:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=92, exif=image.info["exif"])
    assert examine(out.getvalue()).outcome is HeuristicOutcome.SUPPORTS


def test_a_camera_that_uses_the_software_tables_itself_is_inconclusive():
    evidence = examine(claiming(I9505, quality=77))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "itself uses" in evidence.reason


def test_tables_like_neither_the_camera_nor_software_are_inconclusive():
    own = [min(255, v + 1 + i % 3) for i, v in enumerate(standard_table(90))]
    assert examine(claiming(D70, qtables=[own, own])).outcome is HeuristicOutcome.INCONCLUSIVE


def test_a_camera_that_was_measured_in_few_files_is_no_reference():
    found = {k: c for k, c in known_cameras().items() if c.samples < MIN_SAMPLES and not c.uses_standard}
    assert len(found) > 40
    for camera in found.values():
        for adobe in (False, True):
            compared = compare(_tables(standard=not adobe, adobe=adobe), camera)
            assert compared is Comparison.FEW_SAMPLES
    evidence = examine(claiming(S40, quality=90))
    assert evidence.outcome is HeuristicOutcome.ABSTAIN
    assert "2 measured files" in evidence.reason
    assert f"fewer than {MIN_SAMPLES}" in evidence.reason


def test_the_reference_that_is_enough_shows_why_fewer_are_not(corpus_dir):
    """Each file of a Nikon D70 beside the others: one in five has tables that none of 21 others has."""
    files = jpegs(corpus_dir / "camera" / "prnu_nikon_d70")
    seen = [examine_compression(parse_jpeg(p.read_bytes())).tables_sha256 for p in files]
    alone = [t for t in seen if seen.count(t) == 1]
    assert len(seen) >= MIN_SAMPLES
    assert 0.15 < len(alone) / len(seen) < 0.25


def _tables(*, standard: bool, adobe: bool) -> Compression:
    return Compression(
        ijg_quality=90, standard=standard, luma_standard=standard, subsampling="4:2:0", progressive=False,
        tables_sha256="0" * 64, adobe=adobe, photoshop=False,
    )  # fmt: skip


def test_a_caption_in_photoshops_form_is_no_trace_of_saving_again():
    own = [min(255, v + 1 + i % 3) for i, v in enumerate(standard_table(90))]
    caption = (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x07\x1c\x02x\0\x02ab\0")
    data = jpeg_with(
        (0xE1, b"Exif\0\0" + exif_block(D70)), caption, pixels=photo_like(48, 64), qtables=[own, own]
    )
    assert examine(data).outcome is HeuristicOutcome.INCONCLUSIVE
    adobe = (0xEE, b"Adobe\0d\0\0\0\0\1")
    data = jpeg_with(
        (0xE1, b"Exif\0\0" + exif_block(D70)), adobe, pixels=photo_like(48, 64), qtables=[own, own]
    )
    assert examine(data).outcome is HeuristicOutcome.SUPPORTS


def test_stray_bytes_between_segments_do_not_cost_the_answer():
    data = claiming(D70, quality=90)
    at = data.index(b"\xff\xdb")
    assert examine(data[:at] + b"\0\0" + data[at:]).outcome is HeuristicOutcome.SUPPORTS


def test_a_table_that_cannot_be_read_is_named():
    data = claiming(D70, quality=90)
    at = data.index(b"\xff\xdb")
    broken = data[:at] + b"\xff\xdb\0\5\0\1\2" + data[data.index(b"\xff\xc0") :]
    media = Media(data=broken, sha256="0" * 64, media_type="image/jpeg", claimed_type=None, name="a")
    with pytest.raises(DetectorError, match="quantisation table is malformed"):
        CompressionSource().examine(media)


def test_an_unmeasured_camera_is_an_abstention():
    evidence = examine(claiming({exif.MAKE: "Acme", exif.MODEL: "One"}))
    assert evidence.outcome is HeuristicOutcome.ABSTAIN
    assert "not among those measured" in evidence.reason


def test_no_claimed_camera_is_an_abstention():
    assert examine(encoded(photo_like(48, 64))).outcome is HeuristicOutcome.ABSTAIN


def test_other_formats_are_not_applicable():
    evidence = examine(encoded(photo_like(48, 64), "PNG"))
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)


def test_a_hostile_camera_name_comes_out_short():
    evidence = examine(claiming({exif.MAKE: "x" * 3000, exif.MODEL: "\x1b]0;"}))
    assert len(evidence.reason) < 400


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_files_give_evidence_or_a_typed_error(data):
    raw = bytearray(claiming(D70))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(3, min(900, len(raw) - 1)))] = data.draw(st.integers(0, 255))
    try:
        evidence = examine(bytes(raw))
    except (DetectorError, AuthnError):
        return
    assert evidence.outcome is not HeuristicOutcome.AGAINST


@pytest.mark.parametrize("raw", [b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xe0\x00\x04ab\xff\xd9"])
def test_a_jpeg_without_tables_is_not_examined(raw):
    media = Media(data=raw, sha256="0" * 64, media_type="image/jpeg", claimed_type=None, name="a")
    with pytest.raises(DetectorError):
        CompressionSource().examine(media)
