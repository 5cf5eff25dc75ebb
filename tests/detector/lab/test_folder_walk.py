"""The whole way from a folder of photos to a card, in a small size; interrupted in the middle of it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from detector.core.errors import LabError
from detector.data.splits import Split, split_units
from detector.lab.folder import left_out, material, run, samples, zoo
from detector.lab.folder.photos import LEAST
from detector.lab.folder.run import FolderOptions
from detector.lab.recipe import FOLDER_MODEL, run_folder
from detector.lab.steps import autoencoders, calibrate
from detector.lab.steps.card_text import card_markdown
from detector.lab.steps.training_set import TrainingOptions
from detector.models.card import parse_card
from detector.models.weights import network_at
from detector.zoo.judging import features
from detector.zoo.sources.photos import SHARES
from tests.detector.made import encoded
from tests.detector.zoo.test_sources import scene

OPTIONS = FolderOptions(minutes=0.05, families=("dcgan", "vae", "wgan"))
WANTED = {Split.TRAIN: 20, Split.CALIBRATION: 20, Split.TEST: 10}
FEW = WANTED | {Split.TRAIN: 10, Split.TEST: 4}  # what a walk needs; a calibration needs as many as ever


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that only takes time, smaller; no stage is left out."""
    for split, n in FEW.items():
        monkeypatch.setitem(LEAST, split, n)
    monkeypatch.setattr(calibrate, "CALIBRATION_DRAWS", 1)
    monkeypatch.setattr(left_out, "_FEWEST_TESTED", 48)
    monkeypatch.setattr(features, "PACKAGE", "no_such_package_at_all")
    monkeypatch.setattr(zoo, "_JUDGED", 24)
    monkeypatch.setattr(samples, "_DRAWN", {Split.TRAIN: 128, Split.CALIBRATION: 64, Split.TEST: 64})
    monkeypatch.setattr(zoo, "_SAMPLING_SHARE", 20.0)
    monkeypatch.setattr(autoencoders, "UPSAMPLERS", ("nearest", "shuffle"))
    monkeypatch.setattr(material, "_REGIONS_PER_PHOTO", (1, 2))
    monkeypatch.setattr(run, "_MIN_STEPS", 8)
    monkeypatch.setattr(run, "_STEPS_PER_EPOCH", 8)
    monkeypatch.setattr(run, "require_minutes", lambda _options, _held_out: None)
    options = TrainingOptions(
        epochs=3, steps_per_epoch=12, pairs_per_batch=4, crop_side=64, width=8, learning_rate=6e-3
    )
    monkeypatch.setattr(FolderOptions, "training", lambda _self, _seconds, _slower=1.0: options)


def folder_of(path: Path, wanted: dict[Split, int]) -> Path:
    """So many photos of each split. Their bytes decide it, and an encoder of another version writes others:
    scenes are made until every part is full."""
    path.mkdir()
    left, n = dict(wanted), 0
    while any(left.values()):
        data = encoded(scene(264, 300, n), "JPEG", quality=92)
        digest = hashlib.sha256(data).hexdigest()
        split = split_units([digest], SHARES)[digest]
        if left[split]:
            (path / f"{n:03d}.jpg").write_bytes(data)
            left[split] -= 1
        n += 1
    return path


@pytest.mark.slow
def test_a_folder_becomes_a_detector_with_a_card_and_an_interruption_costs_nothing(
    small: None, tmp_path: Path
) -> None:
    folder, path = folder_of(tmp_path / "photos", FEW), tmp_path / "run"

    def interrupting(what: str, done: int, _total: int) -> None:
        if what == "training" and done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_folder(folder, path, OPTIONS, interrupting)
    finished = set(json.loads((path / "state.json").read_text())["stages"])
    assert "hold out" in finished
    assert "train detector" not in finished
    seen: list[str] = []
    text = run_folder(folder, path, OPTIONS, lambda what, _done, _total: seen.append(what))
    assert not [w for w in seen if w.startswith(("dcgan", "vae", "wgan", "sampling", "training without"))]
    assert [w for w in seen if w.startswith("[")] == [
        "[14 of 15] train detector",
        "[15 of 15] evaluate detector",
    ]
    log = (path / "detector" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in log] == [0, 1, 2], "the first epoch was not trained again"

    card = parse_card((path / "detector" / f"{FOLDER_MODEL}.json").read_text())
    network_at(card, path / "detector" / f"{FOLDER_MODEL}.safetensors")
    assert card.evaluation is not None
    assert {r.name for r in card.evaluation.results} >= {"photos", "regions", "tiles", "dcgan", "ae_nearest"}
    assert card.calibration.real_items == FEW[Split.CALIBRATION], "photos, not pictures of photos"
    trained = {s.name: s.train for s in card.sets}
    assert trained["photos"] == FEW[Split.TRAIN]
    assert trained["regions"] > 0 < trained["ae_nearest"]
    page = (path / "detector" / f"{FOLDER_MODEL}.md").read_text()
    assert page == card_markdown(card)
    assert "of one folder" in page
    assert not {"TAEF2", "flux1_dev", "weights_files"} & set(re.findall(r"\w+", page)), (
        "not of the shipped one"
    )
    rows = json.loads((path / "left_out.json").read_text())
    assert {r["family"] for r in rows} == {"dcgan", "vae", "wgan"}
    plots = [
        "zoo.png",
        "spectra.png",
        *(f"detector/{n}.png" for n in ("loss", "scores", "roc", "false-alarms")),
    ]
    for name in plots:
        with Image.open(path / name) as shown:
            assert min(shown.size) > 100
    assert not list(path.rglob("*.part"))
    assert (path / "report.md").read_text() == text
    assert "worst family" in text

    seen.clear()
    assert run_folder(folder, path, OPTIONS, lambda what, _done, _total: seen.append(what)) == text
    assert seen == [], "nothing is done a third time"


def refused(folder: Path, run: Path) -> str:
    with pytest.raises(LabError) as e:
        run_folder(folder, run, OPTIONS, lambda _what, _done, _total: None)
    assert not run.exists(), "nothing is left of a run that could not begin"
    return e.value.detail


def test_a_folder_that_is_missing_or_empty_is_one_sentence_that_says_what_is_needed(tmp_path: Path) -> None:
    assert "name cifar10, mnist or a folder of photos" in refused(tmp_path / "gone", tmp_path / "run")
    (tmp_path / "empty").mkdir()
    assert "holds no JPEG, PNG or WebP photo; name a folder" in refused(tmp_path / "empty", tmp_path / "run")


def test_a_folder_in_which_nothing_can_be_read_names_the_first_file_and_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"no photo")
    (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing")
    found = refused(folder, tmp_path / "run")
    assert "none of the 2 files" in found
    assert "a.jpg: neither JPEG, PNG nor WebP" in found
    assert found.endswith("JPEG, PNG or WebP photos are needed")


@pytest.mark.parametrize("part", [Split.TRAIN, Split.CALIBRATION, Split.TEST], ids=str)
def test_too_few_photos_in_a_part_are_told_before_anything_is_fitted(part: Split, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "photos", WANTED | {part: 3})
    found = refused(folder, tmp_path / "run")
    assert f"3 usable ones fell into the {part.value} part, and {LEAST[part]} are needed" in found
    assert "about 130 different photos are enough" in found


def test_photos_that_a_detector_cannot_look_at_do_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(90):
        (folder / f"{n}.jpg").write_bytes(encoded(scene(200, 300, n), "JPEG", quality=92))
    assert "0 usable ones" in refused(folder, tmp_path / "run")
