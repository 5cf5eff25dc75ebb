from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.core.errors import OptionRefused
from detector.generators.families.flowmatch import Flowmatch
from detector.generators.spec import FlowmatchSpec
from tests.detector.generators.made import sixteen, train

SMALL = FlowmatchSpec(family="flowmatch", side=16, width=16, patch=2, batch=16)


class PointMass(Flowmatch):
    """The exact velocity towards one picture: (x1 - x) / (1 - t)."""

    def velocity(self, x, t, labels):
        return (0.5 - x) / (1 - t[:, None, None, None])


def test_it_learns_the_velocity_towards_sixteen_pictures():
    _, log = train(Flowmatch, SMALL, sixteen(16), steps=60)
    first, last = (np.mean([entry["velocity"] for entry in part]) for part in (log[:5], log[-5:]))
    assert last < 0.6 * first


def test_the_loss_is_the_squared_error_of_picture_minus_noise():
    family, x = Flowmatch(SMALL), sixteen(16)
    draws = family.draws(16, torch.Generator().manual_seed(0))
    # A new network ends in a convolution of zeros and says "no velocity" but for its offset.
    with torch.no_grad():
        family.net.unfold[-1].weight.zero_()
        family.net.unfold[-1].bias.zero_()
    loss = family.terms(x, None, draws)["velocity"]
    assert loss.item() == pytest.approx((x - draws["e"]).square().mean().item(), rel=1e-6)


@torch.no_grad()
def test_the_midpoint_rule_follows_a_straight_path_to_its_end():
    spec = replace(SMALL, evaluations=2)
    out = PointMass(spec).draw(2, torch.Generator().manual_seed(0))
    assert torch.allclose(out, torch.full_like(out, 0.5), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("evaluations", [2, 5, 16])
def test_a_sample_takes_no_more_evaluations_than_the_spec_says(evaluations):
    family, calls = Flowmatch(replace(SMALL, evaluations=evaluations)), []
    real = family.velocity
    family.velocity = lambda *given: calls.append(1) or real(*given)
    family.draw(1, torch.Generator())
    assert evaluations - 1 <= len(calls) <= evaluations


@torch.no_grad()
def test_labels_decide_and_guidance_exaggerates():
    spec = replace(SMALL, classes=3)
    family, log = train(Flowmatch, spec, sixteen(16), steps=12)
    assert log[-1]["velocity"] < log[0]["velocity"]

    def drawn(labels, guidance):
        family.spec = replace(spec, guidance=guidance)
        return family.draw(2, torch.Generator().manual_seed(2), labels)

    zero, one = torch.tensor([0, 0]), torch.tensor([1, 1])
    assert not torch.equal(drawn(zero, 1.0), drawn(one, 1.0))
    step = drawn(zero, 1.0) - drawn(None, 1.0)
    further = drawn(zero, 3.0) - drawn(None, 1.0)
    assert (step * further).sum() > 0
    assert further.norm() > 1.5 * step.norm()


def test_a_picture_whose_class_nobody_named_trains_the_whole():
    family, _ = train(Flowmatch, replace(SMALL, classes=3), sixteen(16), steps=3)
    rng = torch.Generator().manual_seed(0)
    family.train_step(family.optimisers(), sixteen(16), torch.full((16,), -1), rng)
    grad = family.net.label.weight.grad
    assert grad[3].abs().sum() > 0
    assert grad[:3].abs().sum() == 0


@torch.no_grad()
def test_the_same_seed_gives_the_same_bytes():
    families = [train(Flowmatch, SMALL, sixteen(16), steps=2)[0] for _ in range(2)]
    a, b = (f.draw(2, torch.Generator().manual_seed(1)).numpy() for f in families)
    assert np.array_equal(a, b)


@torch.no_grad()
@pytest.mark.parametrize(("side", "channels", "patch"), [(28, 1, 1), (28, 1, 2), (64, 3, 4)])
def test_it_draws_at_every_size(side, channels, patch):
    spec = FlowmatchSpec(
        family="flowmatch", side=side, channels=channels, patch=patch, width=8, evaluations=2
    )
    assert Flowmatch(spec).draw(1, torch.Generator()).shape == (1, channels, side, side)


@pytest.mark.parametrize("wrong", [{"patch": 3}, {"width": 20}, {"evaluations": 1}], ids=str)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(OptionRefused):
        replace(SMALL, **wrong)


def test_times_are_those_of_a_normal_through_the_logistic_function():
    """Two thirds of them within a deviation of the middle: that is where the task is hard."""
    t = Flowmatch(replace(SMALL, side=2)).draws(20_000, torch.Generator().manual_seed(0))["t"]
    assert 0 < t.min() < 0.03 < 0.97 < t.max() < 1
    assert t.median().item() == pytest.approx(0.5, abs=0.01)
    one = torch.tensor([-1.0, 1.0]).sigmoid()
    assert ((t > one[0]) & (t < one[1])).float().mean().item() == pytest.approx(0.683, abs=0.015)


def test_one_picture_in_ten_is_shown_without_its_class():
    family, seen = Flowmatch(replace(SMALL, side=2, classes=3)), []
    family.velocity = lambda x, t, labels: seen.append(labels) or x
    told = torch.arange(9000) % 3
    family.terms(torch.zeros(family.shape(9000)), told, family.draws(9000, torch.Generator().manual_seed(0)))
    hidden = seen[0] == 3
    assert hidden.float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert torch.equal(seen[0][~hidden], told[~hidden])
