from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from detector.core.errors import CalibrationError
from detector.data.splits import Split
from detector.lab.recipe import evaluate_again
from detector.lab.steps.calibrate import calibrate
from detector.lab.steps.card_text import card_markdown
from detector.lab.steps.evaluation import PictureScore, logits, sampled, summarise, write_scores
from detector.lab.steps.plots import plot_run
from detector.lab.steps.training import EpochResult
from detector.lab.steps.views import VIEWS, matched, view_of
from detector.models.calibration import Calibration
from detector.models.card import open_card, parse_card
from detector.models.inference import open_detector
from detector.models.registry import model_files
from tests.detector.made import corpus_of, encoded, photo_like

FIRST = "traces-1"  # judged on a corpus with an index
CALIBRATION = Calibration(
    slope=1.0, intercept=0.0, covariance=(0.0, 0.0, 0.0), real_items=100, fake_items=100
)


def scores() -> list[PictureScore]:
    rng = np.random.default_rng(0)
    out = []
    for name, fake, centre in (("cam", False, -1.0), ("gen", True, 1.0)):
        for n in range(20):
            logit = float(rng.normal(centre, 1))
            answer = "supports" if logit > 1 else "inconclusive"
            out.append(
                PictureScore(
                    set_name=name,
                    fake=fake,
                    picture=f"{name}{n}",
                    view="matched",
                    logit=logit,
                    answer=answer,
                    shorter_side=256 if n % 2 else 1200,
                    codec="WebP" if n < 5 else "none",
                )
            )
    return [*out, replace(out[0], picture="small", logit=None, answer=None)]


def summary():
    ends = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    return summarise(scores(), CALIBRATION, pipelines=ends, aligned=ends)


def test_an_abstention_counts_in_n_and_in_no_score():
    camera = next(r for r in summary().results if r.name == "cam")
    assert (camera.n, camera.abstained, camera.auc) == (21, 1, None)
    assert len(logits(scores(), fake=False)) == 20


def test_generated_sets_are_measured_against_all_real_pictures_with_an_interval():
    generated = next(r for r in summary().results if r.name == "gen")
    assert generated.auc is not None
    assert generated.auc.low < generated.auc.value <= generated.auc.high
    assert generated.auc.n == 40
    assert generated.supports.value == 0.5


def test_errors_are_given_by_size_and_by_the_last_encoding_within_each_group():
    stored = [replace(s, view="as_stored") for s in scores()]
    ends = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    found = summarise([*scores(), *stored], CALIBRATION, pipelines=ends, aligned=ends)
    assert [(r.name, r.fake, r.n) for r in found.by_size] == [
        ("under 300 px", False, 10), ("under 300 px", True, 10), ("from 1200 px", False, 11),
        ("from 1200 px", True, 10),
    ]  # fmt: skip
    assert [(r.name, r.fake, r.n) for r in found.by_codec] == [
        ("none", False, 15), ("none", True, 15), ("WebP", False, 6), ("WebP", True, 5),
    ]  # fmt: skip
    webp = found.by_codec[3]
    assert webp.auc is not None
    assert webp.auc.n == 10


def test_costs_are_given_per_generator():
    ((name, cost, least),) = summary().cllr
    assert name == "gen"
    assert 0 <= least <= cost < 1


def test_scores_are_written_one_per_line(tmp_path):
    write_scores(scores(), tmp_path / "s.jsonl")
    lines = (tmp_path / "s.jsonl").read_text().splitlines()
    assert len(lines) == 41
    assert json.loads(lines[-1])["logit"] is None


def test_every_view_is_a_picture_and_repeats():
    picture = photo_like(200, 260)
    for view in VIEWS:
        assert np.array_equal(view_of(picture, "a", view), view_of(picture, "a", view))
    assert view_of(picture, "a", "as_stored") is picture
    assert view_of(picture, "a", "half").shape == (100, 130, 3)


def test_the_draw_of_a_view_depends_on_the_name_alone():
    picture = photo_like(200, 260)
    assert not np.array_equal(matched(picture, "a", 0), matched(picture, "a", 1))


def test_large_sets_are_sampled_by_digest_and_small_ones_kept_whole(corpus_dir):
    from detector.data.corpus import load_index

    chosen = sampled([i for i in load_index(corpus_dir) if i.split is Split.TEST])
    names = [i.set_name for i in chosen]
    assert names.count("bsds") == 60
    assert 5 < names.count("midjourney") < 40


def test_plots_are_drawn(tmp_path):
    card = replace(open_card(FIRST), evaluation=summary())
    log = [EpochResult(epoch=n, loss=1 / (n + 1), real_accuracy=0.5, fake_accuracy=0.5) for n in range(3)]
    paths = plot_run(tmp_path, log, card, scores())
    assert [p.name for p in paths] == ["loss.png", "scores.png", "roc.png", "false-alarms.png"]
    assert all(p.stat().st_size > 5_000 for p in paths)


def test_a_card_that_was_not_evaluated_says_so():
    assert "Not yet evaluated." in card_markdown(replace(open_card(FIRST), evaluation=None))


def trained():
    from detector.models.weights import load_network

    return load_network(open_card(FIRST), model_files(FIRST)[1])


def test_calibration_without_generated_pictures_is_refused(tmp_path):
    data = encoded(photo_like(200, 200))
    rows = [("train/photos_pexels/a.jpg", "Pexels licence (free use)", data, "s")]
    from detector.data.corpus import load_index

    root = corpus_of(tmp_path, rows)
    items = [replace(i, split=Split.CALIBRATION) for i in load_index(root)]
    with pytest.raises(CalibrationError, match="real and generated"):
        calibrate(trained(), root, items, seed=0, report=lambda *_: None)


def test_the_card_of_a_run_can_be_read_again(tmp_path):
    card = replace(open_card(FIRST), evaluation=summary())
    from detector.models.card import dump_card

    assert parse_card(dump_card(card)) == card


def test_evaluating_a_folder_without_index_is_refused(tmp_path):
    from detector.core.errors import CorpusError

    with pytest.raises(CorpusError):
        evaluate_again(open_detector(), tmp_path, tmp_path, report=lambda *_: None)
