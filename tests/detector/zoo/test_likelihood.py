"""Bits per colour value: what kind of number, its units, and numbers that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from detector.generators import FAMILIES, make_family
from detector.generators.density import STEP
from detector.generators.family import Likelihood
from detector.zoo.likelihood import KINDS, bits_of
from detector.zoo.store import Fitted


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_with_a_likelihood_says_what_kind_it_is(name: str) -> None:
    assert isinstance(make_family(name), Likelihood) == (name in KINDS)


def test_noise_of_one_step_stays_within_the_step_and_is_that_of_its_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = make_family("vae", side=8, width=4)
    seen: list[torch.Tensor] = []

    def listened(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return x.flatten(1).sum(1)

    monkeypatch.setattr(family, "log_prob", listened)
    images = np.full((3, 8, 8, 3), 255, np.uint8)
    for seed in (4, 4, 5):
        Fitted(family).log_prob(images, noise=torch.Generator().manual_seed(seed))
    Fitted(family).log_prob(images)
    first, again, other, plain = seen
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (plain == 1).all()
    assert 0 < (first - 1).abs().max() <= STEP / 2 + 1e-6


def test_the_interval_is_over_photos_where_tiles_share_one() -> None:
    values = np.repeat(np.arange(8.0), 50)  # tiles of one photo are alike
    photos, tiles = bits_of(values, np.repeat(np.arange(8), 50), 0), bits_of(values, np.arange(400), 0)
    assert photos.mean == tiles.mean == 3.5
    assert (photos.units, tiles.units, photos.n) == (8, 400, 400)
    assert photos.low is not None and photos.high is not None  # noqa: PT018  for mypy
    assert tiles.low is not None and tiles.high is not None  # noqa: PT018
    assert photos.high - photos.low > 4 * (tiles.high - tiles.low)
    # Nominal: 1.96 standard errors to either side, sd of 0..7 being 2.29.
    assert photos.high - photos.low == pytest.approx(2 * 1.96 * 2.29 / math.sqrt(8), rel=0.15)


def test_one_photo_has_no_interval_and_an_infinite_number_is_not_examined() -> None:
    one = bits_of(np.array([1.0, 2.0]), np.zeros(2, np.int64), 0)
    assert (one.mean, one.low, one.high, one.units) == (1.5, None, None, 1)
    odd = bits_of(np.array([1.0, np.inf, np.nan]), np.arange(3), 0)
    assert (odd.mean, odd.low) == (None, None)
    assert odd.not_examined == "no finite number for 2 of 3 pictures"
