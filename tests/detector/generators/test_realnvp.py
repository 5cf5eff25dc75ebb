from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.generators.density import STEP, log_normal, step_nats
from detector.generators.families.realnvp import Realnvp, from_logits, to_logits
from detector.generators.spec import RealnvpSpec
from tests.detector.generators.made import sixteen, train

SMALL = RealnvpSpec(family="realnvp", side=8, width=12, scales=1, batch=16)
TINY = RealnvpSpec(family="realnvp", side=4, channels=2, width=8, scales=1, batch=16)


def shaken(spec: RealnvpSpec) -> Realnvp:
    """Trained a little and then disturbed, so that no weight is at its silent start. Double precision."""
    family, _ = train(Realnvp, spec, sixteen(spec.side, spec.channels), steps=3)
    torch.manual_seed(1)
    with torch.no_grad():
        for p in family.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return family.double()


@pytest.fixture(scope="module")
def trained():
    return train(Realnvp, SMALL, sixteen(8), steps=60)


@torch.no_grad()
def test_sixteen_pictures_become_likelier(trained):
    family, log = trained
    assert log[-1]["likelihood"] < log[0]["likelihood"] - 1
    assert family.log_prob(sixteen(8)).mean() > Realnvp(SMALL).log_prob(sixteen(8)).mean() + 192


@torch.no_grad()
def test_learned_pictures_are_likelier_than_noise(trained):
    noise = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(3)) * 2 - 1
    assert trained[0].log_prob(sixteen(8)).min() > trained[0].log_prob(noise).max()


@pytest.mark.parametrize("spec", [SMALL, TINY], ids=["three channels", "two channels"])
def test_the_log_determinant_is_that_of_the_jacobian(spec):
    family = shaken(spec)
    x = (sixteen(spec.side, spec.channels)[3:4] * 0.9).double()

    def noise(values):
        y, _ = to_logits(values.view_as(x))
        return torch.cat([z.flatten() for z in family.flow(y)[0]])

    jacobian = torch.autograd.functional.jacobian(noise, x.flatten())
    exact = log_normal(noise(x.flatten())[None]) + torch.linalg.slogdet(jacobian).logabsdet + step_nats(x)
    assert family.log_prob(x).item() == pytest.approx(exact.item(), abs=1e-6)


@torch.no_grad()
def test_the_flow_is_invertible():
    family = shaken(SMALL)
    x = sixteen(8).double()
    pieces, _ = family.flow(to_logits(x)[0])
    assert sum(z[0].numel() for z in pieces) == x[0].numel()
    assert (pieces[0].std() - 1).abs() < 5  # it does not pass because nothing happens
    assert torch.allclose(from_logits(family.flow.inverse(pieces)), x, atol=1e-9)


@torch.no_grad()
def test_noise_is_cut_into_pieces_as_it_left():
    family = shaken(SMALL)
    x = sixteen(8).double()
    z = torch.cat([p.flatten(1) for p in family.flow(to_logits(x)[0])[0]], 1)
    assert torch.allclose(family._pictures(z.view_as(x)).float(), x.float(), atol=1e-4)


@torch.no_grad()
def test_the_density_adds_up_to_one():
    torch.manual_seed(0)
    family = Realnvp(RealnvpSpec(family="realnvp", side=2, channels=1, width=4, scales=1)).eval()
    for p in family.parameters():
        p.add_(0.1 * torch.randn_like(p))
    # Uniform points of the cube that the logit is defined on, a little wider than that of the pictures.
    x = (torch.rand(60_000, 1, 2, 2, generator=torch.Generator().manual_seed(4)) - 0.5) * 256 / 127.5 / 0.9
    volume = 4 * math.log(256 / 127.5 / 0.9)
    density = (family.log_prob(x) - step_nats(x) + volume).double().exp()
    assert density.mean().item() == pytest.approx(1, abs=0.03)


def test_the_same_seed_gives_the_same_bytes():
    families = [train(Realnvp, SMALL, sixteen(8), steps=2)[0] for _ in range(2)]
    with torch.no_grad():
        a, b = (f.draw(3, torch.Generator().manual_seed(1)).numpy() for f in families)
    assert np.array_equal(a, b)


def test_a_discriminator_can_join_the_likelihood():
    spec = RealnvpSpec(family="realnvp", side=16, width=8, scales=1, batch=16, adversarial=1.0)
    family, log = train(Realnvp, spec, sixteen(16), steps=25)
    assert set(log[-1]) == {"likelihood", "generator", "discriminator"}
    assert log[-1]["likelihood"] < log[0]["likelihood"]
    assert len(family.optimisers()) == 2


@torch.no_grad()
def test_the_first_batch_starts_the_scales_and_a_later_one_does_not():
    family, _ = train(Realnvp, SMALL, sixteen(8), steps=1)
    fresh = Realnvp(SMALL).train()
    fresh.load_state_dict(family.state_dict())
    before = fresh.flow.fine[0].norms[0].mean.clone()
    fresh._log_density(sixteen(8) * 0.1)
    assert torch.equal(fresh.flow.fine[0].norms[0].mean, before)
    assert before.abs().max() > 0


def test_the_ends_of_the_step_around_black_and_white_have_a_density_and_come_back():
    ends = torch.tensor([-1.0, 0.0, 1.0]).double()
    x = torch.stack([ends - STEP / 2, ends, ends + STEP / 2])
    y, nats = to_logits(x)
    assert y.isfinite().all()
    assert nats.isfinite().all()
    assert (y.flatten().sort().values == y.T.flatten()).all(), "brighter stays brighter"
    assert torch.allclose(from_logits(y), x, atol=1e-12)
    far = from_logits(torch.tensor([-1e4, 1e4]))
    assert 1 < far.abs().min() <= far.abs().max() < 1.2, "what lies beyond is cut off as black or white"


@torch.no_grad()
@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0], ids=str)
def test_samples_are_as_wide_as_their_temperature(temperature):
    """A flow that has learned nothing leaves the noise as it is."""
    family = Realnvp(replace(SMALL, temperature=temperature)).eval()
    y, _ = to_logits(family.draw(400, torch.Generator().manual_seed(0)).double())
    assert y.std().item() == pytest.approx(temperature, abs=0.02)


def test_at_the_last_scale_what_is_changed_sees_all_that_is_kept():
    """There a digit is decided; a network that sees three places to each side draws strokes."""
    torch.manual_seed(0)
    coupling = Realnvp(replace(SMALL, side=32, channels=1)).flow.last.couplings[0]
    with torch.no_grad():
        for p in coupling.parameters():
            p.add_(0.1 * torch.randn_like(p))
    x = torch.randn(1, 2, 16, 16, requires_grad=True)
    y, _ = coupling(x)
    y[0, :, 0, 1].sum().backward()
    kept, seen = coupling._mask(x)[0, 0] > 0, (x.grad[0] != 0).all(0)
    assert seen[kept].all()
    assert seen[~kept].nonzero().tolist() == [[0]], "of what is changed too it sees itself alone"
