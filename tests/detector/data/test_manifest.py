"""Manifests: what is read or refused, and in which line; what may be learned from, what is kept apart."""

from __future__ import annotations

import lzma
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from detector.core.errors import FileFailed, ManifestError
from detector.data import splits
from detector.data.families import apart_from, family_of
from detector.data.giveaways import telling_fields
from detector.data.kin import source_of
from detector.data.licences import TERMS, may_learn, terms_of
from detector.data.manifest import (
    COLUMNS,
    FAKE_KINDS,
    REAL_KINDS,
    SHIPPED,
    Row,
    dump_manifest,
    parse_manifest,
    read_manifest,
    shipped_manifest,
    write_manifest,
)
from detector.models.card import open_card
from tests.conftest import ROOT
from tests.detector.data.rows import row_of

ROWS = (
    row_of("a", note='said "so", twice', luminance_sum=None),
    row_of("b", fake=True, generator="FLUX.1", kind="t2i"),
)


@pytest.mark.parametrize("name", ["m.csv", "m.csv.xz"])
def test_what_is_written_is_read_again_and_the_same_rows_give_the_same_bytes(name, tmp_path):
    paths = [tmp_path / "one" / name, tmp_path / "two" / name]
    for path in paths:
        write_manifest(path, ROWS)
    assert read_manifest(paths[0]) == ROWS
    assert paths[0].read_bytes() == paths[1].read_bytes()


def changed(**values: str) -> str:
    """A manifest whose second picture has other values."""
    header, first, second = dump_manifest(ROWS).decode().splitlines()
    cells = dict(zip(COLUMNS, second.split(","), strict=True)) | values
    return "\n".join([header, first, ",".join(cells.values())])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"label": "maybe"}, "neither real nor fake"),
        ({"generator": ""}, "a fake names its generator"),
        ({"label": "real"}, "a real picture has none"),
        ({"kind": "../x"}, "no plain word"),
        ({"width": "0"}, "width is '0'"),
        ({"height": "-1"}, "height is '-1'"),
        ({"bytes": "²"}, "no number above zero"),
        ({"jpeg_lumq_sum": "x"}, "jpeg_lumq_sum is 'x'"),
        ({"sha256": "A" * 64}, "sha256 is no digest"),
        ({"sha256": "../" + "a" * 61}, "sha256 is no digest"),
        ({"dhash": "1"}, "dhash is no digest"),
        ({"source": " "}, "source is empty"),
        ({"licence": ""}, "licence is empty"),
        ({"sha256": ROWS[0].sha256}, "the picture of line 2 again"),
        ({"note": '"open'}, "unexpected end of data"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_line(values, says):
    with pytest.raises(ManifestError, match=rf"m\.csv, line 3: .*{says}") as refused:
        parse_manifest(changed(**values), "m.csv")
    assert refused.value.line == 3


def test_a_line_that_is_cut_short_is_refused():
    cut = dump_manifest(ROWS).decode().rsplit(",", 3)[0]
    with pytest.raises(ManifestError, match="line 3: dhash is missing"):
        parse_manifest(cut, "m.csv")


def test_columns_may_lie_in_any_order_and_others_are_passed_over():
    text = "view," + changed().replace("\n", "\nv,")
    assert parse_manifest(text, "m.csv") == ROWS


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"", "m.csv", "lacks the columns bytes, dhash"),
        (b"label\n\xff\n", "m.csv", "line 2: no UTF-8"),
        (b"no xz", "m.csv.xz", "does not unpack"),
        (lzma.compress(b"label")[:-9], "m.csv.xz", "is cut short"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(data, name, says, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ManifestError, match=says):
        read_manifest(tmp_path / name)


def test_a_packed_file_that_unpacks_to_more_than_a_manifest_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("detector.data.manifest.MAX_MANIFEST_BYTES", 1 << 24)
    path = tmp_path / "m.csv.xz"
    path.write_bytes(lzma.compress(b"\0" * ((1 << 24) + 1), preset=0))
    with pytest.raises(ManifestError, match="larger than a manifest may be"):
        read_manifest(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileFailed, match="No such file"):
        read_manifest(tmp_path / "none.csv")


def test_zeros_that_cameras_pad_names_with_are_no_part_of_a_note():
    text = changed(note="model=FC300S\0\0\0; x")
    assert parse_manifest(text, "m.csv")[1].note == "model=FC300S ; x"


@pytest.mark.parametrize(
    ("origin", "repository", "commit"),
    [
        ("github:a/b.c@0123456789ab", "a/b.c", "0123456789ab"),
        ("github:-x/b@0123456", "", ""),
        ("github:a/../b@0123456", "", ""),
        ("github:a/.git@0123456", "", ""),
        ("github:a/b@HEAD", "", ""),
        ("pypi:b", "", ""),
    ],
)
def test_only_a_plain_name_is_a_repository(origin, repository, commit):
    row = replace(ROWS[0], origin=origin)
    assert (row.repository, row.commit) == (repository, commit)


def test_what_a_collector_cut_out_or_made_can_be_brought_by_nobody():
    notes = (
        "frame 3 of 9, saved as PNG",
        "cut out of a/b.jpg (2)",
        "lossless crop of a sample grid",
        "AI-upscaled here with x",
    )
    assert all(replace(ROWS[0], note=n).made_here for n in notes)
    assert not replace(ROWS[0], note="cut-out photo with alpha").made_here


@pytest.fixture(scope="module")
def shipped() -> tuple[Row, ...]:
    return shipped_manifest()


def test_the_licence_of_every_picture_that_ships_was_read(shipped):
    unread = {r.licence for r in shipped} - {text for t in TERMS for text in t.licences}
    assert unread == set()


def test_no_text_stands_twice_in_the_table_and_every_group_has_a_reason():
    texts = [text for t in TERMS for text in t.licences]
    assert len(texts) == len(set(texts))
    assert all(t.why for t in TERMS)


def test_nothing_is_learned_from_pictures_of_authors_who_were_not_asked_nor_under_a_text_nobody_read():
    refused = ("MIT (repo); images from X authors", "CC BY-NC 4.0", "", "mit", "MIT ")
    assert not any(may_learn(text) for text in refused)
    assert may_learn("MIT")
    assert may_learn("CC BY-SA 4.0")
    assert terms_of("CC BY-NC 4.0") is None


def test_where_a_source_falls_never_changes():
    """The figures of every card rest on it."""
    sources = ("Kwai-Kolors/Kolors", "vladmandic/sdnext", "black-forest-labs/flux", "", "filipstrand/mflux")
    assert [splits.test_source(s) for s in sources] == [True, True, False, False, True]


def test_about_the_share_of_sources_that_was_decided_is_kept_for_the_test():
    kept = sum(splits.test_source(str(n)) for n in range(4000)) / 4000
    assert kept == pytest.approx(splits.TEST_SHARE, abs=0.02)


@pytest.mark.parametrize(
    ("label", "family"),
    [
        ("black-forest-labs/FLUX.1-dev", "flux"),
        ("FLUX.1-dev fp8 (2x2 grid of 512)", "flux"),
        ("gemini-2.5-flash-image (nano-banana)", "gemini/imagen"),
        ("StyleGAN-XL (ImageNet)", "stylegan"),
        ("PixArt-alpha/PixArt-XL-2-1024-MS", "pixart"),
        ("_zTest__\\\\animatrix_v20.safetensors", "stable diffusion 1/2"),
        ("realesrgan-x4plus x4 upscale of a real photo", "upscaler"),
        ("Somebody/New-Model", "somebody/new-model"),
        ("", ""),
    ],
)
def test_labels_of_one_generator_are_one_family_whoever_wrote_them(label, family):
    assert family_of(label) == family


def test_who_is_judged_was_seen_by_no_source_of_its_own_and_by_no_relative_of_its_generator():
    rows = (
        *ROWS,
        row_of("c", fake=True, generator="FLUX.2-dev", source="other"),
        row_of("d", fake=True, generator="Wan", source="other"),
        row_of("e", source="other"),
    )
    assert [r.sha256[0] for r in apart_from(rows, source="s", generator="FLUX.1")] == ["d", "e"]
    assert [r.sha256[0] for r in apart_from(rows, source="other")] == ["a", "b"]


def test_the_shipped_manifest_has_known_kinds_and_the_bytes_of_its_rows(shipped):
    rows = shipped
    assert len(rows) > 10_000
    assert {r.kind for r in rows if not r.fake} <= {"", *REAL_KINDS}
    assert {r.kind for r in rows if r.fake} <= {"", *FAKE_KINDS}
    assert lzma.decompress(SHIPPED.read_bytes()) == dump_manifest(rows)


def test_reading_a_manifest_loads_neither_torch_nor_opencv():
    program = "import sys, detector.data.manifest, detector.data.licences, detector.data.splits\n"
    program += "assert not {'torch', 'cv2', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])


def test_the_page_says_of_the_shipped_manifest_what_is_measured_on_it(shipped):
    page = (ROOT / "docs" / "laboratory.md").read_text(encoding="utf-8")
    assert f"{len(shipped):,} pictures" in page
    for told in telling_fields(shipped):
        assert f"| {told.field} | {told.by_picture:.3f} | {told.by_source:.3f} |" in page


def test_what_taught_the_weights_lies_in_the_rows_that_the_page_cuts_off(shipped):
    page = (ROOT / "docs" / "laboratory.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"head -n (\d+) > semantic-3\.csv", page)
    (last,) = re.findall(r"head -n (\d+) \| tail -n \+\d+\) > later\.csv", page)
    first, after = shipped[: int(lines) - 1], shipped[int(lines) - 1 : int(last) - 1]
    there = Counter((source_of(r), r.fake) for r in first if may_learn(r.licence))
    later = {source_of(r) for r in shipped[len(first) :]}
    sets = open_card("semantic-3").sets
    assert all(s.train <= there[s.name, s.fake] for s in sets)
    assert later.isdisjoint({s.name for s in sets if s.train})
    free = sum(may_learn(r.licence) for r in after)
    assert sum(s.calibration for s in sets) == free, "what came later vouches"
