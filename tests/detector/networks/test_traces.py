"""What the trace network sees and what it is blind to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from detector.networks.residual import ResidualBlock, high_pass_filters
from detector.networks.traces import TraceNet, fake_score, reverse_gradient
from tests.detector.made import photo_like

FAMILIES = 3


@pytest.fixture(scope="module")
def net() -> TraceNet:
    torch.manual_seed(0)
    return TraceNet(FAMILIES, 8, sources=4, codecs=5).eval()


def batch(*sides: int, seed: int = 0) -> Tensor:
    height, width = sides
    pictures = [photo_like(height, width, seed + n) for n in range(2)]
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2)).float()


def test_no_filter_sees_an_even_area_and_the_middle_counts_most():
    filters = high_pass_filters()
    assert filters.shape == (7, 1, 5, 5)
    assert filters.sum((1, 2, 3)).abs().max() < 1e-6
    assert (filters.abs().flatten(1).max(1).values == filters[:, 0, 2, 2].abs()).all()


def test_the_residual_is_that_of_noise_and_not_of_brightness(net: TraceNet):
    x = batch(32, 32)
    inner = np.s_[:, :14, 4:-4, 4:-4]
    assert torch.allclose(net.residuals(x)[inner], net.residuals(x + 30)[inner], atol=1e-4)
    flat = torch.full((1, 3, 32, 32), 90.0)
    assert net.residuals(flat)[:, :, 4:-4, 4:-4].abs().max() < 1e-5


@pytest.mark.parametrize("sides", [(32, 32), (33, 40), (64, 47)])
def test_any_size_from_32_pixels_gives_fifteen_maps_of_that_size(net: TraceNet, sides: tuple[int, int]):
    residuals = net.residuals(batch(*sides))
    assert residuals.shape == (2, 15, *sides)
    assert residuals.abs().max() <= 1
    assert net(batch(*sides)).shape == (2, 1 + FAMILIES)


def test_every_question_has_a_head_of_its_own(net: TraceNet):
    heads = net.heads(batch(48, 48))
    assert heads.family.shape == (2, 1 + FAMILIES)
    assert (heads.source.shape, heads.codec.shape) == ((2, 4), (2, 5))
    assert heads.compression.shape == (2,)
    assert ((heads.compression > 0) & (heads.compression < 1)).all()


def test_the_answer_is_the_family_head_on_the_features(net: TraceNet):
    x = batch(48, 48)
    features = net.features(x)
    assert torch.equal(net(x), net.family(features))
    assert torch.allclose(net.heads(x).features, features)


def test_a_picture_is_read_alike_alone_and_in_a_batch(net: TraceNet):
    x = batch(48, 48)
    assert torch.allclose(net(x)[:1], net(x[:1]), atol=1e-4)


def test_the_distance_is_zero_at_the_centre_of_the_domain_and_counted_in_deviations(net: TraceNet):
    centre = net.domain_mean[None]
    assert net.distance(centre).item() == 0
    assert net.distance(centre + 2 * net.domain_scale).item() == pytest.approx(2)
    assert net.distance(centre + 1e9).item() == pytest.approx(8), "one wild feature does not decide alone"


def test_a_reversed_gradient_is_the_same_forwards_and_the_opposite_backwards():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = reverse_gradient(x, 0.5)
    assert torch.equal(y, x)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-0.5, -0.5]


def test_adversaries_turn_the_features_against_themselves():
    torch.manual_seed(1)
    net = TraceNet(FAMILIES, 8, sources=4, codecs=5).train()
    grads = []
    for strength in (0.0, 1.0):
        net.zero_grad()
        net.heads(batch(48, 48), reversal=strength).source.square().sum().backward()
        grads.append(net.stem.weight.grad.abs().sum().item())
    assert grads[0] == 0 < grads[1]


@pytest.mark.parametrize("logits", [[0.0, 0.0, 0.0], [2.0, -1.0, 3.0]])
def test_the_score_is_the_log_odds_of_any_family_against_the_camera(logits: list[float]):
    p = torch.softmax(torch.tensor(logits), 0)
    expected = torch.log((1 - p[0]) / p[0]).item()
    assert fake_score(torch.tensor([logits])).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("stride", "side"), [(1, 16), (2, 8)])
def test_a_block_changes_width_and_side_together(stride: int, side: int):
    torch.manual_seed(0)
    out = ResidualBlock(4, 6, stride)(torch.randn(2, 4, 16, 16))
    assert out.shape == (2, 6, side, side)
    assert out.min() >= 0


def test_the_fixed_filters_are_not_among_the_weights_that_are_stored(net: TraceNet):
    assert "filters" not in net.state_dict()
    assert {"domain_mean", "domain_scale"} <= set(net.state_dict())
