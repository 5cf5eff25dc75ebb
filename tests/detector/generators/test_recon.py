from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.core.errors import OptionRefused
from detector.generators.families.recon import Recon
from detector.generators.family import Aligned
from detector.generators.spec import ReconSpec
from tests.detector.generators.made import sixteen, train

SMALL = ReconSpec(family="recon", side=16, width=12, latent=4, upsampler="nearest", batch=16)


@torch.no_grad()
def error_of(family, x):
    return (family.reconstruct(x) - x).abs().mean()


@pytest.mark.parametrize(
    "spec",
    [
        SMALL,
        replace(SMALL, factor=4, upsampler="transposed"),
        replace(SMALL, factor=2, upsampler="shuffle", levels=8),
        replace(SMALL, factor=4, upsampler="bilinear", adversarial=0.01),
    ],
    ids=["factor 2", "factor 4", "quantised", "adversarial"],
)
def test_it_learns_to_copy_sixteen_pictures(spec):
    x = sixteen(16)
    family, _ = train(Recon, spec, x, steps=110)
    assert isinstance(family, Aligned)
    torch.manual_seed(0)
    assert error_of(family, x) < 0.6 * error_of(Recon(spec), x)


@torch.no_grad()
@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("upsampler", ["nearest", "bilinear", "transposed", "shuffle"])
def test_pictures_of_other_sizes_pass_too(factor, upsampler):
    family = Recon(replace(SMALL, factor=factor, upsampler=upsampler))
    assert family.reconstruct(torch.zeros(1, 3, 24, 40)).shape == (1, 3, 24, 40)


@torch.no_grad()
@pytest.mark.parametrize("levels", [2, 5, 8])
def test_a_quantised_latent_has_so_many_values(levels):
    net = Recon(replace(SMALL, levels=levels)).net
    out = net.quantised(torch.linspace(-9, 9, 4001))
    expected = torch.linspace(-1, 1, levels)
    assert torch.allclose(out.unique(), expected, atol=1e-6)


def test_rounding_lets_the_gradient_through():
    net = Recon(replace(SMALL, levels=8)).net
    z = torch.full((3,), 0.4, requires_grad=True)
    net.quantised(z).sum().backward()
    assert torch.allclose(z.grad, 1 - torch.tanh(torch.tensor(0.4)) ** 2)


@torch.no_grad()
def test_drawn_latents_have_the_spectrum_of_those_that_were_seen():
    family = Recon(replace(SMALL, latent=2, side=32, factor=4))
    rng = torch.Generator().manual_seed(0)

    def seen(n):  # smooth, correlated between channels, off centre
        white = torch.randn(n, 1, 8, 8, generator=rng)
        smooth = white + white.roll(1, 3) + white.roll(1, 2)
        return torch.cat([smooth, 0.5 * smooth + torch.randn(n, 1, 8, 8, generator=rng)], 1) + 3

    for _ in range(150):
        family._remember(seen(64))
    kept = {}
    family.net.decode = lambda z: kept.update(z=z) or z
    family.draw(2000, torch.Generator().manual_seed(1))
    z, true = kept["z"] - 3, seen(2000) - 3
    assert z.mean().abs() < 0.1
    for shift in ((0, 0), (0, 1), (1, 0), (2, 0)):
        for a, b in ((0, 0), (0, 1), (1, 1)):
            moved = [(t[:, a] * t[:, b].roll(shift, (1, 2))).mean().item() for t in (z, true)]
            assert moved[0] == pytest.approx(moved[1], abs=0.15)


@torch.no_grad()
def test_the_same_seed_gives_the_same_bytes():
    families = [train(Recon, SMALL, sixteen(16), steps=2)[0] for _ in range(2)]
    a, b = (f.draw(2, torch.Generator().manual_seed(1)).numpy() for f in families)
    assert np.array_equal(a, b)


@pytest.mark.parametrize("wrong", [{"factor": 3}, {"factor": 8, "side": 12}, {"levels": 1}], ids=str)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(OptionRefused):
        replace(SMALL, **wrong)
