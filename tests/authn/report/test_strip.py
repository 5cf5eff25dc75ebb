"""A score among those of known pictures: whole pictures, counted with the very weights that scored."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from authn.report.calibration_strip import histogram_of
from authn.report.cards import Document
from detector.core.errors import ModelUnavailable
from detector.models.histogram import Scores, dump_scores, open_scores, parse_scores


def scored(scores: Scores, raw: float | None, kind: str | None = None) -> Document:
    return {
        "id": scores.model_id,
        "kind": "learned",
        "model_sha256": scores.weights_sha256,
        "raw": raw,
        "read_as": kind and {"kind": kind},
        "stability": None,
    }


@pytest.mark.parametrize("raw", [-0.9, -3.0, 0.0, 4.2])
@pytest.mark.parametrize("kind", ["scan", "photo"])
def test_a_strip_says_a_share_of_whole_pictures(raw: float, kind: str) -> None:
    scores = open_scores("semantic-3")
    at = math.floor((raw - scores.low) / scores.step)
    counted = scores.real[kind]
    share = 100 * sum(counted[at:]) / sum(counted)
    found = histogram_of(scored(scores, raw, kind))
    assert found is not None
    said = f"{share:.0f}" if share >= 10 else f"{share:.1f}"
    assert found.alt.startswith(f"As high as this file or higher score {said} % of {sum(counted):,} {kind}s")


def test_a_strip_is_drawn_for_the_weights_that_were_counted_and_for_no_others() -> None:
    scores = open_scores("semantic-3")
    assert histogram_of(scored(scores, 1.0)) is not None
    assert histogram_of(scored(replace(scores, weights_sha256="0" * 64), 1.0)) is None
    for nothing in (None, math.nan, math.inf):
        assert histogram_of(scored(scores, nothing)) is None


def test_scores_beyond_the_counted_ones_stand_at_the_ends() -> None:
    scores = open_scores("semantic-3")
    lowest, highest = (histogram_of(scored(scores, raw)) for raw in (-1000.0, 1000.0))
    assert lowest is not None
    assert highest is not None
    assert lowest.alt.count("100 %") == 2
    last = 100 * scores.generated[-1] / sum(scores.generated)
    assert f" {last:.1f} % of " in highest.alt


@pytest.mark.parametrize("model", ["semantic-3", "traces-2"])
def test_counts_that_ship_are_read_as_they_were_written(model: str) -> None:
    scores = open_scores(model)
    assert parse_scores(dump_scores(scores)) == scores
    step = f'"step": {scores.step}'
    assert step in dump_scores(scores)
    with pytest.raises(ModelUnavailable):
        parse_scores(dump_scores(scores).replace(step, '"step": 0'))
