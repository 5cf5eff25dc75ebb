"""What can be shown of the GPU path without a GPU: shapes and arithmetic on meta tensors, and that the step
a CUDA graph records is the step that runs here."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from detector.core.errors import NotApplicable
from detector.generators import FAMILIES, make_family
from detector.generators.family import Family, Recordable
from detector.generators.spec import Spec
from detector.zoo.fitting.device import _Recorded, recorded_step
from tests.bench.flops import flops_per_picture

PLAIN = ["dbm", "dip"]  # chains that remember, and one network for each picture
RECORDABLE = sorted(set(FAMILIES) - set(PLAIN))


@pytest.mark.parametrize("name", RECORDABLE)
def test_a_recordable_family_takes_its_step_without_values(name):
    """A step that read a number back from the device would fail on meta tensors."""
    assert isinstance(make_family(name), Recordable)
    assert flops_per_picture(name, batch=12) > 0


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("dcgan", 0.08e9, 0.14e9), ("r3gan", 0.08e9, 0.25e9), ("wgan", 0.08e9, 0.25e9)],
    ids=["dcgan", "r3gan", "wgan"],
)
def test_the_recipes_for_one_core_are_small(name, low, high):
    assert low < flops_per_picture(name) < high


def test_the_arithmetic_of_the_first_gan_is_that_of_its_matrices():
    side, width, latent = 8, 4, 5
    pixels = side * side
    generator = latent * 2 * width + 2 * width * 4 * width + 4 * width * pixels
    judge = pixels * 2 * width * 3 + 2 * width * 2 * width * 3 + 2 * width
    first_g, first_d = latent * 2 * width, pixels * 2 * width * 3
    # Forward, by weights, by inputs; the first layer of whatever is trained needs no gradient of its input.
    # The discriminator runs on reals and on fakes, then once more to pass the gradient on.
    expected = 2 * (3 * generator - first_g + 2 * (3 * judge - first_d) + 2 * judge)
    counted = flops_per_picture("gan", side=side, width=width, latent=latent, batch=8)
    assert counted == pytest.approx(expected)


@pytest.mark.parametrize("name", PLAIN)
def test_the_arithmetic_of_a_family_that_cannot_be_recorded_is_not_counted(name):
    with pytest.raises(NotApplicable):
        flops_per_picture(name)


def test_without_a_gpu_a_step_runs_plainly():
    family = make_family("dcgan", side=8, width=4, batch=4)
    step = recorded_step(family, family.optimisers())
    assert not isinstance(step, _Recorded)
    losses = step(torch.rand(4, 3, 8, 8), None, torch.Generator())
    assert set(losses) == {"discriminator", "generator"}


def test_a_seed_draws_on_the_cpu_whatever_the_device():
    drawn = make_family("biggan").draws(4, torch.Generator().manual_seed(0))
    assert {v.device.type for v in drawn.values()} == {"cpu"}


def test_schedules_are_tensors_that_a_recorded_step_sees():
    class Plain(Family):
        def sampled(self) -> nn.Module:
            return self

        optimisers = train_step = draw = sampled  # type: ignore[assignment]

    family = Plain(Spec(family="plain"))
    assert isinstance(family.progress, torch.Tensor)
    assert "progress" not in family.state_dict()
