"""What a run over a folder, and a detector made from one, say to people."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from detector.core.metrics import Estimate
from detector.data.splits import Split
from detector.lab.folder.page import detector_text, left_out_text, photos_text, time_text, zoo_text
from detector.lab.steps.card_text import card_markdown
from detector.lab.steps.left_out import LeftOut
from detector.lab.steps.stages import Record
from detector.models.card import FOLDER, SetUse, open_card
from detector.models.registry import DEFAULT_MODEL, MODELS
from detector.zoo.sources.photos import Photo, PhotoIndex, Skipped


def index(skipped: int) -> PhotoIndex:
    return PhotoIndex(
        folder=Path("photos"),
        photos=tuple(
            Photo(path=f"{s}.jpg", sha256=s.value, media_type="image/jpeg", unit=s.value, split=s)
            for s in Split
        ),
        skipped=tuple(Skipped(path=f"{n}.jpg", reason="flat") for n in range(skipped)),
    )


def test_photos_are_counted_by_what_they_serve_for_and_every_reason_is_told() -> None:
    assert photos_text(index(0)).startswith("3 photos: 1 train, 1 calibration, 1 test")
    assert "- `1.jpg`: flat" in photos_text(index(2))
    many = photos_text(index(60))
    assert many.count(": flat") == 50
    assert "and 10 more in `index.json`" in many


def test_a_measure_stands_beside_that_of_real_pictures_and_a_missing_one_was_not_examined(
    tmp_path: Path,
) -> None:
    measure = {
        "name": "KID",
        "space": "mobilenet-v2@96",
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "reference": 0.1,
    }
    (tmp_path / "zoo" / "dcgan").mkdir(parents=True)
    (tmp_path / "zoo" / "dcgan" / "quality.json").write_text(json.dumps({"measures": [measure]}))
    records = {f"fit {n}": Record(made_from="", files={}, note=f"note of {n}") for n in ("dcgan", "vae")}
    head, _, first, second = zoo_text(tmp_path, records).splitlines()
    assert head.startswith("| family | KID, mobilenet-v2@96 |")
    assert first.startswith("| dcgan | 0.5 [0.4, 0.6] (0.1) | not examined |")
    assert first.endswith("| note of dcgan |")
    assert second.count("not examined") == 5


def test_time_is_given_by_kind_of_stage_and_together() -> None:
    spent = {"index": 1.0, "fit a": 2.0, "fit b": 3.0, "judge a": 4.0}
    records = {n: Record(made_from="", files={}, cpu_seconds=s) for n, s in spent.items()}
    text = time_text(records, 0.5)
    assert "| fit each family | 5 |" in text
    assert text.endswith("| together | 10 |\n| asked for | 30 |\n")


def row(family: str, area: float) -> LeftOut:
    of = Estimate(value=area, low=area - 0.1, high=area + 0.1, n=200)
    return LeftOut(family=family, auc=of, true_positives=of, others=())


def test_the_worst_family_is_named_and_what_was_not_examined_says_why() -> None:
    assert (
        left_out_text([], "not examined: two families")
        == "Leave one family out: not examined: two families.\n"
    )
    text = left_out_text([row("easy", 0.9), row("hard", 0.6)], "")
    assert "Mean AUC 0.750; worst family: hard, 0.600." in text
    assert "does not predict real generators" in text


def test_the_page_of_a_detector_has_its_test_results_or_says_that_there_are_none() -> None:
    card = open_card("traces-1")
    assert card.evaluation is not None
    text = detector_text(card)
    real = sum(r.n for r in card.evaluation.results if r.view == "matched" and not r.fake)
    assert f"| matched | real | {real} |" in text
    areas = {r.name: r.auc.value for r in card.evaluation.results if r.view == "matched" and r.auc}
    worst = min(areas, key=areas.__getitem__)
    after = text.split("What it finds worst")[1].splitlines()
    assert after[0].startswith(f" of {len(areas)} generated sets")
    assert after[4].startswith(f"| {worst} | "), "the worst one first"
    assert len(text.splitlines()) < 30, "a part of a page of two screens"
    assert "![Found against false alarms](detector/roc.png)" in text
    assert detector_text(replace(card, evaluation=None)) == "The detector was not evaluated.\n"


@pytest.mark.parametrize("model_id", sorted(MODELS))
def test_the_card_of_a_folder_says_nothing_of_the_detectors_that_ship(model_id: str) -> None:
    mine = replace(
        open_card(model_id), recipe=FOLDER, network="traces", model_id="own-1", left_out=(), guarantees=None,
        judged=(), tested=(),
    )  # fmt: skip
    page = card_markdown(mine)
    assert "photos of one folder" in page
    assert "several pictures of one photo are no more evidence than one" in page
    for foreign in ("TAEF2", "weights_files", "two earlier recipes"):
        assert foreign not in page
        assert foreign in card_markdown(open_card("traces-1"))


def test_a_family_that_was_trained_on_and_not_judged_is_named() -> None:
    card = replace(open_card(DEFAULT_MODEL), recipe=FOLDER, families=("seen", "unseen"), left_out=())
    use = SetUse(name="seen", fake=True, licence="", train=1, calibration=1, test=1, why="")
    assert "too few held-out pictures to be judged: `unseen`." in card_markdown(replace(card, sets=(use,)))
