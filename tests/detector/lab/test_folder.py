"""From a folder of photos to a detector: what is made from what, and what is never mixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import FolderTaken, LabError, OptionRefused, TooFewPictures
from detector.data.corpus import check_no_leak, pictures
from detector.data.splits import Split
from detector.generators.table import FAMILIES, make_family
from detector.lab.folder import photos, zoo
from detector.lab.folder import run as run_module
from detector.lab.folder.held_out import by_turns, dump_held_out, mosaic_pairs, parse_held_out, write_held_out
from detector.lab.folder.makers import own_makers, zoo_makers
from detector.lab.folder.material import regions_count, training_set
from detector.lab.folder.photos import held_out_of
from detector.lab.folder.run import (
    FolderOptions,
    FolderRun,
    dump_index,
    earning_families,
    parse_index,
    require_minutes,
)
from detector.lab.folder.samples import Samples, draw_samples, load_samples, save_samples
from detector.lab.folder.zoo import draw_from, fit_zoo, show_zoo
from detector.lab.steps.regions import Small
from detector.lab.steps.stages import Record
from detector.zoo.sources.photos import Photo, PhotoIndex, index_photos
from detector.zoo.store import Fitted
from tests.detector.made import encoded
from tests.detector.zoo.test_sources import scene


def silent(_what: str, _done: int, _total: int) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for n in range(14):
        (folder / f"{n:02d}.jpg").write_bytes(encoded(scene(300, 420, n), "JPEG", quality=90))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    return folder


@pytest.fixture(scope="module")
def index(folder: Path) -> PhotoIndex:
    return index_photos(folder)


def tiles(n: int, seed: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def darker(region: np.ndarray) -> np.ndarray:
    return (region // 2).astype(np.uint8)


MAKERS = {"half": darker, "inverse": lambda r: 255 - r}


def test_an_index_survives_its_file_and_a_changed_one_is_refused(folder: Path, index: PhotoIndex) -> None:
    text = dump_index(index)
    assert parse_index(folder, text) == index
    moved = text.replace('"split": "train"', '"split": "test"', 1)
    for wrong in (moved, "[]", "nothing", text[:50]):
        with pytest.raises(LabError):
            parse_index(folder, wrong)


def test_every_fake_of_a_photo_stands_beside_the_region_it_was_made_from(index: PhotoIndex) -> None:
    data = training_set(index, MAKERS, [], seed=0, report=silent)
    assert data.families == tuple(sorted(MAKERS, key=data.families.index))
    assert sum(data.share) == pytest.approx(1)
    for fake, family, twin in zip(data.fake, data.family, data.twin, strict=True):
        assert (MAKERS[data.families[family]](data.real[twin]) == fake).all()


def test_small_pictures_stand_in_mosaics_beside_real_mosaics(index: PhotoIndex) -> None:
    small = Small(family="small", fake=tiles(130, 0), real=tiles(130, 1))
    data = training_set(index, MAKERS, [small], seed=0, report=silent)
    mine = np.flatnonzero(data.family == data.families.index("small"))
    assert len(mine) == 2, "two times 64 tiles make a mosaic of 256 pixels"
    assert data.sources == ("photos", "tiles")
    assert {data.sources[data.source[data.twin[n]]] for n in mine} == {"tiles"}
    assert dict(zip(data.families, data.share, strict=True)) == pytest.approx(
        {"half": 0.3, "inverse": 0.3, "small": 0.4}
    )


def test_both_mosaics_of_a_pair_have_one_arrangement() -> None:
    fake = tiles(64, 0)
    ((real, made),) = mosaic_pairs(Small(family="s", fake=fake, real=255 - fake), np.random.default_rng(0))
    assert (real == 255 - made).all()
    assert sorted(t.tobytes() for t in fake) == sorted(
        np.ascontiguousarray(made[y : y + 32, x : x + 32]).tobytes()
        for y in range(0, 256, 32)
        for x in range(0, 256, 32)
    )


def small_of(seed: int) -> dict[Split, list[Small]]:
    return {
        s: [Small(family="small", fake=tiles(64, seed + k), real=tiles(64, 50 + k))]
        for k, s in enumerate(Split)
    }  # fmt: skip


def test_held_out_pictures_come_from_held_out_photos_only(index: PhotoIndex, tmp_path: Path) -> None:
    found = write_held_out(tmp_path, index, MAKERS, small_of(0), seed=0, report=silent)
    check_no_leak(found.items)
    trained = {p.unit for p in index.of(Split.TRAIN)}
    assert not trained & {i.unit for i in found.items}
    assert {i.set_name for i in found.items} == {"photos", "regions", "tiles", "half", "inverse", "small"}
    for item in found.items:
        assert pictures(tmp_path, item)[0].shape[2] == 3, "every item can be read below the root"
    items = {i.path: i for i in found.items}
    for real, fake in found.pairs:
        before, after = (pictures(tmp_path, items[p])[0] for p in (real, fake))
        assert (MAKERS[items[fake].set_name](before) == after).all()


def test_held_out_pictures_survive_their_file_and_are_the_same_again(
    index: PhotoIndex, tmp_path: Path
) -> None:
    first, again = (
        write_held_out(tmp_path / n, index, MAKERS, small_of(0), seed=0, report=silent)
        for n in ("a", "b")
        if (tmp_path / n).mkdir() is None
    )
    assert first == again == parse_held_out(dump_held_out(first))
    with pytest.raises(LabError, match="no list"):
        parse_held_out("{}")


def test_a_folder_without_held_out_photos_is_one_sentence(index: PhotoIndex, tmp_path: Path) -> None:
    train_only = PhotoIndex(folder=index.folder, photos=index.of(Split.TRAIN), skipped=())
    nothing: dict[Split, list[Small]] = {s: [] for s in Split}
    with pytest.raises(LabError, match="add photos"):
        write_held_out(tmp_path, train_only, MAKERS, nothing, seed=0, report=silent)


def test_only_families_of_any_size_make_fakes_of_regions() -> None:
    fitted = [Fitted(make_family(n, side=16, width=8)) for n in ("vae", "cyclegan", "dcgan")]
    makers = zoo_makers(fitted, slowest=60)
    assert list(makers) == ["cyclegan"]
    assert makers["cyclegan"](scene(256, 256, 0)).shape == (256, 256, 3)


def test_a_family_that_looks_its_size_up_in_a_table_makes_no_fakes_of_regions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = make_family("cyclegan", side=16, width=8)
    monkeypatch.setattr(family, "reconstruct", lambda x: x[: 1 + [8, 16].index(x.shape[2])])
    assert zoo_makers([Fitted(family)]) == {}


def test_a_family_that_is_too_slow_makes_no_fakes_of_regions() -> None:
    fitted = [Fitted(make_family("cyclegan", side=16, width=8))]
    assert zoo_makers(fitted, slowest=0) == {}
    assert list(zoo_makers(fitted, slowest=60)) == ["cyclegan"]


def test_small_autoencoders_of_our_own_are_fitted_on_training_photos(index: PhotoIndex) -> None:
    makers = own_makers(index, steps=4, seed=0, report=silent)
    region = scene(256, 256, 0)
    made = [m(region) for m in makers.values()]
    assert len({m.tobytes() for m in made}) == len(makers) == 4


def test_what_a_family_makes_for_a_split_comes_from_that_split(tmp_path: Path) -> None:
    real = {s: tiles(30, k, 16) for k, s in enumerate(Split)}
    fitted = Fitted(make_family("cyclegan", side=16, width=8))
    made = draw_samples(fitted, real, 0, seconds=30)
    assert all(not len(made.drawn[s]) for s in Split), "it draws nothing of its own"
    for s in Split:
        assert (fitted.reconstruct(real[s][made.twins[s]]) == made.rebuilt[s]).all()
    save_samples(made, tmp_path / "s.npz")
    loaded = load_samples("cyclegan", tmp_path / "s.npz")
    assert all((loaded.of(s) == made.of(s)).all() for s in Split)
    whole = (tmp_path / "s.npz").read_bytes()
    for kept in (len(whole) - 1, len(whole) // 2, 200, 30, 3, 0):
        (tmp_path / "s.npz").write_bytes(whole[:kept])
        with pytest.raises(LabError, match="remove it"):
            load_samples("cyclegan", tmp_path / "s.npz")


def test_the_samples_of_no_two_splits_are_the_same_and_a_slow_family_gives_fewer() -> None:
    real = {s: tiles(30, k, 16) for k, s in enumerate(Split)}
    fitted = Fitted(make_family("dcgan", side=16, width=8))
    made = draw_samples(fitted, real, 0, seconds=60)
    assert [len(made.drawn[s]) for s in Split] == [1024, 256, 256]
    every = [p.tobytes() for s in Split for p in made.drawn[s]]
    assert len(set(every)) == len(every)
    assert len(draw_samples(fitted, real, 0, seconds=1e-4).drawn[Split.TRAIN]) < 1024


def test_samples_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(LabError):
        load_samples("x", tmp_path / "x.npz")


def test_measures_take_less_of_a_smaller_budget_and_never_nearly_all_of_it() -> None:
    long, short = (FolderOptions(minutes=m, families=("dcgan", "vae")) for m in (30, 4))
    assert long.effort(48) == 1.0
    assert short.effort(96) < short.effort(48) < 1.0
    assert long.unsized(96) > long.unsized(48) > long.unsized(0) > 0
    assert long.sized(48) == 1800 - long.unsized(48)
    assert short.unsized(48) == pytest.approx(0.45 * 240)
    assert long.training(1800).epochs > long.training(600).epochs


def test_what_was_spent_before_it_is_taken_off_the_training_of_the_detector() -> None:
    options = FolderOptions(minutes=10, families=("dcgan",))
    left = options.training_seconds(100, regions=200, held_out=40)
    assert 0 < left < 500
    assert options.training_seconds(250, regions=200, held_out=40) == pytest.approx(left - 150)
    assert options.training_seconds(100, regions=400, held_out=40) < left
    assert options.training_seconds(100, regions=200, held_out=40, slower=2) < left
    assert options.training(600, slower=2).epochs == options.training(300).epochs
    assert options.training_seconds(100, regions=200, held_out=80) < left


@pytest.mark.usefixtures("few_suffice")
def test_too_few_minutes_are_refused_before_anything_is_fitted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "require_minutes", require_minutes)
    run = run_of(folder, tmp_path / "run")
    with pytest.raises(OptionRefused, match=r"0.05 minutes are too few .* or more are needed"):
        fit_zoo(run)
    assert not run.stages.records
    require_minutes(FolderOptions(minutes=30), 48)


def test_with_less_effort_makers_take_turns_and_then_fewer_photos_are_held_out() -> None:
    assert [by_turns("abc", n * 2, 2) for n in range(3)] == [["a", "b"], ["c", "a"], ["b", "c"]]
    index = PhotoIndex(folder=Path(), photos=tuple(a_photo(n) for n in range(40)), skipped=())
    assert [len(held_out_of(index, Split.TEST, part)) for part in (1.0, 0.5, 0.0)] == [40, 20, 10]
    assert held_out_of(index, Split.TEST, 0.5) == held_out_of(index, Split.TEST, 1.0)[:20]
    assert regions_count(index, 1.0) == 0


def a_photo(n: int) -> Photo:
    name = f"{n:064d}"
    return Photo(path=f"{n}.jpg", sha256=name, media_type="image/jpeg", unit=name, split=Split.TEST)


@pytest.mark.usefixtures("few_suffice")
def test_the_default_zoo_holds_no_family_of_heritage_and_a_named_one_is_taken() -> None:
    names = FolderOptions().names()
    assert names == earning_families()
    assert names
    assert all(not FAMILIES[n].heritage and FAMILIES[n].spec.channels == 3 for n in names)
    assert {n for n, row in FAMILIES.items() if row.heritage}.isdisjoint(names)
    assert FolderOptions(families=("dip",)).names() == ("dip",)


@pytest.fixture
def few_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of these tests is smaller than what a calibration asks for, and the budget than measures."""
    monkeypatch.setattr(photos, "LEAST", dict.fromkeys(Split, 1))
    monkeypatch.setattr(run_module, "require_minutes", lambda _options, _held_out: None)


def run_of(folder: Path, path: Path, *families: str) -> FolderRun:
    options = FolderOptions(minutes=0.05, side=16, families=families or ("dcgan",))
    return FolderRun(folder, path, options, silent)


def through(run: FolderRun) -> tuple[Samples, ...]:
    samples = draw_from(run, fit_zoo(run))
    show_zoo(run, samples)
    return samples


@pytest.mark.usefixtures("few_suffice")
def test_finished_stages_of_a_zoo_are_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    through(run_of(folder, tmp_path))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file() and p.name != "state.json"}
    monkeypatch.setattr(zoo, "fit_run", _never)
    monkeypatch.setattr(zoo, "draw_samples", _never)
    through(run_of(folder, tmp_path))
    assert {p: p.stat().st_mtime_ns for p in before} == before
    note = json.loads((tmp_path / "state.json").read_text())["stages"]["index"]["note"]
    assert note == "14 photos, 1 skipped"


def _never(*_arguments: object, **_options: object) -> None:
    raise AssertionError("a finished stage was done again")


def begun_otherwise(path: Path, family: str) -> None:
    (path / "zoo" / family).mkdir(parents=True)
    (path / "zoo" / family / "fit.json").write_text("another fit")


@pytest.mark.usefixtures("few_suffice")
def test_what_a_family_took_too_much_the_next_ones_get_less(folder: Path, tmp_path: Path) -> None:
    run = FolderRun(folder, tmp_path, FolderOptions(minutes=30, families=("dcgan", "vae")), silent)
    first = zoo._seconds_for(run, "dcgan")
    assert first == pytest.approx(run.seconds / 4 - 4)
    run.stages._records["fit dcgan"] = Record(made_from="", files={}, cpu_seconds=first + 104)
    assert zoo._seconds_for(run, "vae") == pytest.approx(first - 100)
    run.stages._records["fit dcgan"] = Record(made_from="", files={}, cpu_seconds=10_000)
    assert 0 < zoo._seconds_for(run, "vae") < first / 3


@pytest.mark.usefixtures("few_suffice")
def test_a_family_that_cannot_be_fitted_is_left_out_with_its_reason(folder: Path, tmp_path: Path) -> None:
    run = run_of(folder, tmp_path, "lapgan", "dcgan")
    begun_otherwise(tmp_path, "lapgan")
    assert fit_zoo(run) == ("dcgan",)
    assert run.stages.records["fit lapgan"].note.startswith("not fitted: ")


@pytest.mark.usefixtures("few_suffice")
def test_a_budget_of_nothing_is_refused_and_no_stage_is_finished_by_it(folder: Path, tmp_path: Path) -> None:
    run = FolderRun(folder, tmp_path, FolderOptions(minutes=0.0, side=16, families=("dcgan",)), silent)
    with pytest.raises(OptionRefused):
        fit_zoo(run)
    assert "fit dcgan" not in run.stages.records


@pytest.mark.usefixtures("few_suffice")
def test_a_zoo_without_any_family_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    begun_otherwise(tmp_path, "dcgan")
    with pytest.raises(TooFewPictures, match="no family was fitted"):
        fit_zoo(run_of(folder, tmp_path))


@pytest.mark.usefixtures("few_suffice")
@pytest.mark.parametrize("change", [{"seed": 1}, {"minutes": 0.06}, {"side": 32}], ids=str)
def test_a_run_of_other_options_is_refused(folder: Path, tmp_path: Path, change: dict[str, float]) -> None:
    assert run_of(folder, tmp_path).index.photos
    make: Callable[..., FolderOptions] = FolderOptions
    options = make(**{"minutes": 0.05, "side": 16, "families": ("dcgan",), **change})
    with pytest.raises(FolderTaken, match="other options"):
        FolderRun(folder, tmp_path, options, silent)
