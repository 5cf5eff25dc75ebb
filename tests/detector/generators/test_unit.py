"""UNIT: two sources share a code, and what is common to them is said in common weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.errors import NotApplicable
from detector.generators import make_family
from detector.generators.family import Family
from detector.generators.source import ImageSource, unpaired
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.store import Fitted

SETTINGS = {
    "side": 16,
    "channels": 1,
    "width": 8,
    "latent": 4,
    "batch": 16,
    "ema": 0.5,
    "learning_rate": 4e-3,
}
TWO = SETTINGS | {"mode": "translate", "classes": 2}


def squares_and_their_negatives(n: int = 32) -> ImageSource:
    """Bright squares anywhere on black, and other dark ones on white."""
    rng = np.random.default_rng(0)
    images = np.full((2 * n, 16, 16, 1), 20, np.uint8)
    for picture in images:
        y, x = rng.integers(1, 9, 2)
        picture[y : y + 6, x : x + 6] = 230
    bright, dark = images[:n], 255 - images[n:]
    return unpaired(ImageSource(name="squares", images=bright), ImageSource(name="negatives", images=dark))


def gradients(family: Family, terms: list[str]) -> set[str]:
    """Networks that these terms of the loss reach."""
    x = torch.rand(8, 1, 16, 16) * 2 - 1
    _, held = family.passed(tuple(x.chunk(2)), family.draws(8, torch.Generator()))
    torch.stack([held[k] for k in terms]).sum().backward()
    return {
        name.split(".weight")[0].split(".bias")[0].removeprefix("translators.")[:9]
        for name, p in family.translators.named_parameters()
        if p.grad is not None and bool(p.grad.abs().sum() > 0)
    }


def test_a_code_is_a_quarter_of_the_side_and_both_sources_come_out_of_it() -> None:
    family = make_family("unit", **TWO).eval()
    x = torch.rand(3, 1, 16, 24) * 2 - 1
    codes = [family.encode(of, x) for of in (0, 1)]
    assert [z.shape for z in codes] == [(3, 4, 4, 6)] * 2
    assert not torch.equal(*codes)
    assert [family.decode(to, codes[0]).shape for to in (0, 1)] == [x.shape] * 2


def test_the_layers_next_to_the_code_are_shared_and_the_others_are_not() -> None:
    family = make_family("unit", **TWO)
    everything = {"own_in.0.", "own_in.1.", "shared_in", "shared_ou", "own_out.0", "own_out.1"}
    assert gradients(family, ["reconstruction", "kl", "cycle", "kl_cycle"]) == everything
    only = make_family("unit", **TWO)
    x = torch.rand(4, 1, 16, 16)
    only.decode(0, only.encode(0, x)).sum().backward()
    reached = {n[:9] for n, p in only.translators.named_parameters() if p.grad is not None}
    assert reached == everything - {"own_in.1.", "own_out.1"}


def test_the_divergence_is_that_of_unit_normals_around_the_codes() -> None:
    family = make_family("unit", **SETTINGS).eval()
    x = torch.rand(4, 1, 16, 16)
    _, terms = family.passed((x,), family.draws(4, torch.Generator()))
    code = family.encode(0, x)
    normal = torch.distributions.Normal
    kl = torch.distributions.kl_divergence(normal(code, 1.0), normal(torch.zeros_like(code), 1.0)).mean()
    torch.testing.assert_close(terms["kl"], 0.01 * kl)


def test_squares_become_their_negatives_in_the_same_place() -> None:
    source = squares_and_their_negatives()
    family = make_family("unit", seed=0, **TWO)
    result = fit(family, source, Budget(steps=150), seed=0, precision="float32")
    assert {"kl", "reconstruction", "kl_cycle", "cycle", "generator0", "discriminator1"} <= set(result.losses)
    fitted, squares = Fitted(family), source.images[:32]
    negatives = fitted.translate(squares, 1).astype(float)
    assert (
        np.abs(negatives - (255.0 - squares)).mean() < 40
    )  # a square elsewhere is 59 away, the same picture 210
    again = fitted.reconstruct(squares).astype(float)
    assert np.abs(again - squares).mean() < 40


def test_a_translating_fit_goes_on_as_if_it_had_not_been_interrupted(tmp_path: Path) -> None:
    def weights(steps: list[int], run: Path | None) -> torch.Tensor:
        for n in steps:
            family = make_family("unit", seed=2, **TWO)
            fit(family, squares_and_their_negatives(8), Budget(steps=n), seed=1, run=run)
        return torch.cat([p.detach().flatten() for p in family.parameters()])

    assert torch.equal(weights([1, 3], tmp_path), weights([3], None))


def test_of_one_source_it_gives_pictures_back_and_does_not_translate() -> None:
    fitted = Fitted(make_family("unit", **SETTINGS))
    images = squares_and_their_negatives(2).images
    assert fitted.reconstruct(images).shape == images.shape
    with pytest.raises(NotApplicable, match="this unit gives pictures back"):
        fitted.translate(images, 1)
    with pytest.raises(NotApplicable, match="unit passes pictures through itself"):
        fitted.sample(1, 0)
