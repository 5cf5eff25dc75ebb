"""What one trace detector gained over another, of pictures that both scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from detector.core.errors import TooFewPictures
from detector.lab.steps.scores import ScoreRow
from detector.lab.traces.compare import MIN_FAMILY, compare, comparison_page

VIEWS = ("stored", "laundered")


def table(shift: dict[str, float], *, seed: int = 0, n: int = 40) -> list[ScoreRow]:
    """Pictures of four sources of photos, and of families whose scores lie ``shift`` above theirs."""
    out = []
    for name in ("", *shift):
        for k in range(4 * n if not name else n):
            for v, view in enumerate(VIEWS):
                chance = np.random.default_rng([seed, len(name), k, v])
                out.append(
                    ScoreRow(
                        sha256=f"{name} {k}", fake=bool(name), kind=None, generator=name,
                        source=name or f"camera {k % 4}", view=view, side=256, quality=90,
                        media_type="image/jpeg", logit=float(chance.normal() + shift.get(name, 0.0)),
                        predicted=None, kind_probability=None, distance=1.0,
                    )
                )  # fmt: skip
    return out


def test_what_separates_one_family_better_is_told_by_name_and_moves_the_mean():
    before = table({"upscaler": 0.2, "calm": 1.0})
    after = table({"upscaler": 1.5, "calm": 1.0})
    found = compare(before, after, rounds=60)
    upscaler, calm = found.families
    assert upscaler.name == "upscaler (40)"
    assert upscaler.gained.low > 0.1
    assert calm.gained.value == calm.gained.low == calm.gained.high == 0
    assert found.mean.gained.value == pytest.approx((upscaler.gained.value + calm.gained.value) / 2)
    assert found.mean.after == pytest.approx(np.mean([v.after for v in found.views]))
    assert found.real == 160
    assert found.recall["stored"][1] > found.recall["stored"][0]


def test_a_table_gains_nothing_over_itself_whatever_is_drawn():
    rows = table({"upscaler": 0.5, "calm": 1.0})
    found = compare(rows, rows[::-1], rounds=40)
    for change in (found.mean, *found.views, *found.families):
        assert change.gained.low == change.gained.high == 0
    assert compare(rows, rows, rounds=40) == compare(rows, rows, rounds=40)


def test_chance_alone_is_no_gain():
    found = compare(table({"a": 1.0, "bb": 1.0}), table({"a": 1.0, "bb": 1.0}, seed=1), rounds=200)
    assert found.mean.gained.low < 0 < found.mean.gained.high


def test_only_pictures_and_views_of_both_tables_count():
    rows = table({"upscaler": 0.5, "calm": 1.0, "rare": 2.0})
    fewer = [r for r in rows if r.sha256 != "camera 0" and not (r.generator == "calm" and r.view == "stored")]
    few = [r for r in fewer if r.generator != "rare" or int(r.sha256.split()[1]) < MIN_FAMILY - 1]
    odd = [replace(r, sha256="elsewhere", logit=99.0) for r in rows[:2]]
    found = compare(rows, [*few, *odd], rounds=20)
    assert [c.name for c in found.families] == ["upscaler (40)", "calm (40)"]
    page = comparison_page(found)
    assert "nan" not in page
    assert "| calm (40) |" in page


def test_tables_without_common_families_are_refused():
    with pytest.raises(TooFewPictures, match="no family has 20"):
        compare(table({"a": 1.0}), table({"bb": 1.0}), rounds=5)


@pytest.mark.parametrize("left", [lambda r: r.fake, lambda r: not r.fake], ids=["no photo", "no family"])
def test_a_view_in_which_one_class_is_missing_is_named_and_no_figure(left: Callable[[ScoreRow], bool]):
    rows = [r for r in table({"calm": 1.0}) if r.view == "stored" or left(r)]
    with pytest.raises(TooFewPictures, match="the view laundered has no real pictures, or no family of 20"):
        compare(rows, rows, rounds=5)
