"""Deep Boltzmann machine: Salakhutdinov and Hinton, AISTATS 2009, for binary pictures.

E(v, h1, h2) = -v W1 h1 - h1 W2 h2 - b v - c1 h1 - c2 h2 and p = exp(-E) / Z (their equation 9, biases written
out). The gradient of log p(v) is the difference of two means: over the data, with h1 and h2 by mean field
(section 3.1, the fixed point of equations 7 and 8 for two layers), and over the model, by Gibbs chains that
persist between steps (section 2.1). Greedy pretraining is replaced by centred statistics (Montavon and Müller
2012, "Deep Boltzmann machines and the centering trick"), which let both layers be learned at once.

``log_prob`` is their variational bound (equation 6) with log Z estimated by annealed importance sampling
(section 3.2), from a machine without weights that has the same mean activities.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.generators.family import Family, Losses, Optimisers
from detector.generators.spec import DbmSpec, Spec

_MEAN_FIELD = 4
_GIBBS = 5  # transitions of the persistent chains per step
_TEMPERATURES = 500
_PARTICLES = 64
_MEMORY = 0.01  # weight of the newest batch in the mean activities


class _Layers(NamedTuple):
    v: Tensor
    h1: Tensor
    h2: Tensor


class _Machine(nn.Module):
    mean_v: Tensor
    mean_1: Tensor
    mean_2: Tensor

    def __init__(self, visible: int, first: int, second: int) -> None:
        super().__init__()
        self.w1 = nn.Parameter(0.01 * torch.randn(visible, first))
        self.w2 = nn.Parameter(0.01 * torch.randn(first, second))
        self.b, self.c1, self.c2 = (nn.Parameter(torch.zeros(n)) for n in (visible, first, second))
        for name, n in (("v", visible), ("1", first), ("2", second)):
            self.register_buffer(f"mean_{name}", torch.full((n,), 0.5))

    def base(self) -> _Layers:
        """Biases of a machine without weights whose units are on as often as here."""
        return _Layers(
            self.b + self.w1 @ self.mean_1,
            self.c1 + self.mean_v @ self.w1 + self.w2 @ self.mean_2,
            self.c2 + self.mean_1 @ self.w2,
        )

    def _offsets(self, beta: float) -> _Layers:
        """Biases between those of the base (beta 0) and of the machine (beta 1)."""
        own = _Layers(self.b, self.c1, self.c2)
        if beta == 1:
            return own
        return _Layers(*((1 - beta) * u + beta * w for u, w in zip(self.base(), own, strict=True)))

    def of_outer(self, h1: Tensor, beta: float = 1.0) -> tuple[Tensor, Tensor]:
        """What v and h2 get from h1."""
        to = self._offsets(beta)
        return beta * (h1 @ self.w1.T) + to.v, beta * (h1 @ self.w2) + to.h2

    def mean_field(self, v: Tensor) -> _Layers:
        """What comes from the picture is worked out once: it is nearly all of the arithmetic."""
        below, h1, h2 = v @ self.w1 + self.c1, self.mean_1.expand(len(v), -1), self.mean_2.expand(len(v), -1)
        for _ in range(_MEAN_FIELD):
            h1 = (below + h2 @ self.w2.T).sigmoid()
            h2 = (h1 @ self.w2 + self.c2).sigmoid()
        return _Layers(v, h1, h2)

    def gibbs(self, x: _Layers, rng: torch.Generator, beta: float = 1.0) -> _Layers:
        """First h1 given both neighbours, then both given h1."""
        of_1 = beta * (x.v @ self.w1 + x.h2 @ self.w2.T) + self._offsets(beta).h1
        h1 = _coin(of_1, rng)
        v, h2 = self.of_outer(h1, beta)
        return _Layers(_coin(v, rng), h1, _coin(h2, rng))

    def start(self, n: int, rng: torch.Generator) -> _Layers:
        """States of the base."""
        v, h1, h2 = (_coin(f.expand(n, -1), rng) for f in self.base())
        return _Layers(v, h1, h2)

    def log_weight(self, h1: Tensor, beta: float) -> Tensor:
        """log of the sum of exp(-E) over v and h2, (n,)."""
        v, h2 = self.of_outer(h1, beta)
        return (self._offsets(beta).h1 * h1).sum(1) + F.softplus(v).sum(1) + F.softplus(h2).sum(1)

    def log_partition(self, rng: torch.Generator, temperatures: int = _TEMPERATURES) -> Tensor:
        """Annealed importance sampling (Neal 2001): log of the mean weight, added to log Z of the base."""
        x = self.start(_PARTICLES, rng)
        total = torch.zeros(_PARTICLES, device=x.v.device)
        for k in range(temperatures):
            low, high = k / temperatures, (k + 1) / temperatures
            total = total + self.log_weight(x.h1, high) - self.log_weight(x.h1, low)
            x = self.gibbs(x, rng, high)
        base = torch.cat([F.softplus(f) for f in self.base()]).sum()
        return base + total.logsumexp(0) - torch.log(torch.tensor(float(_PARTICLES)))


def _coin(field: Tensor, rng: torch.Generator) -> Tensor:
    return (torch.rand(field.shape, generator=rng).to(field) < field.sigmoid()).to(field)


class Dbm(Family):
    spec: DbmSpec
    chain_v: Tensor
    chain_1: Tensor
    chain_2: Tensor

    def __init__(self, spec: Spec) -> None:
        assert isinstance(spec, DbmSpec)
        super().__init__(spec)
        visible = spec.channels * spec.side**2
        self.machine = _Machine(visible, spec.width, spec.latent)
        for name, n in (("v", visible), ("1", spec.width), ("2", spec.latent)):
            self.register_buffer(f"chain_{name}", torch.zeros(spec.batch, n))

    def sampled(self) -> nn.Module:
        return self.machine

    def optimisers(self) -> Optimisers:
        return (torch.optim.SGD(self.machine.parameters(), self.spec.learning_rate, momentum=0.5),)

    def rate(self, part: float) -> float:
        return 1 - 0.99 * part

    @torch.no_grad()
    def train_step(
        self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, rng: torch.Generator
    ) -> Losses:
        m = self.machine
        grey = (real.flatten(1) + 1) / 2
        v = (torch.rand(grey.shape, generator=rng).to(grey) < grey).float()
        data = m.mean_field(v)
        for mean, x in zip((m.mean_v, m.mean_1, m.mean_2), data, strict=True):
            mean.lerp_(x.mean(0), _MEMORY)
        model = _Layers(self.chain_v, self.chain_1, self.chain_2)
        for _ in range(_GIBBS):
            model = m.gibbs(model, rng)
        for chain, x in zip((self.chain_v, self.chain_1, self.chain_2), model, strict=True):
            chain.copy_(x)
        self._centred_gradients(data, model)
        optimisers[0].step()
        return {"reconstruction": F.binary_cross_entropy_with_logits(m.of_outer(data.h1)[0], v)}

    def _centred_gradients(self, data: _Layers, model: _Layers) -> None:
        m = self.machine
        (v, h1, h2), (u, g1, g2) = ((x.v - m.mean_v, x.h1 - m.mean_1, x.h2 - m.mean_2) for x in (data, model))
        w1 = v.T @ h1 / len(v) - u.T @ g1 / len(u)
        w2 = h1.T @ h2 / len(v) - g1.T @ g2 / len(u)
        of_b, of_c1, of_c2 = (a.mean(0) - z.mean(0) for a, z in zip(data, model, strict=True))
        # Up the likelihood; an optimiser goes down.
        m.w1.grad, m.w2.grad = -w1, -w2
        m.b.grad = w1 @ m.mean_1 - of_b
        m.c1.grad = m.mean_v @ w1 + w2 @ m.mean_2 - of_c1
        m.c2.grad = m.mean_1 @ w2 - of_c2

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """Chains cooled from the base to the machine; what is shown is the mean of v given the last h1."""
        x = self.machine.start(n, rng)
        for k in range(_TEMPERATURES):
            x = self.machine.gibbs(x, rng, (k + 1) / _TEMPERATURES)
        v = self.machine.of_outer(x.h1)[0].sigmoid()
        return v.view(self.shape(n)) * 2 - 1

    def log_prob(self, x: Tensor) -> Tensor:
        """Of the picture in black and white, so not comparable with other families. A lower bound whose
        log Z is an estimate, always from the same draws."""
        v = (x.flatten(1) > 0).to(x)
        return self.bound(v) - self.machine.log_partition(torch.Generator().manual_seed(0))

    def bound(self, v: Tensor) -> Tensor:
        """E_q log exp(-E) + entropy of q (equation 6 without log Z), nats per picture."""
        m, q = self.machine, self.machine.mean_field(v)
        energy = ((v @ m.w1 + m.c1) * q.h1).sum(1) + ((q.h1 @ m.w2 + m.c2) * q.h2).sum(1) + v @ m.b
        return energy + _entropy(q.h1) + _entropy(q.h2)


def _entropy(q: Tensor) -> Tensor:
    q = q.clamp(1e-7, 1 - 1e-7)
    return -(q * q.log() + (1 - q) * (1 - q).log()).sum(1)
