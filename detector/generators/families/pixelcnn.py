"""Gated PixelCNN: van den Oord et al., "Conditional image generation with PixelCNN decoders", NeurIPS 2016,
arXiv 1606.05328.

p(x) is the product over pixels, line by line, of p(x_i | x_1 ... x_(i-1)) (equation 1): exact, with nothing
but a softmax over the values of a pixel. A vertical stack sees all lines above, a horizontal stack the line
to the left and the vertical stack; together they leave no blind spot (section 2.3, figure 1). Every layer is
y = tanh(W_f * x) sigma(W_g * x) (equation 2). Masks are cut into the kernels: the vertical ones end above the
pixel, the first horizontal one before it (mask A), the later ones at it (mask B).

Two things are made for few layers and minutes. The later layers reach 1, 2, 4, 8 and so on to each side at
the price of 1 (dilated, as van den Oord et al. 2016, arXiv 1609.03499, do with sound), so that five of them
see a whole digit and not a stroke of it; and two planes that tell line and column (Liu et al. 2018, arXiv
1807.03247) lie beside the picture, so that a digit knows where it begins.

A sample asks for one pixel after another, but nothing is worked out twice: a finished line goes once through
the vertical stack, and of the horizontal one only the column that is due.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.errors import OptionRefused
from detector.generators.blocks import adam
from detector.generators.family import Draws, Losses, Optimisers
from detector.generators.spec import Spec
from detector.generators.steps import Minimised

_REACH = 3  # of the first layer, to each side; later ones reach 1, 2, 4 ...
_LAYERS = 5
_VALUES = 256
_PLANES = 3  # the picture, line and column


def _gate(y: Tensor) -> Tensor:
    f, g = y.chunk(2, 1)
    return torch.tanh(f) * torch.sigmoid(g)


class _Layer(nn.Module):
    """One pair of stacks that looks ``taps`` places, ``gap`` apart, to each side. ``first``: the pixel itself
    must not be seen (mask A), and its own planes come in for h."""

    def __init__(self, given: int, width: int, taps: int, gap: int, *, first: bool) -> None:
        super().__init__()
        self.reach, self.first = taps * gap, first
        self.vertical = nn.Conv2d(given, 2 * width, (taps + 1, 2 * taps + 1), dilation=gap)
        self.horizontal = nn.Conv2d(given, 2 * width, (1, taps + (not first)), dilation=gap)
        self.down = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def above(self, v: Tensor) -> Tensor:
        """(n, 2 width, lines, side) of lines up to and including each; ``v`` has ``reach`` more on top."""
        y: Tensor = self.vertical(F.pad(v, (self.reach, self.reach)))
        return y

    def beside(self, h: Tensor, seen: Tensor) -> Tensor:
        """``h`` has ``reach`` more columns to the left and, where ``first``, not its own; ``seen``: what the
        lines above the pixel say."""
        y: Tensor = self.out(_gate(self.horizontal(h) + self.down(seen)))
        return y if self.first else h[..., self.reach :] + y

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        above = self.above(F.pad(v, (0, 0, self.reach, 0)))
        # Moved down by one, the lines up to and including this one are the lines above the pixel.
        seen = F.pad(above, (0, 0, 1, 0))[:, :, :-1]
        left = F.pad(h, (self.reach, 0))
        return _gate(above), self.beside(left[..., :-1] if self.first else left, seen)


class PixelNet(nn.Module):
    """Logits (n, values, side, side) of every pixel given those before it; -1..1 in."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        later = [_Layer(width, width, 1, 2**k, first=False) for k in range(_LAYERS - 1)]
        self.layers = nn.ModuleList([_Layer(_PLANES, width, _REACH, 1, first=True), *later])
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, 2 * width, 1), nn.ReLU(), nn.Conv2d(2 * width, values, 1)
        )

    @staticmethod
    def planes(x: Tensor) -> Tensor:
        """The picture with the places of its pixels, -1..1, which are known before any pixel is."""
        n, _, height, width = x.shape
        line = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device)[None, None, :, None]
        column = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device)[None, None, None, :]
        return torch.cat([x, line.expand(n, 1, height, width), column.expand(n, 1, height, width)], 1)

    def forward(self, x: Tensor) -> Tensor:
        v = h = self.planes(x)
        for layer in self.layers:
            v, h = layer(v, h)
        y: Tensor = self.head(h)
        return y


class _Lines:
    """The states of both stacks while a picture is drawn; lines and columns that are not there are nothing,
    as the padding of the whole picture is."""

    def __init__(self, net: PixelNet, x: Tensor) -> None:
        self._net, self._x = net, x
        n, side = len(x), x.shape[3]
        self._layers: list[_Layer] = list(net.layers)  # type: ignore[arg-type]
        sizes = [(layer.vertical.in_channels, side + layer.reach) for layer in self._layers]
        self._v = [x.new_zeros(n, channels, lines, side) for channels, lines in sizes]
        self._h = [x.new_zeros(n, channels, 1, columns) for channels, columns in sizes]
        self._seen = [x.new_zeros(n, layer.vertical.out_channels, 1, side) for layer in self._layers]
        self._planes = net.planes(x)

    def finish(self, row: int) -> None:
        """A line is whole: what the next one sees of it and of those above."""
        self._planes[:, :1, row] = self._x[:, :, row]
        v = self._planes[:, :, row : row + 1]
        for k, layer in enumerate(self._layers):
            self._v[k][:, :, row + layer.reach : row + layer.reach + 1] = v
            self._seen[k] = layer.above(self._v[k][:, :, row : row + layer.reach + 1]).to(v.dtype)
            v = _gate(self._seen[k])

    def logits(self, row: int, column: int) -> Tensor:
        """(n, values) of a pixel of the line that is being drawn; all left of it are known."""
        if column:
            self._planes[:, :1, row, column - 1] = self._x[:, :, row, column - 1]
            self._h[0][:, :, 0, column - 1 + self._layers[0].reach] = self._planes[:, :, row, column - 1]
        h = self._h[0]
        for k, layer in enumerate(self._layers):
            if k:
                self._h[k][..., column + layer.reach : column + layer.reach + 1] = h
            left = self._h[k][..., column : column + layer.reach + (not layer.first)]
            h = layer.beside(left, self._seen[k][..., column : column + 1])
        of_pixel: Tensor = self._net.head(h)[:, :, 0, 0]
        return of_pixel


class Pixelcnn(Minimised):
    net: PixelNet

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
        """Pixel by pixel."""
        side, device = self.spec.side, self.device
        x = torch.zeros(n, 1, side, side, device=device)
        lines = _Lines(self.net, x)
        for row in range(side):
            chance = torch.rand(n, side, generator=rng).to(device)
            for column in range(side):
                logits = self.through(partial(lines.logits, row, column))
                upto = logits.softmax(1).cumsum(1)
                value = (upto < chance[:, column : column + 1] * upto[:, -1:]).sum(1).float()
                x[:, 0, row, column] = value / (self.values - 1) * 2 - 1
            lines.finish(row)
        return x
