"""Real NVP: Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR 2017, arXiv 1605.08803;
and Flow-GAN: Grover, Dhar, Ermon, AAAI 2018, arXiv 1705.08868.

An invertible network f takes pictures to noise, so the density is exact: log p(x) = log N(f(x); 0, I) +
log |det df/dx| (equation 3 of Dinh et al.). It is built of affine couplings, y = b x + (1 - b) (x exp(s(b x))
+ t(b x)) with binary masks b (equation 9), whose Jacobian is triangular and whose inverse costs the same
(equation 8); of squeezes, 2x2 places to four channels (section 3.6); and lets half of the values go at every
scale. Masks are checkerboards before a squeeze and channels after it (figure 3). Batch norm is replaced by
one scale and shift per channel that starts from the first batch (Kingma and Dhariwal 2018, section 3.1).
No network is as fine as the picture, and at the last scale, where a digit is decided, each sees all of it.
Pictures are dequantised and taken through logit(a + (1 - 2a) x) with a = 0.05 (section 4.1).

Flow-GAN adds a discriminator and minimises adversarial loss + lambda x negative log-likelihood (equation 6 of
Grover et al.). The trace: the grid of the squeezes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.generators.blocks import adam, variance_kept
from detector.generators.density import STEP, log_normal, step_nats, step_noise
from detector.generators.families.dcgan import Discriminator
from detector.generators.family import Draws, Losses, Optimisers, Recordable
from detector.generators.losses import minimax_discriminator, non_saturating_generator
from detector.generators.spec import RealnvpSpec, Spec
from detector.generators.steps import descend, detached, outwit

_MARGIN = 0.05
_SPAN = 256 * STEP  # width of the interval that dequantised pictures lie in


def _wide(x: Tensor) -> Tensor:
    """At least single precision, which sums over all pixels need; double stays double."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class _ActNorm(nn.Module):
    """y = (x - mean) exp(-log_scale) per channel; both are set so that the first batch comes out normal."""

    started: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("started", torch.zeros(()))
        self._settled = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training and not self._settled:
            self._settled = True
            self._start(x.detach())
        y = (x - self.mean) * (-self.log_scale).exp()
        return y, -self.log_scale.sum() * x[0, 0].numel()

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        """Once per process; after a resumption the values stay as they are. Nothing is read from a device."""
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True)
        self.mean.copy_(torch.where(self.started > 0, self.mean, mean))
        self.log_scale.copy_(torch.where(self.started > 0, self.log_scale, (variance + 1e-6).log() / 2))
        self.started.fill_(1)

    def inverse(self, y: Tensor) -> Tensor:
        return y * self.log_scale.exp() + self.mean


class _Convolutions(nn.Module):
    """Residual, on a grid ``fold`` times as coarse, whose values are folded into channels."""

    def __init__(self, channels: int, width: int, fold: int) -> None:
        super().__init__()
        self.fold, values = fold, channels * fold**2
        self.first = nn.Conv2d(values, width, 3, padding=1)
        self.block = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1)
        )
        self.last = variance_kept(nn.Conv2d(width, 2 * values, 3, padding=1), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(F.pixel_unshuffle(x, self.fold))
        return F.pixel_shuffle(self.last(F.relu(y + self.block(y))), self.fold)


def _perceptrons(channels: int, width: int, side: int) -> nn.Module:
    """Every value sees every other."""
    values, wide = channels * side**2, 8 * width
    return nn.Sequential(
        nn.Flatten(), nn.Linear(values, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU(),
        variance_kept(nn.Linear(wide, 2 * values), 0.0), nn.Unflatten(1, (2 * channels, side, side)),
    )  # fmt: skip


class _Coupling(nn.Module):
    """Equation 9; ``net`` says s and t. ``odd`` exchanges what is kept and what is changed; s is bounded by a
    learned number."""

    def __init__(self, channels: int, net: nn.Module, *, checkerboard: bool, odd: bool) -> None:
        super().__init__()
        self.net, self.checkerboard, self.odd = net, checkerboard, odd
        self.bound = nn.Parameter(torch.ones(1, channels, 1, 1))

    def _mask(self, x: Tensor) -> Tensor:
        """1 where a value is kept."""
        along = (2, 3) if self.checkerboard else (1,)
        parity = torch.stack([torch.ones_like(x[:1]).cumsum(d) - 1 for d in along]).sum(0) % 2
        return (parity == self.odd).to(x)

    def _scale_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of what is changed, from what is kept; both are nothing where x is kept."""
        mask = self._mask(x)
        s, t = _wide(self.net(x * mask)).chunk(2, 1)
        return self.bound * torch.tanh(s) * (1 - mask), t * (1 - mask)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self._scale_shift(x)
        return x * s.exp() + t, s.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        s, t = self._scale_shift(y)
        return (y - t) * (-s).exp()


class _Stack(nn.Module):
    """A coupling for each network, each after a scale and shift."""

    def __init__(self, channels: int, nets: Iterable[nn.Module], *, checkerboard: bool) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(
            _Coupling(channels, net, checkerboard=checkerboard, odd=bool(k % 2)) for k, net in enumerate(nets)
        )
        self.norms = nn.ModuleList(_ActNorm(channels) for _ in self.couplings)

    def _pairs(self) -> list[tuple[_ActNorm, _Coupling]]:
        return list(zip(self.norms, self.couplings, strict=True))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = _wide(x.new_zeros(len(x)))
        for norm, coupling in self._pairs():
            x, a = norm(x)
            x, b = coupling(x)
            total = total + a + b
        return x, total

    def inverse(self, y: Tensor) -> Tensor:
        for norm, coupling in reversed(self._pairs()):
            y = norm.inverse(coupling.inverse(y))
        return y


def _convolved(channels: int, width: int, fold: int) -> _Stack:
    nets = [_Convolutions(channels, width, fold) for _ in range(3)]
    return _Stack(channels, nets, checkerboard=fold > 1)


class Flow(nn.Module):
    """f and its inverse between the logits of pictures and noise of the same number of values."""

    def __init__(self, spec: RealnvpSpec) -> None:
        super().__init__()
        channels, width, side = spec.channels, spec.width, spec.side >> spec.scales
        self.fine, self.squeezed = nn.ModuleList(), nn.ModuleList()
        for _ in range(spec.scales):
            self.fine.append(_convolved(channels, width, 2))
            self.squeezed.append(_convolved(4 * channels, width, 1))
            channels *= 2  # four times by the squeeze, and half of them leave
        nets = [_perceptrons(channels, width, side) for _ in range(4)]
        self.last = _Stack(channels, nets, checkerboard=True)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Noise, in pieces as it leaves, and log |det df/dx| (n,)."""
        pieces, total = [], _wide(x.new_zeros(len(x)))
        for fine, squeezed in zip(self.fine, self.squeezed, strict=True):
            x, a = fine(x)
            x, b = squeezed(F.pixel_unshuffle(x, 2))
            total = total + a + b
            pieces.append(x[:, 1::2])
            x = x[:, ::2]
        x, a = self.last(x)
        return [*pieces, x], total + a

    def inverse(self, pieces: list[Tensor]) -> Tensor:
        *left, x = pieces
        x = self.last.inverse(x)
        for k in reversed(range(len(left))):
            fine, squeezed = self.fine[k], self.squeezed[k]
            assert isinstance(fine, _Stack)
            assert isinstance(squeezed, _Stack)
            whole = torch.stack([x, left[k]], 2).flatten(1, 2)
            x = fine.inverse(F.pixel_shuffle(squeezed.inverse(whole), 2))
        return x


def to_logits(x: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures in -1..1, half a step more to either side, to real numbers, and log |det| (n,)."""
    p = _MARGIN + (1 - 2 * _MARGIN) * (x / _SPAN + 0.5)
    slope = math.log((1 - 2 * _MARGIN) / _SPAN) - p.log() - (1 - p).log()
    return p.log() - (1 - p).log(), slope.flatten(1).sum(1)


def from_logits(y: Tensor) -> Tensor:
    return ((y.sigmoid() - _MARGIN) / (1 - 2 * _MARGIN) - 0.5) * _SPAN


class Realnvp(Recordable):
    spec: RealnvpSpec

    def __init__(self, spec: Spec) -> None:
        assert isinstance(spec, RealnvpSpec)
        super().__init__(spec)
        self.flow = Flow(spec)
        self.discriminator = Discriminator(spec) if spec.adversarial else None

    def sampled(self) -> nn.Module:
        return self.flow

    def optimisers(self) -> Optimisers:
        judge = self.discriminator
        of_judge = () if judge is None else (adam(judge.parameters(), 2e-4, (0.5, 0.999)),)
        return adam(self.flow.parameters(), 2e-3, (0.9, 0.99)), *of_judge

    def rate(self, part: float) -> float:
        return 1 - 0.95 * part

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        return {"step": step_noise(self.shape(n), rng), "z": torch.randn(self.shape(n), generator=rng)}

    def step(self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        nats = self._log_density(real + draws["step"]).mean()
        # Per colour value, so that lambda means the same for every size.
        terms, told = {"likelihood": -nats / real[0].numel()}, {}
        if (judge := self.discriminator) is None:
            descend(optimisers[0], terms)
        else:
            fake, weight = self._pictures(draws["z"]), self.spec.adversarial
            told = {"discriminator": minimax_discriminator(self._judge(real), self._judge(fake.detach()))}
            terms = outwit(
                optimisers, judge, told,
                lambda: terms | {"generator": weight * non_saturating_generator(self._judge(fake))},
            )  # fmt: skip
        return detached(terms | told)

    def _judge(self, x: Tensor) -> Tensor:
        assert self.discriminator is not None
        return self.through(self.discriminator, x.clamp(-1, 1))

    def _log_density(self, x: Tensor) -> Tensor:
        y, outer = to_logits(x)
        with self.cast():
            pieces, inner = self.flow(y)
        return torch.stack([outer + inner, *map(log_normal, pieces)]).sum(0)

    def _pictures(self, z: Tensor) -> Tensor:
        """Noise of the shape of pictures, cut into pieces as they leave the flow."""
        c, side, last = self.spec.channels, self.spec.side, self.spec.scales
        shapes = [(c << k, side >> k, side >> k) for k in (*range(1, last + 1), last)]
        cut = torch.split(z.flatten(1), [math.prod(shape) for shape in shapes], 1)
        pieces = [p.view(-1, *shape) for p, shape in zip(cut, shapes, strict=True)]
        return from_logits(self.through(lambda: self.flow.inverse(pieces)))

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        z = torch.randn(self.shape(n), generator=rng).to(self.device)
        return self._pictures(z * self.spec.temperature)

    def log_prob(self, x: Tensor) -> Tensor:
        """The density at x, exactly, times the volume of one uint8 step. For x + noise of one step, the mean
        over the noise is a lower bound of the log-probability of the uint8 picture."""
        return self._log_density(x) + step_nats(x)
