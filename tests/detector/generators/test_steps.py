"""Steps that families share: down one loss, or a discriminator and then a generator."""

from __future__ import annotations

import pytest
import torch

from detector.generators import make_family
from detector.generators.family import Family, Recordable
from detector.generators.steps import Minimised, descend, detached, frozen, outwit, rivals
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


def number(start: float) -> torch.nn.Module:
    module = torch.nn.Module()
    module.a = torch.nn.Parameter(torch.tensor(start))
    return module


def plain(module: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), 1.0)


def test_one_step_goes_down_the_sum_of_all_terms() -> None:
    at = number(0.0)
    for _ in range(2):  # gradients of the step before do not stay
        descend(plain(at), {"one": 2 * at.a, "two": 3 * at.a})
    assert at.a.item() == -10


def test_what_is_frozen_thaws_also_after_an_error() -> None:
    judge = number(1.0)
    with pytest.raises(KeyError), frozen(judge):
        assert not judge.a.requires_grad
        raise KeyError
    assert judge.a.requires_grad


def test_the_generator_meets_the_discriminator_that_has_learned() -> None:
    maker, judge = number(1.0), number(1.0)
    seen = []

    def fooling() -> dict[str, torch.Tensor]:
        seen.append((judge.a.item(), judge.a.requires_grad))
        return {"generator": maker.a * judge.a}

    terms = outwit((plain(maker), plain(judge)), judge, {"discriminator": 3 * judge.a}, fooling)
    assert seen == [(-2.0, False)]
    assert terms["generator"].item() == -2
    assert (maker.a.item(), judge.a.item()) == (3, -2)
    assert not detached(terms)["generator"].requires_grad


def test_the_discriminator_learns_at_a_pace_of_its_own() -> None:
    first, second = rivals(number(0.0), number(0.0), 0.5, (0.0, 0.9), 2.0)
    assert (first.param_groups[0]["lr"], second.param_groups[0]["lr"]) == (0.5, 1.0)
    assert second.param_groups[0]["betas"] == (0.0, 0.9)


def test_a_pass_is_in_the_precision_of_the_fit_and_comes_out_in_full() -> None:
    family = make_family("vae", **SMALL)
    kinds = []

    def net(x: torch.Tensor) -> torch.Tensor:
        y = x @ x
        kinds.append(y.dtype)
        return y

    for family.bf16 in (False, True):
        assert family.through(net, torch.ones(2, 2)).dtype == torch.float32
    assert kinds == [torch.float32, torch.bfloat16]


def test_what_is_drawn_lies_where_the_family_lies() -> None:
    family = make_family("dcgan", side=8, width=4).to("meta")
    assert family.device.type == "meta"
    assert {v.device.type for v in family.drawn(2, torch.Generator()).values()} == {"meta"}
    assert make_family("cyclegan", width=4).draws(2, torch.Generator()) == {}
    assert family.shape(5) == (5, 3, 8, 8)


def test_a_family_says_nothing_else_about_its_rate_than_that_it_stays() -> None:
    family: Family = make_family("gan", side=8, width=4)
    assert [family.rate(part) for part in (0.0, 0.5, 1.0)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cyclegan", [1, 1, 0.5, 0]), ("vae", [1, 0.525, 0.2875, 0.05]), ("r3gan", [1, 0.625, 0.3598, 0.25])],
)
def test_a_schedule_is_that_of_its_paper(name: str, expected: list[float]) -> None:
    family = make_family(name, side=8, width=4)
    assert [family.rate(part) for part in (0.0, 0.5, 0.75, 1.0)] == pytest.approx(expected, abs=1e-4)
