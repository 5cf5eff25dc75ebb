"""What the recipe may rely on, whichever of the two materials answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import TooFewPictures
from detector.data.corpus import check_no_leak, load_index, pictures
from detector.data.licences import SETS
from detector.data.splits import Split, split_units
from detector.lab.corpus import material as corpus
from detector.lab.folder import photos
from detector.lab.folder.held_out import write_held_out
from detector.lab.folder.makers import FolderFakes
from detector.lab.folder.material import FolderMaterial
from detector.lab.folder.run import FolderOptions, FolderRun
from detector.lab.folder.samples import Samples
from detector.lab.steps import evaluation
from detector.lab.steps.calibrate import AGAINST_MIN_SIDE, Calibrated
from detector.lab.steps.material import Material
from detector.lab.steps.regions import Small
from detector.lab.steps.training_set import TrainingSet
from detector.lab.steps.views import matched
from detector.models.calibration import Calibration
from detector.models.card import OperatingPoint
from detector.pixels.decode import Pixels
from detector.zoo.sources.photos import SHARES
from tests.detector.made import corpus_of, encoded
from tests.detector.zoo.test_sources import scene


def darker(region: Pixels) -> Pixels:
    return (region // 2).astype(np.uint8)


def inverse(region: Pixels) -> Pixels:
    return 255 - region


MAKERS = {"darker": darker, "inverse": inverse}
WANTED = {Split.TRAIN: 3, Split.CALIBRATION: 2, Split.TEST: 2}


@cache
def scenes(prefix: str, shares: tuple[float, float, float], height: int, width: int) -> tuple[bytes, ...]:
    """So many photos of every split as ``WANTED`` says; their bytes decide where they fall."""
    left, found, n = dict(WANTED), [], height
    while any(left.values()):
        data = encoded(scene(height, width, n), "JPEG", quality=90)
        unit = prefix + hashlib.sha256(data).hexdigest()
        split = split_units([unit], shares)[unit]
        if left[split]:
            left[split] -= 1
            found.append(data)
        n += 1
    return tuple(found)


def tiles(n: int, seed: int, side: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


class SameAgain:
    """Stands in for the published autoencoder, whose weights do not come with the project."""

    def __init__(self, folder: Path) -> None:
        assert folder.name == "taef2"

    def reconstruct(self, region: Pixels) -> Pixels:
        return darker(region)


def of_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    rows = []
    for name, size in (("pexels", (300, 420)), ("sd15", (520, 524))):  # sd15: sheets of four pictures
        rule = next(r for r in SETS if r.name == name)
        found = scenes("file:", rule.shares, *size)
        rows += [(f"{rule.folder}/{n}.jpg", rule.licence, data, str(n)) for n, data in enumerate(found)]
    monkeypatch.setattr(corpus, "open_makers", lambda *_all: {n: (m, 1.0) for n, m in MAKERS.items()})
    monkeypatch.setattr(corpus, "Taef2", SameAgain)
    root, run = tmp_path / "corpus", tmp_path / "run"
    root.mkdir()
    some = Small(family="zoo_small", fake=tiles(256, 1), real=tiles(256, 2))
    monkeypatch.setattr(corpus, "fitted_tiles", lambda *_all, **_how: (some,))
    return corpus.CorpusMaterial(root=corpus_of(root, rows), run=run, seed=0, report=silent, zoo_seconds=1.0)


def of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    monkeypatch.setattr(photos, "LEAST", dict.fromkeys(Split, 1))
    folder = tmp_path / "photos"
    folder.mkdir()
    for n, data in enumerate(scenes("", SHARES, 300, 420)):
        (folder / f"{n}.jpg").write_bytes(data)
    run = FolderRun(folder, tmp_path / "run", FolderOptions(side=16, families=("small",)), silent)
    some = Samples(
        family="small",
        drawn={s: tiles(256, k) for k, s in enumerate(Split)},
        rebuilt={s: tiles(0, 0) for s in Split},
        twins={s: np.zeros(0, np.int64) for s in Split},
    )
    fakes = FolderFakes(run, [some])
    vars(fakes)["makers"] = MAKERS
    small = {s: fakes.small(s) for s in Split}
    held = write_held_out(run.path, run.index, MAKERS, small, seed=0, report=silent)
    return FolderMaterial(run=run, fakes=fakes, held=held)


def silent(_what: str, _done: int, _total: int) -> None:
    pass


@pytest.fixture(params=[of_corpus, of_folder], ids=["corpus", "folder"])
def material(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    make: Callable[[Path, pytest.MonkeyPatch], Material] = request.param
    return make(tmp_path, monkeypatch)


def test_every_picture_that_is_judged_can_be_read_and_lies_in_one_split(material: Material) -> None:
    check_no_leak(material.items)
    for split in (Split.CALIBRATION, Split.TEST):
        mine = [i for i in material.items if i.split is split]
        assert {i.fake for i in mine} == {False, True}
        assert all(p.shape[2] == 3 for i in mine for p in pictures(material.root, i))


def test_a_fake_with_a_twin_was_made_of_it_and_families_come_as_often_as_they_should(
    material: Material,
) -> None:
    data = material.training()
    assert len(data.share) == len(data.families)
    assert all(data.present)
    names = [data.families[k] for k in data.family]
    checked = [
        (MAKERS[n](data.real[t]) == f).all()
        for n, t, f in zip(names, data.twin, data.fake, strict=True)
        if n in MAKERS
    ]
    assert all(checked)
    assert len(checked) > 4
    assert any("small" in n for n in names), "and mosaics of small pictures beside mosaics of real ones"
    assert {data.sources[data.source[t]] for n, t in zip(names, data.twin, strict=True) if "small" in n} == {
        "tiles"
    }


def test_the_same_pictures_and_the_same_seed_give_the_same_set(material: Material) -> None:
    first = material.training()
    if isinstance(material, corpus.CorpusMaterial):
        (material.run / "training_set.npz").unlink()  # else it would only be read again
    again = material.training()
    assert first.digest == again.digest != ""
    assert (first.fake == again.fake).all()


def remove(material: Material, *splits: Split) -> None:
    """The files of these splits; a photo of a folder is reached through a link."""
    if isinstance(material, FolderMaterial):
        material.run.real()  # tiles are cut once
        gone = [p.path for s in splits for p in material.run.index.of(s)]
        for name in gone:
            (material.run.folder / name).unlink()
        for item in material.items:  # some of them were links to those
            if item.split in splits:
                (material.root / item.path).unlink(missing_ok=True)
        return
    for item in load_index(material.root):
        if item.split in splits:
            (material.root / item.path).unlink()


def test_nothing_that_is_held_out_is_looked_at_in_training(material: Material) -> None:
    remove(material, Split.CALIBRATION, Split.TEST)
    assert len(material.training().fake)


def test_aligned_pairs_are_made_of_test_photos_alone_and_differ_in_nothing_but_the_trace(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(material, Split.TRAIN, Split.CALIBRATION)
    seen: list[Pixels] = []
    encodings: list[tuple[str, int]] = []

    def noted(picture: Pixels, name: str, draw: int) -> Pixels:
        encodings.append((name, draw))
        return matched(picture, name, draw)

    monkeypatch.setattr(evaluation, "matched", noted)

    def raw(picture: Pixels) -> float:
        seen.append(picture)
        return float(picture.mean())

    real, fake = material.aligned(raw)
    assert len(real) == len(fake) > 0
    assert encodings[::2] == encodings[1::2]
    for photo, made in zip(seen[::2], seen[1::2], strict=True):
        a, b = photo.astype(int), made.astype(int)
        made_of_it = min(abs(a - 2 * b).mean(), abs(255 - a - b).mean())  # darker, or inverse
        assert made_of_it < 15  # what an encoding leaves; of two photos it is 80


def test_the_card_counts_every_set_that_is_judged(material: Material) -> None:
    rows = {s.name: s for s in material.sets(material.training())}
    for item in material.items:
        assert rows[item.set_name].fake is item.fake
    for split in (Split.CALIBRATION, Split.TEST):
        for name, row in rows.items():
            assert getattr(row, split.value) == sum(
                i.set_name == name and i.split is split for i in material.items
            )
    assert sum(r.train for r in rows.values()) > 0


def found(items: int) -> Calibrated:
    return Calibrated(
        calibration=Calibration(
            slope=1.0, intercept=0.0, covariance=(0.0, 0.0, 0.0), real_items=items, fake_items=items
        ),
        point=OperatingPoint(
            supports_logit=1.0, against_logit=-1.0, min_log10_ratio=0.5, calibration_false_positives=0.0
        ),
        domain_limit=2.0,
    )


def test_a_calibration_is_never_carried_further_than_it_was_measured(material: Material) -> None:
    before, after = found(1000), material.settled(found(1000))
    assert after.calibration.real_items <= before.calibration.real_items
    assert after.calibration.fake_items <= before.calibration.fake_items
    assert (after.point.supports_logit, after.domain_limit) == (1.0, 2.0)


def test_a_folder_counts_photos_and_a_corpus_speaks_against_no_small_picture(material: Material) -> None:
    after = material.settled(found(1000))
    if material.recipe == "folder":
        assert after.calibration.real_items == WANTED[Split.CALIBRATION]
        assert after.point.against_min_side == 0
    else:
        assert after.calibration.real_items == 1000
        assert after.point.against_min_side == AGAINST_MIN_SIDE


@pytest.mark.parametrize("make", [of_corpus, of_folder])
def test_the_digest_names_the_files_and_not_the_way_to_them(
    make: Callable[[Path, pytest.MonkeyPatch], Material], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    first = make(here, monkeypatch)
    assert make(there, monkeypatch).digest() == first.digest()
    monkeypatch.setitem(WANTED, Split.TEST, 3)
    scenes.cache_clear()
    more = tmp_path / "more"
    more.mkdir()
    assert make(more, monkeypatch).digest() != first.digest()
    scenes.cache_clear()


def test_too_few_tiles_for_a_mosaic_are_refused() -> None:
    region = np.zeros((1, 256, 256, 3), np.uint8)
    one = np.zeros(1, np.int64)
    data = TrainingSet(
        real=region, source=one, single=np.ones(1, bool), fake=region, family=one, twin=one, families=("a",),
        sources=("b",), share=(1.0,),
    )  # fmt: skip
    few = Small(family="few", fake=tiles(255, 0), real=tiles(255, 1))
    with pytest.raises(TooFewPictures, match="too few tiles"):
        corpus.with_tiles(data, [few], 0)
    assert corpus.with_tiles(data, (), 0) is data
