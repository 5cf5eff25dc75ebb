"""A finished run that translates: what it writes beside the originals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import CorpusError, NotApplicable, OptionRefused
from detector.core.progress import silent
from detector.generators import make_family
from detector.generators.source import ImageSource, pixels_digest, unpaired
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.sources.data import Data
from detector.zoo.store import card_of, open_family, save_family
from detector.zoo.translating import translate_run

SMALL = {"side": 16, "channels": 1, "width": 8, "batch": 4}


def pictures(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 16, 16, 1), dtype=np.uint8)


def run_of(path: Path, name: str, source: ImageSource, **settings: object) -> Path:
    family, budget = make_family(name, seed=0, **SMALL, **settings), Budget(steps=1)
    save_family(family, path, card_of(family.spec, source, budget, fit(family, source, budget, seed=0)))
    return path


@pytest.fixture(scope="module", params=["cyclegan", "unit"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    two = [ImageSource(name=n, images=pictures(4, k)) for k, n in enumerate(("one", "other"))]
    path: Path = tmp_path_factory.mktemp("runs") / request.param
    path.mkdir()
    return run_of(path, request.param, unpaired(*two), classes=2, mode="translate")


def given(path: Path, images: np.ndarray) -> Data:
    np.savez(path / "given.npz", images=images)
    return Data(name=str(path / "given.npz"))


def test_what_became_of_each_picture_lies_at_the_place_of_its_original(run: Path, tmp_path: Path) -> None:
    images = pictures(5, 7)
    digest, n = translate_run(
        run, given(tmp_path, images), tmp_path / "out.npz", to=1, count=9, seed=3, report=silent
    )
    with np.load(tmp_path / "out.npz") as stored:
        made, originals, about = stored["images"], stored["originals"], json.loads(str(stored["about"]))
    assert (originals == images).all()
    assert (made == open_family(run).translate(images, 1)).all()
    assert (n, digest) == (5, pixels_digest(made))
    assert (about["family"], about["to"], about["seed"]) == (run.name, 1, 3)
    assert about["originals_sha256"] == pixels_digest(images)


def test_both_ways_differ_and_a_way_that_is_none_is_refused(run: Path, tmp_path: Path) -> None:
    data, written = given(tmp_path, pictures(2)), []
    for to in (0, 1):
        translate_run(run, data, tmp_path / f"{to}.npz", to=to, count=2, seed=0, report=silent)
        with np.load(tmp_path / f"{to}.npz") as stored:
            written.append(stored["images"])
    assert (written[0] != written[1]).any()
    for wrong in (-1, 2):
        with pytest.raises(NotApplicable, match="to the classes 0 and 1"):
            translate_run(run, data, tmp_path / "none.npz", to=wrong, count=2, seed=0, report=silent)
    assert not list(tmp_path.glob("none.*"))


@pytest.mark.parametrize(("count", "rows", "columns"), [(2, 2, 2), (12, 2, 12), (30, 4, 12), (50, 6, 12)])
def test_a_sheet_has_whole_rows_of_originals_and_below_each_what_became_of_them(
    run: Path, tmp_path: Path, count: int, rows: int, columns: int
) -> None:
    def sheet(name: str, to: int) -> np.ndarray:
        data = given(tmp_path, pictures(count))
        translate_run(run, data, tmp_path / f"{name}.npz", to=to, count=count, seed=0, report=silent)
        with Image.open(tmp_path / f"{name}.png") as image:
            return np.asarray(image.convert("L"))

    one, other = sheet("one", 0), sheet("other", 1)
    assert one.shape == (66 * rows + 2, 66 * columns + 2), "four times as large, with gaps of two"
    bands = [slice(66 * k, 66 * (k + 1)) for k in range(rows)]
    assert [bool((one[b] == other[b]).all()) for b in bands] == [True, False] * (rows // 2)


def test_a_sheet_never_takes_the_place_of_the_pictures(run: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionRefused, match=r"name a \.npz file"):
        translate_run(
            run, given(tmp_path, pictures(2)), tmp_path / "a.png", to=0, count=2, seed=0, report=silent
        )
    assert not (tmp_path / "a.png").exists()


def test_pictures_of_other_sides_are_translated_and_shown_where_the_networks_take_them(
    run: Path, tmp_path: Path
) -> None:
    low = pictures(2)[:, :8]
    translate_run(run, given(tmp_path, low), tmp_path / "out.npz", to=0, count=2, seed=0, report=silent)
    with np.load(tmp_path / "out.npz") as stored, Image.open(tmp_path / "out.png") as sheet:
        assert stored["images"].shape == low.shape
        assert sheet.width > 1.8 * sheet.height


def test_pictures_that_the_networks_do_not_take_are_refused_and_nothing_is_written(
    run: Path, tmp_path: Path
) -> None:
    for wrong in (pictures(2)[:, :7], np.repeat(pictures(2), 3, 3), pictures(2) / 255):
        with pytest.raises(CorpusError, match="uint8"):
            translate_run(
                run, given(tmp_path, wrong), tmp_path / "out.npz", to=0, count=2, seed=0, report=silent
            )
    assert not list(tmp_path.glob("out.*"))


def test_who_gives_pictures_back_or_draws_them_does_not_translate(tmp_path: Path) -> None:
    one = ImageSource(name="one", images=pictures(4))
    for name in ("unit", "dcgan"):
        (tmp_path / name).mkdir()
        run = run_of(tmp_path / name, name, one)
        with pytest.raises(NotApplicable):
            translate_run(
                run, Data(name="nowhere"), tmp_path / "out.npz", to=1, count=1, seed=0, report=silent
            )
