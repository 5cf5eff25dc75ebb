from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.core.errors import OptionRefused
from detector.generators.families.dip import Dip
from detector.generators.spec import DipSpec
from tests.detector.generators.made import sixteen, train

SMALL = DipSpec(family="dip", side=16, channels=1, width=12, latent=8, upsampler="bilinear", iterations=60)


def fresh(spec: DipSpec) -> Dip:
    torch.manual_seed(0)
    return Dip(spec).eval()


@torch.no_grad()
def test_more_iterations_come_nearer_to_the_picture():
    x = sixteen(16, 1)[:2]
    errors = [(fresh(replace(SMALL, iterations=n)).reconstruct(x) - x).square().mean() for n in (1, 10, 60)]
    assert errors[2] < 0.3 * errors[1]
    assert errors[1] < errors[0]


@torch.no_grad()
def test_it_draws_structure_before_noise():
    """Figure 2 of the paper: with equal variance, a picture is fitted long before its shuffled pixels are."""
    x = sixteen(16, 1)[:2]
    order = torch.randperm(256, generator=torch.Generator().manual_seed(0))
    noise = x.flatten(2)[..., order].view_as(x)
    family = fresh(SMALL)
    errors = [(family.reconstruct(y) - y).square().mean() for y in (x, noise)]
    assert errors[0] < 0.3 * errors[1]


@torch.no_grad()
def test_pictures_are_fitted_by_themselves_and_leave_the_prior_as_it_was():
    family, x = fresh(replace(SMALL, iterations=5)), sixteen(16, 1)[:3]
    before = {k: v.clone() for k, v in family.state_dict().items()}
    together, alone = family.reconstruct(x), family.reconstruct(x[1:2])
    assert torch.equal(together[1:2], alone)
    assert all(torch.equal(v, before[k]) for k, v in family.state_dict().items())


def test_a_step_reports_an_error_and_learns_nothing():
    family, log = train(Dip, SMALL, sixteen(16, 1), steps=1)
    assert 0 < log[0]["error"] < 1
    assert all(p.grad is None for p in family.parameters())
    assert family.optimisers() == ()


@torch.no_grad()
def test_the_untrained_prior_draws_different_pictures_and_the_same_ones_again():
    a, b = (fresh(SMALL).draw(2, torch.Generator().manual_seed(1)).numpy() for _ in range(2))
    assert np.array_equal(a, b)
    assert a.std() > 0.02
    assert not np.array_equal(a[0], a[1])


@torch.no_grad()
@pytest.mark.parametrize("upsampler", ["nearest", "transposed", "shuffle"])
def test_every_way_of_enlarging_gives_the_asked_size(upsampler):
    spec = replace(SMALL, side=28, channels=3, upsampler=upsampler, iterations=1)
    assert fresh(spec).reconstruct(torch.zeros(1, 3, 28, 28)).shape == (1, 3, 28, 28)


def test_no_iteration_is_refused():
    with pytest.raises(OptionRefused):
        replace(SMALL, iterations=0)
