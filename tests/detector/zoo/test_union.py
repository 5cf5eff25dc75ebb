"""The union of generators: what an arm may see, what an interval says, and that a run goes on and refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from detector.core.errors import (
    CorpusError,
    FileDamaged,
    FolderTaken,
    OptionRefused,
    TooFewPictures,
)
from detector.generators.source import ImageSource
from detector.zoo.sources.data import Data
from detector.zoo.sources.labelled import labelled_sources
from detector.zoo.union import run as union
from detector.zoo.union.answer import Answer, gain_of, over_seeds, student
from detector.zoo.union.classifier import BATCH, Lessons, _Batches, right, taught
from detector.zoo.union.page import union_text, write_union
from detector.zoo.union.run import MORE, REAL, UNION, Wanted, answers_of, arms_of, union_run
from detector.zoo.union.samples import check_families

TINY = Wanted(families=("vae", "biggan"), each=3, count=8, seeds=2, side=16, steps=(2, 3))


def stripes(folder: Path, count: int = 40) -> Path:
    """Pictures of 40 x 32: class ``lying`` has rows, ``standing`` columns, each with noise of its own."""
    for name in ("lying", "standing"):
        (folder / name).mkdir(parents=True)
    for n in range(count):
        rng = np.random.default_rng(n)
        wave = (np.sin(np.arange(40) * rng.uniform(0.4, 0.9) + rng.uniform(0, 6)) > 0) * 180.0
        picture = np.broadcast_to(wave[:, None] if n % 2 else wave[None], (40, 40))[:, :32]
        noisy = picture[:, :, None] + rng.integers(0, 60, (40, 32, 3))
        name = "lying" if n % 2 else "standing"
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / name / f"{n}.png")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stripes(tmp_path_factory.mktemp("stripes"))


@pytest.fixture(scope="module")
def tried(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("tried") / "run"
    write_union(union_run(TINY, Data(name=str(pictures)), run), run)
    return run


def test_a_classifier_learns_the_classes_of_a_folder(pictures: Path) -> None:
    train, test = labelled_sources(Data(name=str(pictures)), 16)
    assert train.class_names == ("lying", "standing")
    assert train.groups is not None
    net = taught(Lessons(parts=(train,), classes=2), 60, seed=0)
    assert right(net, test).mean() > 0.9


def test_the_same_seed_teaches_the_same_and_augmentation_something_else(pictures: Path) -> None:
    train, _ = labelled_sources(Data(name=str(pictures)), 16)
    plain, again, other = (
        taught(Lessons(parts=(train,), classes=2, augmented=a), 3, seed=1).state_dict()["head.1.weight"]
        for a in (False, False, True)
    )
    assert (plain == again).all()
    assert (plain != other).any()


def test_every_arm_is_tried_with_each_seed_and_the_page_says_what_each_was_taught_by(tried: Path) -> None:
    page = json.loads((tried / "union.json").read_text())
    assert list(page["arms"]) == [a.name for a in arms_of(TINY.families, more=True)]
    assert all(len(a["by_seed"]) == 2 for a in page["arms"].values())
    assert page["answers"][0]["question"] == "union against the real pictures alone"
    assert page["families"]["biggan"]["pictures"] == [8, 8]
    assert 0 <= page["families"]["vae"]["called_as_asked"] <= 1
    assert all((tried / f).stat().st_size for f in ("union.png", "samples.png", "union.md"))
    assert {f.name for f in (tried / "seed-0").iterdir()} >= {"vae.npz", "biggan.npz", "real-union.json"}


def test_a_run_that_was_interrupted_goes_on_to_the_same_answers(
    pictures: Path, tried: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tried, run)
    (run / "seed-1" / "biggan.npz").unlink()
    for arm in (run / "seed-1").glob("real-union*.json"):
        arm.unlink()
    again = union_run(TINY, Data(name=str(pictures)), run)
    before = json.loads((tried / "union.json").read_text())
    assert [a.gain.value for a in again.answers] == [a["value"] for a in before["answers"]]


def test_a_run_of_other_options_and_a_damaged_file_are_refused(pictures: Path, tried: Path) -> None:
    data = Data(name=str(pictures))
    with pytest.raises(FolderTaken, match="other pictures or options"):
        union_run(replace(TINY, each=4), data, tried)
    damaged = tried / "seed-0" / "real.json"
    kept = damaged.read_bytes()
    told = json.loads(kept)
    for odd in ([], {}, told | {"wrong": None}, told | {"wrong": [10**6]}, told | {"arm": UNION}):
        damaged.write_text(json.dumps(odd))
        with pytest.raises(FileDamaged, match="delete it and run again"):
            union_run(TINY, data, tried)
    damaged.write_bytes(kept)


def test_a_union_of_fewer_pictures_than_families_is_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionRefused, match="1 pictures are none of some of 2 families"):
        union_run(replace(TINY, count=1), Data(name=str(pictures)), tmp_path / "run")


def test_an_interval_is_that_of_student_and_wider_for_few_test_pictures() -> None:
    assert [round(student(v), 3) for v in (4, 10, 30)] == [2.776, 2.228, 2.042]
    gains = np.array([0.01, 0.03, 0.02, 0.02, 0.02])
    same = over_seeds(np.repeat(gains[:, None], 1000, 1))
    by_hand = 2.776 * gains.std(ddof=1) / np.sqrt(5)
    assert same.value == pytest.approx(0.02)
    assert same.high - same.value == pytest.approx(by_hand)
    half = np.tile([0.0, 1.0], (5, 25))  # all seeds agree, and 50 test pictures are few
    assert over_seeds(half).high - 0.5 == pytest.approx(2.776 * 0.5 / np.sqrt(50), abs=1e-3)
    with pytest.raises(OptionRefused, match="two seeds"):
        over_seeds(np.ones((1, 9)))


def test_yes_is_said_only_where_the_interval_leaves_no_doubt() -> None:
    rng = np.random.default_rng(0)
    real = (rng.random((5, 2000)) < 0.7).astype(float)
    better = np.maximum(real, rng.random((5, 2000)) < 0.1)
    words = [Answer(question="", gain=gain_of(a, [b])).words for a, b in ((better, real), (real, better))]
    assert words == ["yes", "no, it is worse"]
    assert Answer(question="", gain=gain_of(rng.permuted(real, axis=1), [real])).words == "no, none was shown"


def test_one_generator_means_all_of_them_on_average() -> None:
    right_of = {a.name: np.full((2, 4), 0.5) for a in arms_of(("vae", "gan"), more=False)}
    right_of |= {f"{REAL} + vae": np.zeros((2, 4)), f"{REAL} + gan": np.full((2, 4), 0.5)}
    answers = answers_of(right_of, ("vae", "gan"))
    assert MORE not in right_of
    assert right_of[UNION].mean() - answers[1].gain.value == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("vae",), "two families or more"),
        (("vae", "vae"), "named once"),
        (("vae", "dip"), "draws none of its own"),
        (("vae", "nobody"), "there is no family 'nobody'"),
    ],
)
def test_families_that_make_no_union_are_refused(names: tuple[str, ...], says: str) -> None:
    with pytest.raises(Exception, match=says) as found:
        check_families(names)
    assert found.value.__class__.__module__ == "detector.core.errors"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("file,class\nlying/1.png,lying\n", "gives no class to lying/11.png, lying/13.png"),
        ("file,class\n" + "\n".join(f"lying/{n}.png," for n in range(40)), "gives no class to"),
        ("name,label\nlying/1.png,lying\n", "lacks the columns file and class"),
        ("file,class\na.png,x\na.png,y\n", "gives a.png two classes"),
    ],
    ids=["rows that lack", "cells that lack", "other columns", "two classes"],
)
def test_a_table_with_holes_is_refused_and_names_them(tmp_path: Path, table: str, says: str) -> None:
    folder = stripes(tmp_path / "p")
    (folder / "labels.csv").write_text(table)
    with pytest.raises(CorpusError, match=says):
        labelled_sources(Data(name=str(folder)), 16)


def test_a_table_takes_the_place_of_the_names_of_folders(tmp_path: Path) -> None:
    folder = stripes(tmp_path / "p", 20)
    rows = [f"{'lying' if n % 2 else 'standing'}/{n}.png,{'abc'[n % 3]}" for n in range(20)]
    (folder / "labels.csv").write_text("file,class\n" + "\n".join(rows))
    assert labelled_sources(Data(name=str(folder)), 16)[0].class_names == ("a", "b", "c")


def test_a_folder_of_one_picture_or_of_one_class_is_refused(tmp_path: Path) -> None:
    folder = stripes(tmp_path / "p", 20)
    for n in range(0, 20, 2):
        (folder / "standing" / f"{n}.png").unlink()
    with pytest.raises(TooFewPictures, match="of 1 class"):
        labelled_sources(Data(name=str(folder)), 16)
    for n in range(3, 20, 2):
        (folder / "lying" / f"{n}.png").unlink()
    with pytest.raises(TooFewPictures, match="of 1 class"):
        labelled_sources(Data(name=str(folder)), 16)


def test_a_picture_in_two_classes_and_one_in_none_are_refused(tmp_path: Path) -> None:
    folder = stripes(tmp_path / "p", 12)
    (folder / "standing" / "twin.png").write_bytes((folder / "lying" / "1.png").read_bytes())
    with pytest.raises(CorpusError, match=r"the same picture: standing/twin\.png and lying/1\.png"):
        labelled_sources(Data(name=str(folder)), 16)
    (folder / "standing" / "twin.png").unlink()
    (folder / "lying" / "1.png").rename(folder / "1.png")
    with pytest.raises(CorpusError, match=r"no sub-folder names the class of 1\.png"):
        labelled_sources(Data(name=str(folder)), 16)


def test_more_labels_than_a_class_has_are_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(TooFewPictures, match="training pictures, and 30 labels of"):
        union_run(replace(TINY, each=30), Data(name=str(pictures)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_of_every_picture_the_central_square_counts_and_nothing_is_enlarged(tmp_path: Path) -> None:
    """A bright square with dark ends is bright throughout; what is smaller than asked for is left out."""
    for name, tone in (("dim", 120), ("light", 240)):
        (tmp_path / name).mkdir()
        for n in range(30):
            rng = np.random.default_rng([n, tone])
            wide = np.zeros((32, 60, 3), np.uint8)
            wide[:, 14:46] = tone + rng.integers(-9, 9, (32, 32, 3))
            wide[:, 46:] = rng.integers(0, 60, (32, 14, 3))  # so that no two are near copies
            lying = wide if n % 2 else wide.transpose(1, 0, 2)
            Image.fromarray(lying if n % 3 else lying[::4, ::4]).save(tmp_path / name / f"{n}.png")
    train, test = labelled_sources(Data(name=str(tmp_path)), 16)
    for part in (train, test):
        assert part.images.shape[1:] == (16, 16, 3)
        assert part.labels is not None
        assert part.images[part.labels == 1].min() > 200 > 140 > part.images[part.labels == 0].max()
        assert part.images[part.labels == 0].min() > 90
    assert len(train.images) + len(test.images) == 40
    with pytest.raises(TooFewPictures, match="none with a shorter side of 33 pixels"):
        labelled_sources(Data(name=str(tmp_path)), 33)


def test_each_part_of_a_lesson_is_the_same_share_of_a_batch() -> None:
    many, few = (
        ImageSource(name="x", images=np.zeros((n, 8, 8, 1), np.uint8), labels=np.full(n, c))
        for n, c in ((900, 0), (3, 1))
    )
    batches = _Batches(Lessons(parts=(many, few), classes=2))
    x, labels = batches.draw(torch.Generator().manual_seed(0))
    assert np.bincount(labels.numpy()).tolist() == [BATCH // 2] * 2
    assert x.shape == (BATCH, 1, 8, 8)


def test_the_union_holds_as_many_pictures_as_one_family_and_of_each_as_many(
    pictures: Path, tried: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Lessons] = []
    monkeypatch.setattr(
        union,
        "taught",
        lambda lessons, steps, seed: shown.append(lessons) or taught(lessons, steps, seed=seed),
    )
    shutil.copytree(tried, tmp_path / "run")
    for arm in (tmp_path / "run").glob("seed-*/*.json"):
        arm.unlink()
    union_run(TINY, Data(name=str(pictures)), tmp_path / "run")
    names = [a.name for a in arms_of(TINY.families, more=True)]
    seen = dict(zip(names, shown, strict=False))
    assert [len(p.images) for p in seen[REAL].parts] == [6]
    assert [len(p.images) for p in seen[f"{REAL} + vae"].parts] == [6, 8]
    assert [len(p.images) for p in seen[UNION].parts] == [6, 8]
    assert [len(p.images) for p in seen[MORE].parts] == [6, 8]
    drawn = [{p.tobytes() for p in seen[f"{REAL} + {f}"].parts[1].images} for f in TINY.families]
    together = [p.tobytes() for p in seen[UNION].parts[1].images]
    assert [sum(p in of for p in together) for of in drawn] == [4, 4]
    test = {p.tobytes() for p in labelled_sources(Data(name=str(pictures)), 16)[1].images}
    assert not test & {p.tobytes() for lessons in shown for part in lessons.parts for p in part.images}


def test_without_further_pictures_nobody_says_how_many_are_called_as_asked(
    pictures: Path, tried: Path, tmp_path: Path
) -> None:
    found = union_run(TINY, Data(name=str(pictures)), tried)
    assert "| vae | 8 |" in union_text(found)
    bare = replace(found, of_their_class={}, pictures={"vae": (3, 8), "biggan": (8, 8)})
    page = write_union(bare, tmp_path)
    assert "| vae | 3 to 8 | not examined |" in page
    assert page == (tmp_path / "union.md").read_text()
    stored = json.loads((tmp_path / "union.json").read_text())
    assert stored["families"]["vae"]["called_as_asked"] is None
    assert all(f"{100 * a['value']:+.2f} |" in page for a in stored["answers"])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"seeds": 1}, "needs two seeds or more"),
        ({"steps": None}, "a budget of CPU seconds or of steps"),
        ({"cpu_seconds": 9.0}, "a budget of CPU seconds or of steps"),
    ],
    ids=["one seed", "no budget", "two budgets"],
)
def test_a_run_that_could_not_answer_is_refused_before_a_picture_is_read(
    wrong: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionRefused, match=says):
        union_run(replace(TINY, **wrong), Data(name=str(tmp_path / "nowhere")), tmp_path / "run")  # type: ignore[arg-type]
