from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.errors import CorpusError, FileFailed
from detector.data.corpus import check_no_leak, corpus_digest, index_rows, load_index, pictures, read_item
from detector.data.licences import SETS
from detector.data.splits import Split, split_units
from tests.detector.made import corpus_of, encoded, photo_like


@given(st.sets(st.text(min_size=1), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_a_unit_falls_into_the_same_split_whatever_stands_beside_it(units, a, b):
    shares = (a, (1 - a) * b, (1 - a) * (1 - b))
    together = split_units(units, shares)
    assert together == {u: split_units([u], shares)[u] for u in units}


def test_no_source_of_the_corpus_lies_in_two_splits(corpus_dir):
    places = defaultdict(set)
    for item in load_index(corpus_dir):
        places[item.unit].add(item.split)
        places[item.sha256].add(item.split)
    assert all(len(splits) == 1 for splits in places.values())


def test_one_camera_model_is_one_unit_across_both_camera_folders(corpus_dir):
    folders = {i.set_name for i in load_index(corpus_dir) if i.unit == "camera:canon powershot s40"}
    assert folders == {"camera_crops", "camera_samples"}


def test_only_sets_with_an_allowed_licence_are_trained_or_calibrated_on(corpus_dir):
    licences = {r.name: r.licence for r in SETS}
    for item in load_index(corpus_dir):
        if item.split is not Split.TEST:
            assert licences[item.set_name], item.path


def test_the_unseen_generators_are_never_trained_on(corpus_dir):
    trained = {i.set_name for i in load_index(corpus_dir) if i.split is Split.TRAIN and i.fake}
    assert trained == {"sd15", "flux1_dev"}


def test_a_licence_that_changed_since_it_was_allowed_is_refused(tmp_path):
    root = corpus_of(tmp_path, [("train/photos_pexels/a.jpg", "all rights reserved", b"x", "s")])
    with pytest.raises(CorpusError, match="not the one that was allowed"):
        load_index(root)


def test_a_file_listed_twice_is_taken_once(tmp_path):
    rows = [(f"train/photos_pexels/{n}.jpg", "Pexels licence (free use)", b"same", "s") for n in "ab"]
    assert len(load_index(corpus_of(tmp_path, rows))) == 1


def test_a_file_that_differs_from_the_index_is_refused(tmp_path):
    row = ("train/photos_pexels/a.jpg", "Pexels licence (free use)", b"x", "s")
    root = corpus_of(tmp_path, [row])
    (item,) = load_index(root)
    (root / item.path).write_bytes(b"y")
    with pytest.raises(CorpusError, match="not the file that the index names"):
        read_item(root, item)


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="missing"):
        load_index(tmp_path)


def test_a_leak_between_splits_is_refused(tmp_path):
    row = ("train/photos_pexels/a.jpg", "Pexels licence (free use)", b"x", "s")
    (item,) = load_index(corpus_of(tmp_path, [row]))
    other = next(s for s in Split if s is not item.split)
    with pytest.raises(CorpusError, match="two splits"):
        check_no_leak([item, replace(item, split=other)])


def test_a_sheet_gives_its_four_pictures(tmp_path):
    quarters = [np.full((16, 16, 3), v, np.uint8) for v in (0, 80, 160, 240)]
    sheet = np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])])
    data = encoded(sheet, "WEBP", lossless=True)
    root = corpus_of(tmp_path, [("fakes_train/sd15_art_grid/a.webp", "MIT", data, "s")])
    (item,) = load_index(root)
    assert [int(p.mean()) for p in pictures(root, item)] == [0, 80, 160, 240]


def test_a_photo_gives_itself(tmp_path):
    data = encoded(photo_like(40, 60), quality=95)
    row = ("train/photos_pexels/a.jpg", "Pexels licence (free use)", data, "s")
    root = corpus_of(tmp_path, [row])
    (picture,) = pictures(root, load_index(root)[0])
    assert picture.shape == (40, 60, 3)


PLACED = ["train", "calibration", "test", "calibration"]
PEXELS = ("train/photos_pexels/a.jpg", "Pexels licence (free use)")


@pytest.mark.parametrize(
    ("index", "says"),
    [(b"\xff\xfe", "cannot be read"), (b"path,licence\n", "lacks columns"), (b"", "lacks columns")],
    ids=["no text", "other columns", "empty"],
)
def test_an_index_that_is_none_is_refused(index, says, tmp_path):
    (tmp_path / "INDEX.csv").write_bytes(index)
    with pytest.raises(CorpusError, match=says):
        index_rows(tmp_path)


def test_files_of_no_known_set_or_format_are_passed_over(tmp_path):
    rows = [("elsewhere/a.jpg", "MIT", b"1", "s"), ("train/photos_pexels_more/a.jpg", "MIT", b"2", "s")]
    root = corpus_of(tmp_path, [*rows, (*PEXELS, b"3", "s")])
    assert [i.path for i in load_index(root)] == [PEXELS[0]]
    index = root / "INDEX.csv"
    index.write_text(index.read_text(encoding="utf-8").replace("JPEG", "TIFF"), encoding="utf-8")
    assert load_index(root) == ()


def test_a_file_of_the_index_that_is_gone_is_a_file_that_failed(tmp_path):
    (item,) = load_index(corpus_of(tmp_path, [(*PEXELS, b"x", "s")]))
    (tmp_path / item.path).unlink()
    with pytest.raises(FileFailed, match=r"a\.jpg cannot be read: No such file"):
        read_item(tmp_path, item)


def test_the_digest_of_a_corpus_is_of_what_was_used_and_where_and_not_of_its_order(tmp_path):
    rows = [(f"train/photos_pexels/{n}.jpg", PEXELS[1], n.encode(), "s") for n in "abc"]
    items = load_index(corpus_of(tmp_path, rows))
    assert corpus_digest(items) == corpus_digest(items[::-1])
    other = next(s for s in Split if s is not items[0].split)
    for changed in ({"split": other}, {"sha256": "0" * 64}, {"set_name": "coco"}):
        assert corpus_digest((replace(items[0], **changed), *items[1:])) != corpus_digest(items)
    assert corpus_digest((replace(items[0], path="moved.jpg"), *items[1:])) == corpus_digest(items)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a: Canon PowerShot, S40", "b: canon powershot S40", True),
        ("NIKON D70\0", "x: nikon d70", True),
        ("Nikon D70", "Nikon D80", False),
    ],
)
def test_a_camera_model_is_one_unit_however_it_is_spelt(one, other, same, tmp_path):
    licence = next(r.licence for r in SETS if r.name == "camera_crops")
    sources = (("a", one), ("b", other))
    rows = [(f"camera/crops768/{n}.jpg", licence, n.encode(), source) for n, source in sources]
    assert len({i.unit for i in load_index(corpus_of(tmp_path, rows))}) == (1 if same else 2)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_splits_have_about_the_shares_that_were_asked_for(a, b):
    shares = (a, (1 - a) * b, (1 - a) * (1 - b))
    placed = list(split_units(map(str, range(600)), shares).values())
    for split, share in zip(Split, shares, strict=True):
        assert placed.count(split) / 600 == pytest.approx(share, abs=0.1)


def test_where_a_unit_falls_never_changes():
    """The figures of every card rest on it."""
    placed = split_units(["file:" + "0" * 64, "camera:canon", "file:" + "f" * 64, ""], (0.5, 0.25, 0.25))
    assert [s.value for s in placed.values()] == PLACED


def test_every_rule_has_whole_shares_a_reason_and_a_licence_where_it_trains():
    assert len({r.name for r in SETS}) == len({r.folder for r in SETS}) == len(SETS)
    for rule in SETS:
        assert sum(rule.shares) == pytest.approx(1), rule.name
        assert rule.why, rule.name
        assert rule.licence or rule.shares == (0.0, 0.0, 1.0), rule.name
