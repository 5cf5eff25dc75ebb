"""A calibration on somebody's own pictures: what it vouches for, what it refuses, and how reports name it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Question
from authn.sources.own_pictures import under_own
from detector.core.errors import ModelUnavailable, TooFewPictures
from detector.models.own_pictures import (
    OwnCalibration,
    allowed,
    calibration_bytes,
    needed,
    open_calibration,
    own_point,
)

RNG = np.random.default_rng(0)
REAL = [float(x) for x in RNG.normal(0, 1, 400)]
MADE = [float(x) for x in RNG.normal(3, 1, 120)]
POINT = own_point("d", "w" * 64, REAL, MADE)


def opened(tmp_path: Path, data: bytes) -> OwnCalibration:
    (path := tmp_path / "own.json").write_bytes(data)
    return open_calibration(path)


def evidence(raw: float | None, *, detector: str = "d", weights: str = "w" * 64) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector=detector, version="1", kind="learned", question=Question.SYNTHETIC, raw=raw,
        outcome=HeuristicOutcome.AGAINST, reason="as shipped", model_sha256=weights,
    )  # fmt: skip


def test_a_point_is_vouched_for_by_the_counts_beside_it() -> None:
    assert POINT.false == sum(x > POINT.logit for x in REAL) <= allowed(400)
    assert POINT.bound <= POINT.goal
    assert POINT.found_low < POINT.found / POINT.generated < POINT.found_high


def test_the_promise_holds_for_pictures_that_were_not_measured() -> None:
    """At most 2 in 100 of the real ones to come, in 95 of 100 calibrations: counted over 400 of them."""
    broken = 0
    for _ in range(400):
        point = own_point("d", "w", [float(x) for x in RNG.normal(0, 1, 200)], [9.0])
        broken += 0.5 * (1 - float(_erf(point.logit / 2**0.5))) > point.goal
    assert broken / 400 < 0.08


def _erf(x: float) -> float:
    from math import erf

    return erf(x)


def test_too_few_pictures_are_refused_with_the_number_it_takes() -> None:
    assert needed() == 149
    assert allowed(149) == 0
    with pytest.raises(TooFewPictures, match="it takes 149"):
        own_point("d", "w", REAL[:148], MADE)
    with pytest.raises(TooFewPictures, match="no generated picture"):
        own_point("d", "w", REAL, [])


def test_a_report_answers_by_it_names_it_and_never_says_against(tmp_path: Path) -> None:
    calibration = opened(tmp_path, calibration_bytes("ours", "0" * 64, [POINT]))
    beyond, below = under_own([evidence(POINT.logit + 1), evidence(POINT.logit)], calibration)
    assert beyond.outcome is HeuristicOutcome.SUPPORTS
    assert f"your calibration ours ({calibration.sha256[:12]})" in beyond.reason
    assert beyond.guarantee is not None
    assert (beyond.guarantee.pictures, beyond.guarantee.bound) == (400, 0.02)
    assert below.outcome is HeuristicOutcome.INCONCLUSIVE
    assert (below.llr, below.guarantee) == (None, None)
    others = [evidence(9.0, detector="e"), evidence(9.0, weights="x"), evidence(None)]
    assert list(under_own(others, calibration)) == others


@pytest.mark.parametrize(
    "change",
    [{"false": 40}, {"bound": 0.001}, {"goal": 0.5}, {"real": 20}, {"sure": 0.5}, {"logit": float("nan")},
     {"real": float("inf")}, {"real": 10**400}, {"real": 0}, {"false": -1},
     {"model_id": None, "extra": 1}],
    ids=str,
)  # fmt: skip
def test_a_file_that_claims_more_than_its_counts_give_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    table = json.loads(calibration_bytes("ours", "0" * 64, [POINT]))
    table["points"][0] |= change
    with pytest.raises(ModelUnavailable):
        opened(tmp_path, json.dumps(table).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"version": 2}', b"\xff"])
def test_what_is_no_calibration_is_one_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelUnavailable):
        opened(tmp_path, data)
    with pytest.raises(ModelUnavailable):
        open_calibration(tmp_path / "nowhere")
