from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from detector.generators.families import dbm
from detector.generators.families.dbm import Dbm
from detector.generators.spec import DbmSpec
from tests.detector.generators.made import sixteen, train

SMALL = DbmSpec(family="dbm", side=8, channels=1, width=24, latent=12, batch=16, learning_rate=0.01)
TINY = DbmSpec(family="dbm", side=2, channels=1, width=3, latent=2)  # 2^9 states: everything can be counted


@pytest.fixture
def tiny() -> Dbm:
    torch.manual_seed(0)
    family = Dbm(TINY).eval()
    with torch.no_grad():
        for p in family.parameters():
            p.copy_(torch.randn_like(p))
    return family


def bits(n: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)))


def minus_energies(family: Dbm) -> torch.Tensor:
    """-E of every state, (16 pictures, 8, 4), straight from its definition."""
    m = family.machine
    v, h1, h2 = bits(4)[:, None, None], bits(3)[None, :, None], bits(2)[None, None]
    first = torch.einsum("...i,ij,...j->...", v.expand(16, 8, 4, 4), m.w1, h1.expand(16, 8, 4, 3))
    second = torch.einsum("...i,ij,...j->...", h1.expand(16, 8, 4, 3), m.w2, h2.expand(16, 8, 4, 2))
    return first + second + v @ m.b + h1 @ m.c1 + h2 @ m.c2


@torch.no_grad()
def test_annealing_finds_the_partition_function(tiny):
    exact = minus_energies(tiny).flatten().logsumexp(0)
    found = tiny.machine.log_partition(torch.Generator().manual_seed(1), 300)
    assert found.item() == pytest.approx(exact.item(), abs=0.1)


@torch.no_grad()
def test_the_bound_is_below_the_likelihood_and_near_it(tiny):
    exact = minus_energies(tiny).flatten(1).logsumexp(1)
    gap = exact - tiny.bound(bits(4))
    assert gap.min() > -1e-4
    assert gap.mean() < 0.5


@torch.no_grad()
def test_the_log_probability_of_a_picture_is_about_that_of_its_states(tiny):
    energies = minus_energies(tiny)
    exact = energies.flatten(1).logsumexp(1) - energies.flatten().logsumexp(0)
    found = tiny.log_prob(bits(4).view(16, 1, 2, 2) * 2 - 1)
    assert torch.allclose(found, exact, atol=1.0)
    assert (found - exact).abs().mean() < 0.5


@torch.no_grad()
def test_chains_visit_pictures_as_often_as_they_are_likely(tiny):
    energies = minus_energies(tiny)
    expected = (energies.flatten(1).logsumexp(1) - energies.flatten().logsumexp(0)).exp()
    rng = torch.Generator().manual_seed(0)
    x = tiny.machine.start(8000, rng)
    for _ in range(100):
        x = tiny.machine.gibbs(x, rng)
    places = (x.v.long() * torch.tensor([8, 4, 2, 1])).sum(1)
    found = torch.bincount(places, minlength=16) / 8000
    assert (found - expected).abs().max() < 0.02


def test_without_offsets_the_gradient_is_that_of_the_likelihood(tiny):
    """Exact means in place of mean field and chains, against automatic differentiation."""
    states = [torch.cat(s) for s in itertools.product(bits(4), bits(3), bits(2))]
    every = torch.stack(states)
    p = minus_energies(tiny).detach().flatten().softmax(0)
    picked = every[torch.multinomial(p, 200_000, True, generator=torch.Generator().manual_seed(0))]
    seen = every[every[:, :4].sum(1) == 4]  # the white picture with its hidden states
    q = minus_energies(tiny).detach()[-1].flatten().softmax(0)
    shown = seen[torch.multinomial(q, 200_000, True, generator=torch.Generator().manual_seed(1))]
    layers = type(tiny.machine.base())
    m = tiny.machine
    for mean in (m.mean_v, m.mean_1, m.mean_2):
        mean.zero_()
    with torch.no_grad():
        tiny._centred_gradients(*(layers(s[:, :4], s[:, 4:7], s[:, 7:]) for s in (shown, picked)))
    found = [p.grad.clone() for p in tiny.parameters()]
    tiny.zero_grad()
    energies = minus_energies(tiny)
    (energies.flatten().logsumexp(0) - energies[-1].flatten().logsumexp(0)).backward()
    for mine, exact in zip(found, (p.grad for p in tiny.parameters()), strict=True):
        assert torch.allclose(mine, exact, atol=0.01)


@torch.no_grad()
def test_sixteen_pictures_become_likelier():
    x = torch.sign(sixteen(8, 1) - sixteen(8, 1).mean((2, 3), keepdim=True))
    family, log = train(Dbm, SMALL, x, steps=250)
    torch.manual_seed(0)
    assert log[-1]["reconstruction"] < 0.7 * log[0]["reconstruction"]
    before, after = (f.log_prob(x).mean() for f in (Dbm(SMALL), family))
    assert after > before + 15
    assert family.log_prob(x).mean() > family.log_prob(-x).mean()


@torch.no_grad()
def test_the_same_seed_gives_the_same_bytes():
    families = [train(Dbm, SMALL, sixteen(8, 1), steps=2)[0] for _ in range(2)]
    a, b = (f.draw(2, torch.Generator().manual_seed(1)).numpy() for f in families)
    assert np.array_equal(a, b)
    assert a.min() >= -1
    assert a.max() <= 1


@torch.no_grad()
def test_no_round_of_mean_field_lowers_the_bound(tiny, monkeypatch):
    """Each layer in turn is given the best distribution there is beside the other (their section 3.1)."""
    found = []
    for rounds in (0, 1, 2, 4, 8, 16, 200):
        monkeypatch.setattr(dbm, "_MEAN_FIELD", rounds)
        found.append(tiny.bound(bits(4)))
    gained = torch.stack(found).diff(dim=0)
    assert gained.min() > -1e-5
    assert gained[0].mean() > 0.1
    assert gained[-1].abs().max() < 0.02, "it has arrived"


@torch.no_grad()
def test_a_machine_without_weights_is_its_own_base(tiny):
    """Where annealing begins nothing is estimated: log Z is a sum over units."""
    m = tiny.machine
    m.w1.zero_()
    m.w2.zero_()
    exact = minus_energies(tiny).flatten().logsumexp(0)
    assert m.log_partition(torch.Generator().manual_seed(0), 1).item() == pytest.approx(
        exact.item(), abs=1e-4
    )
