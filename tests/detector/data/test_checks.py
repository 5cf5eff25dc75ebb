"""What speaks against a corpus is found and named, and what does not is not."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import ManifestError, NotApplicable, OptionRefused
from detector.data import splits
from detector.data.adding import Said, add
from detector.data.bringing import Places, State, bring
from detector.data.checks import Concern, check, pictures_digest
from detector.data.giveaways import telling_fields
from detector.data.look_alikes import dhash, near_pairs, near_to
from detector.data.manifest import Row, read_manifest, write_manifest
from detector.data.sheets import COLUMNS, SIDE, Shown, thumbnail, write_index, write_sheets
from tests.detector.data.rows import row_of
from tests.detector.made import encoded, exif_block, jpeg_with, photo_like

OURS = Said(fake=False, source="Ann", licence="CC0-1.0", kind="photo")
THEIRS = Said(fake=True, source="Bob", licence="MIT", kind="t2i", generator="FLUX.1")
KEPT = next(s for s in map(str, range(100)) if splits.test_source(s))
LEARNED = [s for s in map(str, range(100)) if not splits.test_source(s)]


def picture(seed: int, side: int = 256) -> np.ndarray:
    """Blocks of chance: no two look alike."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blocks).resize((side + side // 8, side), Image.Resampling.BICUBIC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (made := tmp_path / "mine").mkdir()
    for n in range(3):
        (made / f"{n}.jpg").write_bytes(encoded(picture(n), quality=85))
    return made


def concerns(rows, folder=None) -> list[Concern]:
    return [f.concern for f in check(rows, folder).findings]


def many(n: int, **values: object) -> list[Row]:
    """Rows that have nothing in common but what is said."""
    rng = np.random.default_rng(n)
    return [
        replace(
            row_of("0"), sha256=rng.bytes(32).hex(), dhash=int.from_bytes(rng.bytes(8)),
            size=int(rng.integers(10_000, 90_000)), source=LEARNED[k % 20], **values,
        )
        for k in range(n)
    ]  # fmt: skip


FAKE = {"fake": True, "generator": "FLUX.1", "kind": "t2i"}


def test_a_clean_corpus_has_no_finding():
    assert concerns([*many(200), *many(201, **FAKE)]) == []


def test_a_picture_made_anew_that_is_kept_for_the_test_and_learned_from_is_a_leak():
    a, b = many(2)
    kept = replace(b, source=KEPT, origin="npm:x", dhash=a.dhash ^ 0b1111)
    (leak,) = check([a, kept]).findings
    assert (leak.concern, leak.pictures) == (Concern.LEAK, (a.sha256, kept.sha256))
    assert concerns([a, replace(b, dhash=a.dhash ^ 0b1111)]) == [Concern.TWICE]
    assert concerns([a, replace(b, dhash=a.dhash ^ 0b11111)]) == []


def test_a_fake_made_from_a_picture_of_the_same_source_is_no_picture_twice():
    a, b = many(2)
    made = replace(b, dhash=a.dhash, source=a.source, **FAKE)
    assert Concern.TWICE not in concerns([a, made])
    assert Concern.TWICE in concerns([a, replace(made, source=b.source)])


def test_one_repository_under_two_names_may_not_be_parted():
    a, b = many(2)
    where = "github:one/place@0123456"
    found = check([replace(a, origin=where), replace(b, origin=where, source=KEPT)]).findings
    assert [f.concern for f in found] == [Concern.LEAK]
    assert "one repository in two splits: one/place" in found[0].text


def test_one_package_in_two_versions_may_not_be_parted():
    names = [f"npm theme-{n}.0" for n in range(40)]
    rows = [replace(r, source=s, origin="npm:x") for r, s in zip(many(40), names, strict=True)]
    assert "one source but for spelling in two splits: npm theme" in check(rows).findings[0].text


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"format": "PNG", "luminance_sum": None}, "format"),
        ({"luminance_sum": 667}, "luminance table"),
        ({"width": 1024, "height": 1024}, "pixels"),
    ],
)
def test_a_field_that_tells_the_label_without_pixels_is_named(values, field):
    rows = [*many(200), *many(201, **FAKE, **values)]
    told = {t.field: t for t in telling_fields(rows)}
    assert told[field].by_picture > 0.95
    assert told[field].by_source > 0.95
    assert told["bytes"].by_picture < 0.6
    assert any(field in f.text for f in check(rows).findings if f.concern is Concern.FIELD)


def test_a_field_that_tells_sources_apart_tells_nothing_of_sources_left_out():
    """Every source has a table of its own; of a source that was not counted nothing is known."""

    def with_tables(rows: list[Row], first: int) -> list[Row]:
        return [
            replace(r, source=f"{first}-{k % 20}", luminance_sum=first + k % 20) for k, r in enumerate(rows)
        ]

    rows = [*with_tables(many(200), 1000), *with_tables(many(201, **FAKE), 3000)]
    table = next(t for t in telling_fields(rows) if t.field == "luminance table")
    assert table.by_picture > 0.95
    assert 0.2 < table.by_source < 0.8


def test_licences_that_nobody_read_and_kinds_that_nobody_knows_are_counted():
    rows = many(3)
    rows = [replace(rows[0], licence="CC BY-NC 4.0"), replace(rows[1], kind=""), replace(rows[2], kind="t2i")]
    assert concerns(rows) == [Concern.LICENCE, Concern.KIND, Concern.KIND]


def test_files_are_compared_with_the_manifest_and_contradictions_of_labels_are_doubts(folder, tmp_path):
    for n, exposed in enumerate(({34855: 100}, None)):  # a generator may write its own name there
        exif = b"Exif\0\0" + exif_block({271: "Canon", 272: "EOS"}, exposed)
        (folder / f"camera{n}.jpg").write_bytes(jpeg_with((0xE1, exif), pixels=picture(7 + 10 * n)))
    manifest = tmp_path / "m.csv"
    add(manifest, folder, THEIRS)
    out = tmp_path / "out"
    bring(read_manifest(manifest), out, Places(folders=(folder,)))
    found = check(read_manifest(manifest), out)
    assert found.files == 5
    assert [f.text for f in found.findings] == ["1 generated pictures name a camera"]
    marked = encoded(picture(8)) + b"<xmp>trainedAlgorithmicMedia</xmp>"
    (other := tmp_path / "other").mkdir()
    (other / "a.jpg").write_bytes(marked)
    rows = add(tmp_path / "n.csv", other, OURS).rows
    bring(rows, out, Places(folders=(other,)))
    assert concerns(rows, out) == [Concern.DOUBT]
    (out / rows[0].file).write_bytes(b"something else")
    assert concerns(rows, out) == [Concern.FILE]
    assert concerns([replace(rows[0], width=9)], tmp_path) == []


def test_pictures_of_ones_own_are_added_and_brought_from_where_they_lie(folder, tmp_path):
    manifest = tmp_path / "m.csv"
    found = add(manifest, folder, replace(OURS, origin="github:a/b@0123456789ab"))
    assert (len(found.rows), found.refused) == (3, ())
    row = found.rows[0]
    assert (row.width, row.height, row.format, row.luminance_sum) == (288, 256, "JPEG", 1109)
    assert read_manifest(manifest) == found.rows
    done = bring(found.rows, tmp_path / "out", Places(folders=(folder,)))
    assert [done.state(r) for r in found.rows] == [State.BROUGHT] * 3


def test_each_picture_that_is_refused_has_its_reason(folder, tmp_path):
    manifest = tmp_path / "m.csv"
    add(manifest, folder, OURS)
    (new := tmp_path / "new").mkdir()
    first = (folder / "0.jpg").read_bytes()
    frames = [Image.fromarray(picture(n)) for n in (20, 21)]
    frames[0].save(new / "moving.png", save_all=True, append_images=frames[1:])
    (new / "again.jpg").write_bytes(first)
    (new / "anew.png").write_bytes(encoded(picture(0), "PNG"))
    (new / "cut.jpg").write_bytes(encoded(picture(30))[:-400])
    (new / "small.png").write_bytes(encoded(picture(31, side=255), "PNG"))
    (new / "text.jpg").write_bytes(b"hello")
    (new / "twice.jpg").write_bytes(encoded(picture(32)))
    (new / "twice2.jpg").write_bytes(encoded(picture(32), quality=60))
    found = add(manifest, new, OURS)
    why = dict(found.refused)
    assert "holds it already, of Ann" in why.pop("again.jpg")
    assert "looks like" in why.pop("anew.png")
    assert "ends before its picture does" in why.pop("cut.jpg")
    assert why.pop("moving.png") == "the picture is animated"
    assert "both sides need 256" in why.pop("small.png")
    assert "cannot be decoded" in why.pop("text.jpg")
    assert "looks like" in why.pop("twice2.jpg")
    assert why == {}
    assert len(read_manifest(manifest)) == 4


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (replace(OURS, fake=True), "name their generator"),
        (replace(OURS, generator="x"), "have no generator"),
        (replace(OURS, kind="t2i"), "none of the kinds photo"),
        (replace(OURS, licence=" "), "a licence is needed"),
        (replace(OURS, source="a\nb"), "cannot be printed"),
    ],
)
def test_words_that_a_manifest_cannot_hold_are_refused_before_anything_is_read(said, says, folder, tmp_path):
    with pytest.raises(OptionRefused, match=says):
        add(tmp_path / "m.csv", folder, said)
    assert not (tmp_path / "m.csv").exists()


def test_a_manifest_that_is_malformed_or_gains_nothing_is_left_as_it_is(folder, tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("label\n")
    with pytest.raises(ManifestError):
        add(manifest, folder, OURS)
    assert manifest.read_text() == "label\n"
    write_manifest(manifest, add(tmp_path / "n.csv", folder, OURS).rows)
    before = manifest.stat().st_ino
    assert add(manifest, folder, OURS).rows == ()
    assert manifest.stat().st_ino == before


def test_the_look_of_a_picture_survives_reencoding_and_resizing():
    one = Image.fromarray(picture(1, side=512))
    small = one.resize((288, 256), Image.Resampling.BILINEAR)
    assert (dhash(one) ^ dhash(small)).bit_count() <= 2
    assert (dhash(one) ^ dhash(Image.fromarray(picture(2)))).bit_count() > 10


def test_the_look_is_that_of_the_manifests_that_exist():
    """Darker than the right neighbour, from the highest bit on."""
    ramp = np.tile(np.arange(0, 90, 10, dtype=np.uint8), (8, 1))
    assert dhash(Image.fromarray(ramp)) == 2**64 - 1
    assert dhash(Image.fromarray(ramp[:, ::-1])) == 0
    ramp[0, 1:] = 0
    assert dhash(Image.fromarray(ramp)) == 2**56 - 1


def test_all_pairs_are_found_that_a_comparison_one_by_one_finds():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**10, 600, dtype=np.uint64)
    slow = [
        (a, b)
        for a in range(600)
        for b in range(a + 1, 600)
        if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= 2
    ]
    assert sorted(map(tuple, near_pairs(hashes, 2).tolist())) == slow
    assert near_to(int(hashes[0]), hashes, 2)[0] == 0
    assert len(near_pairs(hashes[:0])) == 0


def test_a_sheet_shows_every_picture_in_the_place_that_the_index_names(folder, tmp_path):
    rows = add(tmp_path / "m.csv", folder, OURS).rows
    out = tmp_path / "out"
    bring(rows, out, Places(folders=(folder,)))
    gone = replace(rows[0], sha256="0" * 64)
    shown = [*(Shown(row=r, why="looked at") for r in rows), Shown(row=gone)] * 13
    paths = write_sheets(shown, out, tmp_path / "sheets", "mine")
    write_index([("mine", shown)], tmp_path / "sheets")
    assert [p.name for p in paths] == ["mine-001.png", "mine-002.png"]
    with Image.open(paths[0]) as sheet:
        assert sheet.width == COLUMNS * SIDE
        middle = np.asarray(sheet)[SIDE // 2, SIDE // 2 :: SIDE]
    assert (middle[3] == 245).all(), "a picture that is not there leaves its place empty"
    with (tmp_path / "sheets" / "index.csv").open(newline="") as f:
        places = list(csv.DictReader(f))
    assert len(places) == 52
    assert [places[48][c] for c in ("sheet", "line", "column", "why")] == [
        "mine-002.png",
        "1",
        "1",
        "looked at",
    ]


def test_a_picture_with_a_smaller_one_behind_it_is_shown():
    made = io.BytesIO()
    frames = [Image.fromarray(picture(n)) for n in (1, 2)]
    frames[0].save(made, "MPO", save_all=True, append_images=frames[1:])
    assert thumbnail(made.getvalue(), "MPO", 64).size == (64, 57)


def test_a_picture_that_declares_more_pixels_than_the_limit_is_not_shown(monkeypatch):
    monkeypatch.setattr("detector.data.sheets.MAX_PIXELS", 100)
    with pytest.raises(NotApplicable):
        thumbnail(encoded(photo_like(32, 32)), "JPEG", 16)


def test_the_digest_of_a_manifest_is_of_its_pictures_and_not_of_their_order():
    rows = many(5)
    assert pictures_digest(rows) == pictures_digest(rows[::-1])
    assert pictures_digest(rows) != pictures_digest(rows[1:])
