"""Joining two tables: what two detectors know apart adds up, what they know together does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import CalibrationError, CorpusError, ModelUnavailable
from detector.lab.steps.calibrate_table import calibrate_table
from detector.lab.steps.joint_fit import Side, join_tables, side_of_run
from detector.lab.steps.scores import ScoreRow, write_scores
from detector.models.card import ModelCard, open_card
from detector.models.joint import JointCard, dump_joint, open_joint, parse_joint
from detector.models.kinds import Kind
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL, model_files
from tests.detector.lab.score_rows import Drawn

DRAWN = Drawn(sources={Kind.PHOTO: 24}, generators=16, apart=1.5, alike=0.1, per_source=20, per_generator=20)


def other(rows: tuple[ScoreRow, ...], *, same: float) -> list[ScoreRow]:
    """A second detector, whose scores are those of the first to that share."""
    rng = np.random.default_rng(9)
    return [
        replace(
            r, predicted=None, kind_probability=None,
            logit=same * r.logit + (1 - same) * float(rng.normal(1.5 * r.fake, 1.0)),
        )
        for r in rows
    ]  # fmt: skip


def joined(rows: tuple[ScoreRow, ...], second: list[ScoreRow]) -> JointCard:
    shipped = (open_card(SEMANTIC_MODEL), open_card(DEFAULT_MODEL))
    cards: list[ModelCard] = [replace(card, guarantees=None) for card in shipped]
    return join_tables(
        Side(card=cards[0], rows=rows, kind_limit=0.5),
        Side(card=cards[1], rows=second, kind_limit=None),
        rounds=5,
    )


@pytest.fixture(scope="module")
def rows() -> tuple[ScoreRow, ...]:
    return DRAWN.rows()


@pytest.fixture(scope="module")
def card(rows: tuple[ScoreRow, ...]) -> JointCard:
    return joined(rows, other(rows, same=0.0))


def test_independent_detectors_add_up(rows: tuple[ScoreRow, ...], card: JointCard) -> None:
    assert [p.weight for p in card.parts] == pytest.approx([1, 1], abs=0.4)
    alone = calibrate_table(rows, 0.5, rounds=0).judged[0].macro_auc.value
    assert card.judged[0].macro_auc.value > alone + 0.03
    whole = [d.correlation.value for d in card.dependence if d.kind is None]
    assert max(map(abs, whole)) < 0.2


def test_what_both_know_counts_once(rows: tuple[ScoreRow, ...], card: JointCard) -> None:
    kin = joined(rows, other(rows, same=0.5))
    assert sum(p.weight for p in kin.parts) < sum(p.weight for p in card.parts) - 0.2
    assert min(d.correlation.value for d in kin.dependence) > 0.4


def test_a_joint_ratio_that_is_worth_no_more_than_a_part_is_refused(rows: tuple[ScoreRow, ...]) -> None:
    rng = np.random.default_rng(4)
    style = {r.source: 4 * float(rng.normal()) for r in rows}
    misled = [replace(r, logit=r.logit + style[r.source]) for r in other(rows, same=1.0)]
    with pytest.raises(CalibrationError, match="costs more than that of the first detector alone"):
        joined(rows, misled)


def test_the_card_comes_back_as_it_was_and_anything_else_is_refused(card: JointCard) -> None:
    text = dump_joint(card)
    assert parse_joint(text) == card
    for wrong in ("", "[]", text.replace('"joint_version": 1', '"joint_version": 2'), text[:-9]):
        with pytest.raises(ModelUnavailable):
            parse_joint(wrong)


def test_it_fits_its_own_parts_and_no_others(card: JointCard) -> None:
    own = [(p.model_id, p.weights_sha256) for p in card.parts]
    assert card.fits(own)
    assert not card.fits(own[:1])
    assert not card.fits([*own[:1], (own[1][0], "another")])


def test_tables_without_a_common_picture_are_refused(rows: tuple[ScoreRow, ...]) -> None:
    with pytest.raises(CalibrationError, match="no picture stands in both"):
        joined(rows, [replace(r, view="elsewhere") for r in rows])


def test_a_joint_ratio_of_few_pictures_does_not_silence_a_part(rows: tuple[ScoreRow, ...]) -> None:
    alone = calibrate_table(rows, 0.5, rounds=2).into(open_card(SEMANTIC_MODEL))
    few = [r for r in other(rows, same=0.0) if r.fake or r.source.endswith(("1", "2"))]
    with pytest.raises(CalibrationError, match="vouches for answers to photo"):
        join_tables(
            Side(card=alone, rows=rows, kind_limit=0.5),
            Side(card=open_card(DEFAULT_MODEL), rows=few, kind_limit=None),
            rounds=2,
        )


def test_a_run_of_other_weights_is_not_joined(rows: tuple[ScoreRow, ...], tmp_path: Path) -> None:
    weights = model_files(SEMANTIC_MODEL)[1].read_bytes()
    write_scores(rows, tmp_path / "left-out.csv")
    (tmp_path / f"{SEMANTIC_MODEL}.safetensors").write_bytes(weights)
    side = side_of_run(tmp_path, SEMANTIC_MODEL)
    assert (side.card, side.rows) == (open_card(SEMANTIC_MODEL), rows)
    (tmp_path / f"{SEMANTIC_MODEL}.safetensors").write_bytes(weights + b" ")
    with pytest.raises(CorpusError, match="other weights"):
        side_of_run(tmp_path, SEMANTIC_MODEL)


def test_what_ships_can_be_opened_or_is_not_there() -> None:
    found = open_joint()
    assert found is None or {p.model_id for p in found.card.parts} == {SEMANTIC_MODEL, DEFAULT_MODEL}
    assert open_joint("no-such-joint") is None
