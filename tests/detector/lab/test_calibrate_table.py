"""From a score table to a line, to what it vouches for, and to what was measured: on tables drawn by
chance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from detector.core.bounds import at_most
from detector.core.errors import CalibrationError
from detector.core.metrics import cllr
from detector.lab.steps.calibrate_table import CardParts, calibrate_table
from detector.lab.steps.certify import certify, tenfold
from detector.lab.steps.judge_table import answers_at, encoding_of, is_face, judge_table, mixed, unknown_share
from detector.lab.steps.score_fit import (
    apart,
    counted,
    crossed,
    fit_given,
    folds_of,
    lines_of,
    table_of,
    weighing,
)
from detector.lab.steps.scores import ScoreRow
from detector.models.condition import Condition
from detector.models.guarantees import decide
from detector.models.kinds import Kind
from tests.detector.lab.score_rows import Drawn

PHOTOS = {Kind.PHOTO: 24}
PLAIN = Condition(side=512, quality=90, media_type="image/jpeg")


@pytest.fixture(scope="module")
def rows() -> tuple[ScoreRow, ...]:
    return Drawn(sources={Kind.PHOTO: 22, Kind.ART: 7, Kind.SCAN: 2}).rows()


@pytest.fixture(scope="module")
def parts(rows: tuple[ScoreRow, ...]) -> CardParts:
    return calibrate_table(rows, 0.5, rounds=12)


def test_the_line_finds_the_ratio_of_two_laws() -> None:
    table = table_of(Drawn(sources=PHOTOS, alike=0.0, apart=2.0, per_source=60, per_generator=60).rows(), 0.5)
    line = fit_given(table, rounds=0)
    for logit in (-1.0, 1.0, 3.0):
        assert line.line(logit, Kind.PHOTO, PLAIN)[0] == pytest.approx(2 * logit - 2, abs=0.35)


def test_neither_size_nor_class_counts_speak_by_themselves() -> None:
    """Generated pictures are small here and real ones large, and scores grow with size: a line that took size
    for a label would call small pictures generated."""
    drawn = Drawn(sources=PHOTOS, apart=2.0, alike=0.0, by_size=0.5, real_side=900, fake_side=500)
    table = table_of(drawn.rows(), 0.5)
    w = weighing(table).balanced()
    assert w.sum() == pytest.approx(1)
    assert w[table.fake].sum() == pytest.approx(0.5)
    line = fit_given(table, rounds=0)
    for side in (400, 800):
        condition = replace(PLAIN, side=side)
        middle = 1 + 0.5 * math.log2(side / 512)
        assert line.line(middle, Kind.PHOTO, condition)[0] == pytest.approx(0, abs=0.5)


def test_a_bin_with_one_class_has_no_weight(rows: tuple[ScoreRow, ...]) -> None:
    lonely = [replace(r, sha256=f"far {n}", side=4000, quality=None) for n, r in enumerate(rows[:9])]
    table = table_of([*rows, *lonely], 0.5)
    assert not weighing(table).balanced()[-9:].any()


def test_every_source_weighs_as_the_root_of_its_pictures_and_no_more_than_sixty_of_them() -> None:
    rows = Drawn(sources={Kind.PHOTO: 2}, generators=4).rows()
    many = [
        replace(r, sha256=f"{n} {r.sha256}", source="large") for n in range(9) for r in rows if not r.fake
    ]
    table = table_of([*rows, *many], 0.5)
    alone = weighing(table).alone
    large = alone[table.clusters == "real large"].sum()
    small = alone[table.clusters == "real photos of 0"].sum()
    assert large / small == pytest.approx(math.sqrt(60 / 30))


def test_ratios_that_are_measured_saw_neither_the_source_nor_the_generator(
    rows: tuple[ScoreRow, ...],
) -> None:
    table = table_of(rows, 0.5)
    fold = folds_of(table)
    for n in range(5):
        others, mine = apart(table, fold, n), fold == n
        for name in ("source", "generator"):
            seen = {getattr(table.rows[i], name) for i in np.flatnonzero(others)} - {""}
            held = {getattr(table.rows[i], name) for i in np.flatnonzero(mine)} - {""}
            assert not seen & held
    spread = crossed(table)
    fitted = lines_of(fit_given(table, rounds=0), table)
    assert np.corrcoef(spread, fitted)[0, 1] > 0.98
    assert not np.array_equal(spread, fitted)


def test_certified_kinds_keep_their_bound_and_small_ones_get_none(parts: CardParts) -> None:
    said = {c.kind: c for c in parts.guarantees.supports}
    for kind in (Kind.PHOTO, Kind.ART):
        c = said[kind]
        assert c.log10_ratio is not None
        assert c.bound is not None
        assert c.bound == pytest.approx(at_most(c.false, c.pictures))
        assert c.bound <= 0.02
        assert (c.by_source is None) is (c.sources < 20)
        assert c.by_source is None or c.bound <= c.by_source <= 0.02
    assert (said[Kind.SCAN].log10_ratio, said[Kind.SCAN].pictures) == (None, 60)
    assert (said[Kind.RENDER].log10_ratio, said[Kind.RENDER].pictures) == (None, 0)


def test_new_pictures_of_the_same_law_are_called_generated_as_rarely_as_was_vouched_for() -> None:
    drawn = Drawn(sources={Kind.PHOTO: 30})
    table = table_of(drawn.rows(1), 0.5)
    line = fit_given(table, rounds=0)
    guarantees = certify(table, crossed(table), 0.5)
    fresh = table_of(drawn.rows(2), 0.5)
    scores = lines_of(line, fresh)
    said = np.array(answers_at(fresh, scores, scores, guarantees))
    assert (said[~fresh.fake] == "supports").mean() <= 0.02
    assert (said[fresh.fake] == "supports").mean() > 0.3


def test_no_source_with_fifty_pictures_bears_the_false_alarms_of_all() -> None:
    rows = list(Drawn(sources={Kind.PHOTO: 30}, per_source=60).rows())
    odd = [replace(r, logit=r.logit + 1.5) if r.source == "photos of 3" else r for r in rows]
    for table in (table_of(rows, 0.5), table_of(odd, 0.5)):
        llr = crossed(table)
        point = certify(table, llr, 0.5).supports[0].log10_ratio
        assert point is not None
        for s in range(30):
            mine = np.array([r.source == f"photos of {s}" for r in table.rows])
            assert (llr[mine] / math.log(10) >= point).mean() <= 0.02


def test_a_point_as_a_logarithm_to_ten_leaves_out_what_it_left_out() -> None:
    """A point is the next number above a ratio; divided by ln 10 the two are the same number now and then."""
    ratios = np.random.default_rng(0).uniform(1.2, 8.0, 500)
    points = np.nextafter(ratios, math.inf)
    assert (points / math.log(10) == ratios / math.log(10)).any()
    for ratio, point in zip(ratios, points, strict=True):
        others = np.array([ratio, point, ratio - 1, ratio + 1])
        assert ratio / math.log(10) < tenfold(float(point), others) <= np.nextafter(point / math.log(10), 9)
    assert tenfold(2.0, np.array([1.0, 3.0])) == 2.0 / math.log(10), "nothing is near: nothing moves"


def test_pictures_of_a_kind_that_are_taken_for_another_are_protected_too(rows: tuple[ScoreRow, ...]) -> None:
    hidden = [
        replace(r, predicted=Kind.PHOTO, logit=r.logit + 2.0) if r.kind is Kind.ART else r for r in rows
    ]
    table = table_of(hidden, 0.5)
    llr = crossed(table)
    point = certify(table, llr, 0.5).supports[0].log10_ratio
    assert point is not None
    for view in ("stored", "small"):
        mine = np.array([r.kind is Kind.ART and r.view == view for r in table.rows])
        false = int((llr[mine] / math.log(10) >= point).sum())
        assert at_most(false, int(mine.sum())) <= 0.02


def test_against_is_earned_where_generators_stay_away_and_lost_where_one_does_not() -> None:
    drawn = Drawn(sources={Kind.PHOTO: 30}, per_source=40, per_generator=60, apart=4.0)
    rows = drawn.rows()
    table = table_of(rows, 0.5)
    earned = certify(table, crossed(table), 0.5).against
    assert {(e.min_side, e.max_side) for e in earned} >= {(1, 400)}
    for e in earned:
        assert e.bound <= 1 / 3
        assert e.worst <= 1 / 3
        assert e.log10_ratio <= -0.5
    passing = [replace(r, logit=r.logit - 4.0) if r.generator == "generator 7" else r for r in rows]
    table = table_of(passing, 0.5)
    assert certify(table, crossed(table), 0.5).against == ()


def test_pictures_whose_kind_is_not_known_are_a_group_with_a_point_of_its_own() -> None:
    rows = Drawn(sources={Kind.PHOTO: 22, Kind.ART: 7}).rows()
    vague = [replace(r, kind_probability=0.4) if r.kind is Kind.ART else r for r in rows]
    table = table_of(vague, 0.5)
    said = {c.kind: c for c in certify(table, crossed(table), 0.5).supports}
    assert said[None].log10_ratio is not None
    assert said[None].pictures == 210
    assert said[Kind.ART].pictures == 210, "they are what they are, whatever is known"


def test_without_a_content_head_one_point_holds_for_every_kind() -> None:
    rows = Drawn(sources={Kind.PHOTO: 22, Kind.ART: 7}, kinds=False).rows()
    table = table_of(rows, None)
    llr = crossed(table)
    (certified,) = certify(table, llr, None).supports
    assert certified.kind is None
    assert certified.log10_ratio is not None
    for kind in (Kind.PHOTO, Kind.ART):
        mine = np.array([r.kind is kind and r.view == "stored" for r in table.rows])
        false = int((llr[mine] / math.log(10) >= certified.log10_ratio).sum())
        assert at_most(false, int(mine.sum())) <= 0.02


def test_what_ships_answers_as_what_was_measured(rows: tuple[ScoreRow, ...], parts: CardParts) -> None:
    """The procedure of the service and the one over a whole table are one."""
    table = table_of(rows, 0.5)
    line = lines_of(parts.calibration, table)
    said = answers_at(table, line, mixed(table, line, parts.calibration.unknown), parts.guarantees)
    for i in range(0, len(rows), 37):
        r = rows[i]
        one = decide(parts.calibration, parts.guarantees, r.logit, r.predicted, r.condition)
        assert one.answer.value == said[i]


def test_of_kinds_of_generators_that_pass_the_next_is_expected(rows: tuple[ScoreRow, ...]) -> None:
    table = table_of(rows, 0.5)
    line = crossed(table)
    assert unknown_share(table, line) == pytest.approx(1 / 22)
    passing = np.where(table.clusters == "generator 3", line[~table.fake].mean(), line)
    assert unknown_share(table, passing) == pytest.approx(2 / 22)


def test_what_was_measured_is_counted_by_generator_source_kind_size_and_encoding(parts: CardParts) -> None:
    stored, small = parts.judged
    assert (stored.view, small.view) == ("stored", "small")
    assert (stored.real, stored.generated, stored.sources, stored.generators) == (930, 600, 31, 20)
    assert stored.macro_auc.low < stored.macro_auc.value < stored.macro_auc.high
    assert 0.9 < stored.macro_auc.value < 1
    assert stored.worst is None, "no generator has forty pictures"
    assert stored.faces is None
    assert sum(r.n for r in stored.by_generator) == 600
    assert sum(r.n for r in stored.by_source) == 930
    for groups in (stored.by_kind, stored.by_size, stored.by_encoding):
        assert sum(r.n for r in groups) == 1530
    for r in stored.by_source:
        assert r.wrong_at_most >= r.supports.value
    (everything,) = [a for a in stored.answers if a.kind is None and not a.fake]
    assert everything.n == 930
    assert 0 < stored.cllr.value < 0.7


def test_a_table_is_judged_with_the_same_figures_as_when_it_is_calibrated(
    rows: tuple[ScoreRow, ...], parts: CardParts
) -> None:
    few = [r for r in rows if r.view == "stored"]
    (alone,) = judge_table(few, 0.5)
    assert alone.view == "stored"
    faces = judge_table(few, 0.5, faces={"generator 1", "generator 2"})[0].faces
    assert faces is not None
    assert faces.n == 60
    assert alone.macro_auc.value == pytest.approx(parts.judged[0].macro_auc.value, abs=0.02)


def test_ratios_of_left_out_pictures_say_more_than_silence(rows: tuple[ScoreRow, ...]) -> None:
    table = table_of(rows, 0.5)
    line = crossed(table)
    assert cllr(line[~table.fake], line[table.fake]) < 0.6
    assert counted(table) == (930, 600)


def test_too_few_pictures_and_a_score_that_ranks_the_wrong_way_are_refused(
    rows: tuple[ScoreRow, ...],
) -> None:
    with pytest.raises(CalibrationError, match="are needed"):
        table_of([r for r in rows if not r.fake], 0.5)
    with pytest.raises(CalibrationError, match="does not rank"):
        fit_given(table_of([replace(r, logit=-r.logit) for r in rows], 0.5), rounds=0)


@pytest.mark.parametrize(
    ("quality", "media_type", "name"),
    [
        (79, "image/jpeg", "JPEG below 80"), (92, "image/jpeg", "JPEG 80 to 92"),
        (None, "image/png", "no JPEG"),
        (None, "image/jpeg", "JPEG without a table"),
    ],
)  # fmt: skip
def test_encodings_have_names(
    rows: tuple[ScoreRow, ...], quality: int | None, media_type: str, name: str
) -> None:
    assert encoding_of(replace(rows[0], quality=quality, media_type=media_type)) == name


def test_gan_faces_are_told_from_upscalers_by_name() -> None:
    assert is_face("StyleGAN2 (FFHQ)")
    assert not is_face("Real-ESRGAN x4")


def test_kinds_can_gate_answers_without_being_given_to_the_ratio(rows: tuple[ScoreRow, ...]) -> None:
    parts = calibrate_table(rows, 0.5, rounds=2, given_kind=False)
    assert parts.calibration.given is not None
    assert not {"art", "scan"} & set(parts.calibration.given.terms)
    ratios = [parts.calibration.ratio(2.0, kind, PLAIN) for kind in (Kind.PHOTO, Kind.ART, None)]
    assert ratios[0] == ratios[1] == ratios[2]
    assert ratios[0].calibration_items == 1530
    said = {c.kind: c.log10_ratio for c in parts.guarantees.supports}
    assert said[Kind.SCAN] is None
    assert said[Kind.PHOTO] is not None
    for r in rows[::101]:
        one = decide(parts.calibration, parts.guarantees, r.logit, r.predicted, r.condition)
        assert (one.answer.value == "abstain") is (r.predicted is Kind.SCAN)
