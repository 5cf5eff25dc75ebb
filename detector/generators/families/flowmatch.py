"""Flow matching: Lipman et al., "Flow matching for generative modeling", ICLR 2023, arXiv 2210.02747, with
independent pairs as in Tong et al. 2024 (I-CFM, arXiv 2302.00482).

Noise e ~ N(0, I) at time 0 is joined to a picture x at time 1 by the straight path x_t = (1 - t) e + t x,
whose velocity is x - e. A U-Net v(x_t, t) learns that velocity by squared error (equation 23 of Lipman et al.
with sigma_min = 0); its minimum is the velocity field that carries the noise into the pictures. Times are
logit-normal, dense where the task is hard (Esser et al. 2024, equation 19). Sampling follows dx/dt = v from
0 to 1 with the midpoint rule, two evaluations a step. Labels are dropped from one picture in ten, so that one
network knows the classes and the whole, and ``guidance`` exaggerates the difference (Ho and Salimans 2022).

The network works on patches of ``patch`` pixels folded into channels: a quarter of the arithmetic at twice
the patch. Its trace: a grid of that period from unfolding, and little of the finest frequencies.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.generators.blocks import adam, doubled
from detector.generators.family import Draws, Losses, Optimisers
from detector.generators.spec import FlowmatchSpec, Spec
from detector.generators.steps import Minimised

_TIME_WAVES = 32
_NO_LABEL = 0.1  # of the pictures are shown without their label


class _Block(nn.Module):
    """Two convolutions; time and class scale and shift what lies between them. Starts as the identity."""

    def __init__(self, given: int, wanted: int, told: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(8, given), nn.GroupNorm(8, wanted)])
        self.first = nn.Conv2d(given, wanted, 3, padding=1)
        self.second = nn.Conv2d(wanted, wanted, 3, padding=1)
        self.told = nn.Linear(told, 2 * wanted)
        self.skip = nn.Conv2d(given, wanted, 1) if given != wanted else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.told(told)[:, :, None, None].chunk(2, 1)
        y = self.first(F.silu(self.norms[0](x)))
        y = self.second(F.silu(self.norms[1](y) * (1 + scale) + shift))
        out: Tensor = self.skip(x) + y
        return out


class _Attention(nn.Module):
    """Every place looks at every other, on the coarsest grid only."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.asked = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        heads = max(1, x.shape[1] // 64)
        q, k, v = self.asked(self.norm(x)).unflatten(1, (3, heads, -1)).flatten(4).transpose(3, 4).unbind(1)
        y = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(x.shape)
        out: Tensor = x + self.out(y)
        return out


class VelocityNet(nn.Module):
    """v(x, t, class) -> the shape of x. Class ``classes`` means "not told"."""

    def __init__(self, spec: FlowmatchSpec) -> None:
        super().__init__()
        self.patch, told = spec.patch, 4 * spec.width
        values = spec.channels * spec.patch**2
        self.time = nn.Sequential(nn.Linear(2 * _TIME_WAVES, told), nn.SiLU(), nn.Linear(told, told))
        self.label = nn.Embedding(spec.classes + 1, told) if spec.classes else None
        widths, grid = [spec.width], spec.side // spec.patch
        while grid % 2 == 0 and grid >= 14:
            widths.append(2 * spec.width)
            grid //= 2
        self.fold = nn.Conv2d(values, widths[0], 3, padding=1)
        self.before = nn.ModuleList(_Block(w, w, told) for w in widths)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(widths))
        self.middle = nn.ModuleList([_Attention(widths[-1]), _Block(widths[-1], widths[-1], told)])
        self.after = nn.ModuleList(_Block(2 * w, w, told) for w in widths)
        self.grow = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairwise(widths))
        self.unfold = nn.Sequential(
            nn.GroupNorm(8, widths[0]), nn.SiLU(), nn.Conv2d(widths[0], values, 3, padding=1)
        )

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        waves = torch.exp(torch.arange(_TIME_WAVES, device=t.device) * (math.log(500) / (_TIME_WAVES - 1)))
        told = self.time(torch.cat([(t[:, None] * waves).sin(), (t[:, None] * waves).cos()], 1))
        if self.label is not None:
            told = told + self.label(label)
        told = F.silu(told)
        y, kept = self.fold(F.pixel_unshuffle(x, self.patch)), []
        for level, block in enumerate(self.before):
            y = block(self.shrink[level - 1](y) if level else y, told)
            kept.append(y)
        y = self.middle[1](self.middle[0](y), told)
        for level in reversed(range(len(kept))):
            y = self.after[level](torch.cat([y, kept[level]], 1), told)
            if level:
                y = self.grow[level - 1](doubled(y, "nearest"))
        out: Tensor = F.pixel_shuffle(self.unfold(y), self.patch)
        return out


class Flowmatch(Minimised):
    spec: FlowmatchSpec

    def __init__(self, spec: Spec) -> None:
        assert isinstance(spec, FlowmatchSpec)
        super().__init__(spec)
        self.net = VelocityNet(spec)

    def optimisers(self) -> Optimisers:
        return (adam(self.net.parameters(), self.spec.learning_rate, (0.9, 0.99)),)

    def rate(self, part: float) -> float:
        return min(1.0, part / 0.02 + 0.01) * (1 - 0.95 * part)

    def velocity(self, x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        return self.through(self.net, x, t, labels)

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        return {
            "e": torch.randn(self.shape(n), generator=rng),
            "t": torch.randn(n, generator=rng).sigmoid(),
            "u": torch.rand(n, generator=rng),
        }

    def terms(self, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        e, t = draws["e"], draws["t"]
        if labels is not None:
            labels = torch.where((labels < 0) | (draws["u"] < _NO_LABEL), self.spec.classes, labels)
        at = t[:, None, None, None]
        v = self.velocity((1 - at) * e + at * real, t, labels)
        return {"velocity": (v - (real - e)).square().mean()}

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """The midpoint rule on equal steps, ``evaluations`` calls of the network altogether."""
        x = torch.randn(self.shape(n), generator=rng).to(self.device)
        steps = max(1, self.spec.evaluations // 2)
        h = 1 / steps
        for k in range(steps):
            middle = x + h / 2 * self._guided(x, k * h, labels)
            x = x + h * self._guided(middle, (k + 0.5) * h, labels)
        return x

    def _guided(self, x: Tensor, time: float, labels: Tensor | None) -> Tensor:
        t = torch.full((len(x),), time, device=x.device)
        if not self.spec.classes:
            return self.velocity(x, t, None)
        nobody = torch.full((len(x),), self.spec.classes, device=x.device)
        if labels is None:
            return self.velocity(x, t, nobody)
        told = self.velocity(x, t, labels.to(x.device))
        if self.spec.guidance == 1:
            return told
        whole = self.velocity(x, t, nobody)
        return whole + self.spec.guidance * (told - whole)
