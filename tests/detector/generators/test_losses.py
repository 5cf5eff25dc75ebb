"""The objectives against numbers worked out by hand and against automatic differentiation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from detector.generators import losses

REAL, FAKE = torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 0.5])


def log_sigma(t: float) -> float:
    return -math.log(1 + math.exp(-t))


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        (
            losses.minimax_discriminator(REAL, FAKE),
            -(log_sigma(0) + log_sigma(2)) / 2 - (log_sigma(1) + log_sigma(-0.5)) / 2,
        ),
        (losses.non_saturating_generator(FAKE), -(log_sigma(-1) + log_sigma(0.5)) / 2),
        (losses.hinge_discriminator(REAL, FAKE), (1 + 0) / 2 + (0 + 1.5) / 2),
        (losses.hinge_generator(FAKE), 0.25),
        (losses.wasserstein_critic(REAL, FAKE), -0.25 - 1.0),
        (losses.least_squares_discriminator(REAL, FAKE), ((1 + 1) / 2 + (1 + 0.25) / 2) / 2),
        (losses.least_squares_generator(FAKE), ((4 + 0.25) / 2) / 2),
        (losses.relativistic_discriminator(REAL, FAKE), -(log_sigma(1) + log_sigma(1.5)) / 2),
        (losses.relativistic_generator(REAL, FAKE), -(log_sigma(-1) + log_sigma(-1.5)) / 2),
    ],
    ids=[
        "minimax D",
        "non-saturating G",
        "hinge D",
        "hinge G",
        "Wasserstein",
        "least squares D",
        "least squares G",
        "relativistic D",
        "relativistic G",
    ],
)
def test_a_loss_is_what_its_paper_says(loss, by_hand):
    assert float(loss) == pytest.approx(by_hand, abs=1e-6)


def test_the_slopes_of_a_linear_critic_are_its_weights():
    weight = torch.tensor([3.0, 4.0])
    logits, slopes = losses.logits_and_slopes(lambda x: x.flatten(1) @ weight, torch.randn(5, 1, 1, 2))
    assert logits.shape == (5,)
    assert torch.equal(slopes.flatten(1), weight.expand(5, 2))
    assert float(losses.zero_centred(slopes)) == pytest.approx(25 / 2)
    assert float(losses.one_centred(slopes)) == pytest.approx((5 - 1) ** 2)


def test_the_slope_penalty_of_a_critic_without_slope_has_a_finite_gradient():
    slopes = torch.zeros(2, 3, requires_grad=True)
    losses.one_centred(slopes).backward()
    assert bool(torch.isfinite(slopes.grad).all())


def test_a_point_between_is_real_at_one_and_generated_at_nothing():
    real, fake = torch.ones(3, 1, 2, 2), -torch.ones(3, 1, 2, 2)
    mixed = losses.between(real, fake, torch.tensor([1.0, 0.0, 0.25]))
    assert mixed[:, 0, 0, 0].tolist() == [1.0, -1.0, -0.5]


def critic_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(8 * 16, 1))


def gradient(net: nn.Module, loss: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, [p for p in net.parameters() if p.ndim > 1]))


def test_the_functional_penalty_has_the_value_and_the_gradient_of_double_backward():
    net, x = critic_net(), torch.randn(4, 3, 8, 8)
    _, slopes = losses.logits_and_slopes(lambda a: net(a).flatten(), x)
    ours = losses.zero_centred(slopes)

    leaf = x.clone().requires_grad_()
    (expected_slopes,) = torch.autograd.grad(net(leaf).sum(), leaf, create_graph=True)
    expected = expected_slopes.flatten(1).square().sum(1).mean() / 2
    assert float(ours.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    for a, b in zip(gradient(net, ours), gradient(net, expected), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.slow
def test_a_compiler_can_trace_the_functional_penalty():
    """``autograd.grad(create_graph=True)`` inside a compiled function is refused; this form is not."""
    net, x = critic_net(), torch.randn(4, 3, 8, 8)
    weights = {k: v.detach().requires_grad_() for k, v in net.named_parameters()}

    def penalty(given: dict[str, torch.Tensor], pictures: torch.Tensor) -> torch.Tensor:
        def critic(a: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(net, given, (a,)).flatten()

        return losses.zero_centred(losses.logits_and_slopes(critic, pictures)[1])

    def slopes(f) -> tuple[float, torch.Tensor]:
        loss = f(weights, x)
        return float(loss.detach()), torch.autograd.grad(loss, weights["0.weight"])[0]

    plain, compiled = slopes(penalty), slopes(torch.compile(penalty, backend="aot_eager"))
    assert compiled[0] == pytest.approx(plain[0], rel=1e-6)
    torch.testing.assert_close(compiled[1], plain[1])
