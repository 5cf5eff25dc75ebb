"""Bounds on a share: never below what was seen, and as often right as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.bounds import at_least, at_most, design_effect
from detector.core.errors import CalibrationError


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 300), share=st.floats(0, 0.99), sure=st.sampled_from([0.8, 0.95, 0.995]))
def test_at_the_bound_so_few_hits_are_as_rare_as_was_said(n: int, share: float, sure: float) -> None:
    hits = int(n * share)
    p = at_most(hits, n, sure=sure)
    seen = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(hits + 1))
    assert seen == pytest.approx(1 - sure, rel=1e-6)
    assert at_least(n - hits, n, sure=sure) == pytest.approx(1 - p)


def test_known_bounds() -> None:
    assert at_most(0, 149) == pytest.approx(1 - 0.05 ** (1 / 149))
    assert at_most(0, 148) > 0.02 > at_most(0, 149)
    assert (at_most(7, 7), at_least(0, 7)) == (1.0, 0.0)
    assert at_most(0.5, 100) < at_most(1, 100)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_a_share_of_nothing_is_refused(hits: int, n: int) -> None:
    with pytest.raises(CalibrationError):
        at_most(hits, n)


def test_pictures_of_one_source_that_all_err_count_as_one() -> None:
    rng = np.random.default_rng(1)
    alike = [(10.0 * (rng.random() < 0.1), 10.0) for _ in range(400)]
    apart = [(float(rng.binomial(10, 0.1)), 10.0) for _ in range(400)]
    assert design_effect(alike) == pytest.approx(10, rel=0.2)
    assert design_effect(apart) == pytest.approx(1, abs=0.25)
    assert design_effect([(0.0, 10.0)] * 9) == design_effect([(3.0, 9.0)]) == 1.0


def test_the_bound_holds_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    held = [at_most(int(h), 200) >= 0.03 for h in rng.binomial(200, 0.03, 400)]
    assert np.mean(held) >= 0.93
