"""Bits per colour value: what kind of number, its units, and numbers that are none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.errors import NotApplicable
from detector.core.progress import silent
from detector.generators import FAMILIES, make_family
from detector.generators.density import STEP
from detector.generators.family import Likelihood
from detector.generators.source import ImageSource
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.likelihood import (
    KINDS,
    Bits,
    Likely,
    bits_of,
    likelihood_json,
    likelihood_run,
    likelihood_text,
)
from detector.zoo.sources.data import Data
from detector.zoo.store import Fitted, card_of, open_family, save_family


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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine that was fitted for a moment on pictures of one tone."""
    path = tmp_path_factory.mktemp("runs") / "pixelcnn"
    images = np.broadcast_to(np.arange(100, 116)[:, None, None, None], (16, 8, 8, 1)).astype(np.uint8)
    family, budget = make_family("pixelcnn", side=8, width=8, batch=8, seed=0), Budget(steps=60)
    source = ImageSource(name="tones", images=images)
    result = fit(family, source, budget, seed=0, precision="float32")
    save_family(family, path, card_of(family.spec, source, budget, result))
    np.savez(path / "given.npz", images=images)
    return path


def test_what_was_learned_takes_fewer_bits_than_noise_and_a_guess_takes_eight(run: Path) -> None:
    data = Data(name=str(run / "given.npz"))
    found = likelihood_run(run, data, count=9, seed=0, report=silent)
    assert (found.pictures.n, found.pictures.units, found.noise.n) == (9, 9, 9)
    assert found.pictures.mean is not None and found.noise.mean is not None  # noqa: PT018  for mypy
    assert found.pictures.mean < 7 < 8 < found.noise.mean
    assert found == likelihood_run(run, data, count=9, seed=0, report=silent)
    again = json.loads(likelihood_json(found))
    assert (again["family"], again["kind"], again["pictures"]["mean"]) == (
        "pixelcnn", "exact", found.pictures.mean,
    )  # fmt: skip
    fitted = open_family(run)
    with torch.no_grad():
        fitted.family.net.head[-1].weight.zero_()
        fitted.family.net.head[-1].bias.zero_()
    save_family(fitted.family, run.with_name("uniform"), fitted.card)  # type: ignore[arg-type]
    guess = likelihood_run(run.with_name("uniform"), data, count=9, seed=0, report=silent)
    assert (guess.pictures.mean, guess.noise.mean) == (pytest.approx(8), pytest.approx(8))


def test_a_family_without_a_likelihood_names_those_that_have_one(tmp_path: Path) -> None:
    family = make_family("gan", side=8, width=4)
    source = ImageSource(name="x", images=np.zeros((2, 8, 8, 1), np.uint8))
    budget = Budget(steps=1)
    save_family(family, tmp_path, card_of(family.spec, source, budget, fit(family, source, budget, seed=0)))
    with pytest.raises(NotApplicable, match="gan does not know how likely a picture is; dbm, pixelcnn"):
        likelihood_run(tmp_path, Data(name="nowhere"), count=2, seed=0, report=silent)


def test_the_table_says_what_was_not_examined_and_why_and_leaves_no_empty_interval() -> None:
    known = Bits(mean=3.25, low=3.0, high=3.5, n=90, units=9)
    nothing = Bits(mean=None, low=None, high=None, n=4, units=4, not_examined="no finite number for 1 of 4")
    row = KINDS["dbm"]
    found = Likely(
        family="dbm", weights_sha256="", kind=row.kind, why=row.why, source="digits", pictures=known,
        noise=nothing,
    )  # fmt: skip
    _head, first, second, last = likelihood_text(found).splitlines()
    assert first.split() == ["digits", "3.2500", "3.0000", "to", "3.5000", "90", "9"]
    assert "not examined" in second
    assert second.endswith("4      4  no finite number for 1 of 4")
    assert last == f"dbm: estimate; {row.why}."
    assert json.loads(likelihood_json(found))["noise"]["mean"] is None
