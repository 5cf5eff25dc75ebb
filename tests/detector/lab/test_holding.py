"""Which sources of real pictures hold the points of a detector up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from authn.cli import cli
from detector.core.errors import CorpusError
from detector.lab.steps.holding import Holding, holding_page, what_holds
from detector.lab.steps.scores import ScoreRow, write_scores
from detector.models.kinds import Kind
from tests.detector.lab.score_rows import Drawn

RETOUCHED = "photos of 3"


def table(lifted: float) -> tuple[ScoreRow, ...]:
    """Photos of 24 sources and what 12 generators made; one source looks more generated than the others."""
    drawn = Drawn(sources={Kind.PHOTO: 24}, generators=12, per_source=50, per_generator=20)
    return tuple(replace(r, logit=r.logit + lifted) if r.source == RETOUCHED else r for r in drawn.rows())


@pytest.fixture(scope="module")
def held() -> Holding:
    return what_holds(table(2.0), 0.5, rounds=5)


def test_one_source_that_sets_a_point_is_named_first_with_what_it_costs(held: Holding) -> None:
    first = held.without[0]
    assert (first.without, first.pictures) == (RETOUCHED, 50)
    assert len(held.without) == 24
    (at,), (freed,) = held.points.log10_ratio, first.log10_ratio
    assert at is not None
    assert freed is not None
    assert freed < at
    assert sum(first.supported) > sum(held.points.supported)
    assert held.generated == (240,)


def test_where_sources_are_alike_none_of_them_holds_much(held: Holding) -> None:
    even = what_holds(table(0.0), 0.5)
    gain = [sum(h.without[0].supported) - sum(h.points.supported) for h in (held, even)]
    assert gain[1] < gain[0] / 2


def test_the_interval_is_over_sources_and_holds_the_points_with_and_without_the_one(held: Holding) -> None:
    assert held.share is not None
    kind, every = held.share
    assert kind == every  # one kind
    assert every.value == sum(held.points.supported) / 240
    assert every.low <= every.high
    assert every.high > every.value  # draws that miss the source set a lower point


def test_a_view_in_which_nothing_was_generated_is_refused() -> None:
    with pytest.raises(CorpusError, match="resized"):
        what_holds(table(0.0), 0.5, view="resized")


def test_the_command_prints_the_page_of_a_table(held: Holding, tmp_path: Path) -> None:
    write_scores(table(2.0), tmp_path / "left-out.csv")
    found = CliRunner().invoke(
        cli, ["lab", "points", str(tmp_path / "left-out.csv"), "--view", "stored", "--kind-limit", "0.5"]
    )
    assert found.exit_code == 0, found.output
    page = holding_page(held)
    assert f"| {RETOUCHED} | 50 |" in found.stdout
    told = [line for line in page.splitlines() if not line.startswith("| share, sources drawn anew |")]
    assert len(told) == len(page.splitlines()) - 1
    assert found.stdout.strip() == "\n".join(told)  # the interval is for --rounds
    moved = [p for p in held.without if p.log10_ratio != held.points.log10_ratio]
    assert f"of the other {24 - len(moved)} such sources" in page
    assert sum(line.startswith("| photos of ") for line in told) == len(moved) < 24
