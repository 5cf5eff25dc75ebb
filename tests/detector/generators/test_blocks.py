"""Parts of networks by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from detector.core.errors import OptionRefused
from detector.generators.blocks import (
    Enlarge,
    Layers,
    Logits,
    SiluBlock,
    adam,
    doubled,
    doubling_widths,
    normal_weights,
    variance_kept,
)


@pytest.mark.parametrize("kind", ["transposed", "shuffle", "nearest", "bilinear"])
def test_every_way_of_enlarging_doubles_the_side(kind):
    assert Enlarge(kind, 3, 5)(torch.zeros(2, 3, 6, 4)).shape == (2, 5, 12, 8)


def test_a_way_of_enlarging_that_nobody_wrote_is_refused():
    with pytest.raises(OptionRefused, match="no upsampler 'magic'"):
        Enlarge("magic", 3, 3)


def test_a_doubled_picture_repeats_its_pixels_or_goes_evenly_between_them():
    x = torch.tensor([[0.0, 4.0]]).view(1, 1, 1, 2)
    assert doubled(x, "nearest")[0, 0].tolist() == [[0, 0, 4, 4]] * 2
    assert doubled(x, "bilinear")[0, 0].tolist() == [[0, 1, 3, 4]] * 2


def test_shuffling_takes_the_four_phases_from_four_filters():
    enlarge = Enlarge("shuffle", 1, 1)
    with torch.no_grad():
        enlarge.conv.weight.zero_()
        enlarge.conv.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        assert enlarge(torch.zeros(1, 1, 1, 1))[0, 0].tolist() == [[1, 2], [3, 4]]


def test_channels_double_towards_the_coarsest_grid():
    assert doubling_widths(32, 8) == [32, 16, 8]
    assert doubling_widths(28, 8) == [16, 8]


def test_weights_start_with_the_deviation_that_keeps_the_variance():
    torch.manual_seed(0)
    layer = variance_kept(nn.Conv2d(64, 64, 3), gain=2.0)
    assert float(layer.weight.detach().std()) == pytest.approx(2 / math.sqrt(64 * 9), rel=0.02)
    assert not layer.bias.any()
    assert not variance_kept(nn.Linear(4, 4, bias=False), gain=0.0).weight.any()
    net = nn.Sequential(nn.Conv2d(32, 32, 3), nn.Linear(4, 4))
    before = net[1].weight.clone()
    normal_weights(net, 0.02)
    assert float(net[0].weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert torch.equal(net[1].weight, before)


def test_layers_have_one_name_in_files_and_logits_are_one_number_a_picture():
    net = Logits(nn.Conv2d(3, 1, 4))
    assert set(net.state_dict()) == {"layers.0.weight", "layers.0.bias"}
    assert net(torch.zeros(5, 3, 4, 4)).shape == (5,)
    assert torch.equal(Layers(nn.Identity(), nn.ReLU())(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))


def test_a_residual_block_without_weights_gives_back_what_it_is_given():
    block = SiluBlock(4)
    for p in block.b.parameters():
        nn.init.zeros_(p)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x)


def test_the_first_step_of_adam_is_the_rate_against_the_sign_of_the_gradient():
    weight = nn.Parameter(torch.tensor([1.0, 1.0]))
    optimiser = adam([weight], 0.1, (0.5, 0.9))
    (weight * torch.tensor([3.0, -2.0])).sum().backward()
    optimiser.step()
    assert weight.tolist() == pytest.approx([0.9, 1.1], abs=1e-6)
    assert optimiser.param_groups[0]["fused"]
