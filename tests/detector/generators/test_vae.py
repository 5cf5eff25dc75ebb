from __future__ import annotations

import math

import pytest
import torch

from detector.generators.density import STEP, log_normal, step_nats, step_noise
from detector.generators.families.vae import Vae, gaussian_kl
from detector.generators.family import Aligned, Likelihood
from detector.generators.spec import Spec
from tests.detector.generators.made import sixteen, train

SMALL = Spec(family="vae", side=16, width=16, latent=12, upsampler="nearest", batch=16)
ONE_NUMBER = Spec(family="vae", side=8, channels=1, width=8, latent=1, upsampler="bilinear", batch=16)


@pytest.fixture(scope="module")
def trained():
    return train(Vae, SMALL, sixteen(16), steps=100)


@torch.no_grad()
def test_it_learns_sixteen_pictures(trained):
    family, log = trained
    x = sixteen(16)
    assert log[-1]["reconstruction"] < log[0]["reconstruction"] - 0.5
    assert (family.reconstruct(x) - x).abs().mean() < 0.5 * x.std()
    assert family.log_prob(x).mean() > Vae(SMALL).log_prob(x).mean() + 100


@torch.no_grad()
def test_pictures_it_has_learned_are_likelier_than_noise(trained):
    family, _ = trained
    noise = torch.rand(16, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1
    assert family.log_prob(sixteen(16)).min() > family.log_prob(noise).max()


@torch.no_grad()
def test_the_same_seed_gives_the_same_bytes():
    a, b = (train(Vae, SMALL, sixteen(16), steps=3)[0] for _ in range(2))
    draws = [f.draw(4, torch.Generator().manual_seed(7)).numpy().tobytes() for f in (a, b)]
    assert draws[0] == draws[1]


@torch.no_grad()
def test_the_bound_comes_close_to_the_integral_over_the_latent():
    family, _ = train(Vae, ONE_NUMBER, sixteen(8, 1), steps=200)
    x = sixteen(8, 1)
    # p(x) = integral of p(x|z) p(z) over the only latent, by the trapezium rule
    z = torch.linspace(-6, 6, 4001)[:, None]
    mean = family.decode(z)
    bound, exact = family.log_prob(x), []
    for picture in x:
        joint = log_normal(picture.expand_as(mean), mean, family.log_sigma) + log_normal(z)
        exact.append(joint.logsumexp(0) + math.log(12 / 4000) + step_nats(x))
    gap = torch.stack(exact) - bound
    assert gap.abs().mean() < 1
    assert gap.mean() > -0.2


def test_the_divergence_is_the_mean_of_its_definition():
    mu, logvar = torch.tensor([[0.7, -0.3]]), torch.tensor([[-0.5, 0.4]])
    rng = torch.Generator().manual_seed(0)
    z = mu + (logvar / 2).exp() * torch.randn(200_000, 2, generator=rng)
    q = torch.distributions.Normal(mu, (logvar / 2).exp()).log_prob(z).sum(1)
    p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    assert gaussian_kl(mu, logvar).item() == pytest.approx((q - p).mean().item(), abs=0.01)


@torch.no_grad()
@pytest.mark.parametrize("upsampler", ["bilinear", "transposed", "shuffle"])
def test_every_way_of_enlarging_gives_the_asked_size(upsampler):
    family = Vae(Spec(family="vae", side=28, channels=1, width=4, latent=3, upsampler=upsampler))
    assert family.draw(2, torch.Generator()).shape == (2, 1, 28, 28)
    assert isinstance(family, Aligned)
    assert isinstance(family, Likelihood)


def test_noise_of_one_step_gives_uint8_values_back():
    u = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    noise = step_noise((1, 1, 16, 16), torch.Generator().manual_seed(0))
    assert noise.abs().max() > 0.4 * STEP
    assert torch.equal(((u / 127.5 - 1 + noise + 1) * 127.5).round().to(torch.uint8), u)


def test_a_uniform_density_over_all_colours_needs_eight_bits_a_value():
    x = torch.zeros(1, 3, 4, 4)
    uniform = -48 * math.log(256 * STEP)  # 256 steps wide
    assert -(uniform + step_nats(x)) / (48 * math.log(2)) == pytest.approx(8)
