"""Gated PixelCNN: van den Oord et al., "Conditional image generation with PixelCNN decoders", NeurIPS 2016,
arXiv 1606.05328.

p(x) is the product over pixels, line by line, of p(x_i | x_1 ... x_(i-1)) (equation 1): exact, with nothing
but a softmax over the values of a pixel. A vertical stack sees all lines above, a horizontal stack the line
to the left and the vertical stack; together they leave no blind spot (section 2.3, figure 1). Every layer is
y = tanh(W_f * x) sigma(W_g * x) (equation 2). Masks are cut into the kernels: the vertical ones end above the
pixel, the first horizontal one before it (mask A), the later ones at it (mask B).

Sampling asks the network once per pixel, which is why this is a member of honour for small grey pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.errors import OptionRefused
from detector.generators.blocks import adam
from detector.generators.family import Draws, Losses, Optimisers
from detector.generators.spec import Spec
from detector.generators.steps import Minimised

_REACH = 3  # of the first layer, to each side; later layers reach 1
_LAYERS = 5
_VALUES = 256


def _gate(y: Tensor) -> Tensor:
    f, g = y.chunk(2, 1)
    return torch.tanh(f) * torch.sigmoid(g)


class _Layer(nn.Module):
    """One pair of stacks. ``first``: the pixel itself must not be seen (mask A)."""

    def __init__(self, given: int, width: int, reach: int, *, first: bool) -> None:
        super().__init__()
        self.reach, self.first = reach, first
        self.vertical = nn.Conv2d(given, 2 * width, (reach + 1, 2 * reach + 1))
        self.horizontal = nn.Conv2d(given, 2 * width, (1, reach + (not first)))
        self.down = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        r, width = self.reach, h.shape[3]
        # Lines up to and including this one; moved down by one, they are the lines above the pixel.
        above = self.vertical(F.pad(v, (r, r, r, 0)))
        beside = self.horizontal(F.pad(h, (r, 0, 0, 0))[..., : r + width - self.first])
        seen = F.pad(above, (0, 0, 1, 0))[:, :, :-1]
        y = self.out(_gate(beside + self.down(seen)))
        return _gate(above), y if self.first else h + y


class PixelNet(nn.Module):
    """Logits (n, values, side, side) of every pixel given those before it; -1..1 in."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_Layer(1, width, _REACH, first=True)])
        self.layers.extend(_Layer(width, width, 1, first=False) for _ in range(_LAYERS - 1))
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, 2 * width, 1), nn.ReLU(), nn.Conv2d(2 * width, values, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        v = h = x
        for layer in self.layers:
            v, h = layer(v, h)
        y: Tensor = self.head(h)
        return y


class Pixelcnn(Minimised):
    def __init__(self, spec: Spec, values: int = _VALUES) -> None:
        super().__init__(spec)
        if spec.channels != 1:
            raise OptionRefused(f"{spec.family} draws grey pictures, not {spec.channels} channels")
        self.values = values
        self.net = PixelNet(spec.width, values)

    def optimisers(self) -> Optimisers:
        return (adam(self.net.parameters(), 2e-3, (0.9, 0.99)),)

    def rate(self, part: float) -> float:
        return 1 - 0.95 * part

    def terms(self, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Nats per pixel."""
        return {"likelihood": -self.log_prob(real).mean() / real[0].numel()}

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact: the probability of the uint8 picture itself. Nothing is dequantised."""
        logits = self.through(self.net, x)
        value = ((x[:, 0] + 1) / 2 * (self.values - 1)).round().long()
        return -F.cross_entropy(logits, value, reduction="none").flatten(1).sum(1)

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """Pixel by pixel; only the lines that the network can see from a pixel are computed."""
        side, device = self.spec.side, self.device
        seen = _REACH + _LAYERS  # lines above that reach a pixel
        x = torch.zeros(n, 1, side, side, device=device)
        for row in range(side):
            top = max(0, row - seen)
            chance = torch.rand(n, side, generator=rng).to(device)
            for column in range(side):
                logits = self.through(self.net, x[:, :, top : row + 1])[:, :, -1, column]
                upto = logits.softmax(1).cumsum(1)
                value = (upto < chance[:, column : column + 1] * upto[:, -1:]).sum(1).float()
                x[:, 0, row, column] = value / (self.values - 1) * 2 - 1
        return x
