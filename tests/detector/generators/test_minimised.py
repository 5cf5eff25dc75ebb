"""Families with one loss: their step is one that a CUDA graph can record."""

from __future__ import annotations

import pytest
import torch

from detector.generators import make_family
from detector.generators.family import Recordable
from detector.generators.steps import Minimised
from tests.bench.flops import flops_per_picture
from tests.detector.generators.made import sixteen

ONE_LOSS = ["flowmatch", "pixelcnn", "realnvp", "recon", "vae"]
SMALL = {"side": 16, "width": 8, "latent": 8}


@pytest.mark.parametrize("name", ONE_LOSS)
def test_a_step_reads_nothing_back_from_the_device(name):
    """On meta tensors, which have no values, reading one is an error."""
    assert flops_per_picture(name, batch=2, **SMALL) > 0


@pytest.mark.parametrize("name", ONE_LOSS)
def test_a_step_with_its_chance_handed_in_is_the_step_that_draws_it(name):
    def stepped(apart: bool) -> list[torch.Tensor]:
        family = make_family(name, seed=2, **SMALL).train()
        x = sixteen(16, family.spec.channels)
        rng, optimisers = torch.Generator().manual_seed(5), family.optimisers()
        if apart:
            assert isinstance(family, Recordable)
            family.step(optimisers, x, None, family.draws(16, rng))
        else:
            family.train_step(optimisers, x, None, rng)
        return [p.detach() for p in family.parameters()]

    pairs = list(zip(stepped(apart=True), stepped(apart=False), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_sum_of_the_named_terms_is_minimised():
    class Line(Minimised):
        def __init__(self, spec):
            super().__init__(spec)
            self.a = torch.nn.Parameter(torch.zeros(2))

        def sampled(self):
            return self

        def optimisers(self):
            return (torch.optim.SGD([self.a], 1.0),)

        def draws(self, n, rng):
            return {"u": torch.ones(())}

        def terms(self, real, labels, draws):
            return {"one": self.a[0] * draws["u"], "two": 2 * self.a[1]}

        draw = sampled

    line = Line(make_family("vae", **SMALL).spec)
    losses = line.train_step(line.optimisers(), sixteen(16), None, torch.Generator())
    assert line.a.tolist() == [-1, -2]
    assert set(losses) == {"one", "two"}
    assert not losses["one"].requires_grad
