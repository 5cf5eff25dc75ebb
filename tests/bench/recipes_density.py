"""Recipes that learn a density, or the way from noise to pictures, without a game (Flow-GAN has both)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from tests.bench.recipes import Recipe, down, wide


class Vae(Recipe):
    """Kingma and Welling 2014: perceptrons 784-400-20-400-784, Bernoulli pixels, Adam."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))
        self.out = nn.Sequential(
            nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Unflatten(1, (1, 28, 28))
        )
        self.adam = torch.optim.Adam(self.parameters(), 1e-3)

    def step(self, x: Tensor, labels: Tensor) -> None:
        mu, logvar = self.into(x).chunk(2, 1)
        y = self.out(mu + (logvar / 2).exp() * torch.randn_like(mu))
        of_pixels = F.binary_cross_entropy_with_logits(y, (x + 1) / 2, reduction="sum")
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum()
        down(self.adam, of_pixels + kl)

    def draw(self, n: int) -> Tensor:
        y: Tensor = self.out(torch.randn(n, 20)).sigmoid() * 2 - 1
        return y


class _Masked(nn.Conv2d):
    """A 7 x 7 convolution whose kernel ends at the pixel, or before it."""

    mask: Tensor

    def __init__(self, given: int, wanted: int, *, itself: bool) -> None:
        super().__init__(given, wanted, 7, padding=3, bias=False)
        mask = torch.ones_like(self.weight)
        mask[:, :, 3, 3 + itself :] = 0
        mask[:, :, 4:] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, padding=3)

    def here(self, seen: Tensor) -> Tensor:
        """Of one pixel, from the four lines and seven columns up to and around it (n, given, 4, 7)."""
        return F.conv2d(seen, (self.weight * self.mask)[:, :, :4])


class Pixelcnn(Recipe):
    """Van den Oord et al. 2016 (the first, with masks): eight masked convolutions 7 x 7 of 64 channels with
    batch norm, 256 values, Adam."""

    batch = 32

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k in range(8):
            layers += [_Masked(64 if k else 1, 64, itself=k > 0), nn.BatchNorm2d(64), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Conv2d(64, 256, 1))
        self.adam = torch.optim.Adam(self.parameters(), 1e-3)

    def nats(self, x: Tensor) -> Tensor:
        value = ((x[:, 0] + 1) * 127.5).round().long()
        return -F.cross_entropy(self.net(x), value, reduction="none").flatten(1).sum(1)

    def step(self, x: Tensor, labels: Tensor) -> None:
        down(self.adam, -self.nats(x).mean() / 784)

    def draw(self, n: int) -> Tensor:
        """What a layer says of a pixel stays as it is when later pixels are drawn, so it is kept."""
        masked = [layer for layer in self.net if isinstance(layer, _Masked)]
        kept = [torch.zeros(n, layer.in_channels, 31, 34) for layer in masked]  # three of nothing around
        for row, column in product(range(28), range(28)):
            for k, layer in enumerate(masked):
                y = layer.here(kept[k][:, :, row : row + 4, column : column + 7])
                y = self.net[3 * k + 1 : 3 * k + 3](y)
                if k + 1 < len(kept):
                    kept[k + 1][:, :, row + 3, column + 3] = y[:, :, 0, 0]
            value = torch.multinomial(self.net[-1](y)[:, :, 0, 0].softmax(1), 1)[:, 0]
            kept[0][:, 0, row + 3, column + 3] = value / 127.5 - 1
        return kept[0][:, :, 3:, 3:31]


class Realnvp(Recipe):
    """Dinh et al. 2017 as tutorials have it: eight affine couplings of perceptrons on all pixels, masked like
    a chessboard, after noise and logit. Batches of 64 and Adam(3e-4): of 128 and 1e-3 it diverges."""

    batch = 64

    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nn.Sequential(*wide(784, 256, 256, 1568)) for _ in range(8))
        self.register_buffer("mask", (torch.arange(784) // 28 + torch.arange(784)) % 2)
        self.adam = torch.optim.Adam(self.nets.parameters(), 3e-4)

    def _couplings(self) -> Iterator[tuple[nn.Module, Tensor]]:
        assert isinstance(self.mask, Tensor)
        for k, net in enumerate(self.nets):
            yield net, (self.mask == k % 2).float()

    def nats(self, x: Tensor) -> Tensor:
        """A bound from below, in the mean over the noise."""
        p = 0.05 + 0.9 * ((x.flatten(1) + 1) * 127.5 + torch.rand(len(x), 784)) / 256
        y, total = p.logit(), (math.log(0.9 / 256) - (p * (1 - p)).log()).sum(1)
        for net, kept in self._couplings():
            s, t = net(y * kept).chunk(2, 1)
            s = torch.tanh(s) * (1 - kept)
            y, total = y * s.exp() + t * (1 - kept), total + s.sum(1)
        return total - (y.square() + math.log(2 * math.pi)).sum(1) / 2

    def step(self, x: Tensor, labels: Tensor) -> None:
        down(self.adam, -self.nats(x).mean() / 784)

    def draw(self, n: int) -> Tensor:
        y = torch.randn(n, 784)
        for net, kept in reversed(list(self._couplings())):
            s, t = net(y * kept).chunk(2, 1)
            y = y * kept + (1 - kept) * (y - t) * (-torch.tanh(s)).exp()
        return ((y.sigmoid() - 0.05) / 0.45 - 1).view(n, 1, 28, 28)


class Flowgan(Realnvp):
    """Grover et al. 2018: the same flow, with a discriminator of perceptrons beside the likelihood."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = nn.Sequential(nn.Flatten(), *wide(784, 512, 256, 1))
        self.of_judge = torch.optim.Adam(self.judge.parameters(), 2e-4, (0.5, 0.999))

    def step(self, x: Tensor, labels: Tensor) -> None:
        fake = self.draw(len(x))
        down(self.of_judge, F.softplus(-self.judge(x)).mean() + F.softplus(self.judge(fake.detach())).mean())
        down(self.adam, -self.nats(x).mean() / 784 + F.softplus(-self.judge(fake)).mean())


class Flowmatch(Recipe):
    """Lipman et al. 2023 by a small U-Net, times even in 0..1, 50 steps of Euler."""

    batch = 64

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.ModuleList(
            [nn.Conv2d(2, 32, 3, padding=1), nn.Conv2d(32, 64, 4, 2, 1), nn.Conv2d(64, 128, 4, 2, 1)]
        )
        self.out = nn.ModuleList(
            [
                nn.ConvTranspose2d(128, 64, 4, 2, 1),
                nn.ConvTranspose2d(128, 32, 4, 2, 1),
                nn.Conv2d(64, 1, 3, padding=1),
            ]
        )
        self.adam = torch.optim.Adam(self.parameters(), 1e-3)

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        y, kept = torch.cat([x, t.expand(len(x), 1, 28, 28)], 1), []
        for layer in self.into:
            y = F.silu(layer(y))
            kept.append(y)
        for layer, beside in zip(self.out[:2], (kept[1], kept[0]), strict=True):
            y = torch.cat([F.silu(layer(y)), beside], 1)
        v: Tensor = self.out[2](y)
        return v

    def step(self, x: Tensor, labels: Tensor) -> None:
        e, t = torch.randn_like(x), torch.rand(len(x), 1, 1, 1)
        down(self.adam, (self._velocity((1 - t) * e + t * x, t) - (x - e)).square().mean())

    def draw(self, n: int) -> Tensor:
        x = torch.randn(n, 1, 28, 28)
        for k in range(50):
            x = x + self._velocity(x, torch.tensor(k / 50).view(1, 1, 1, 1)) / 50
        return x


class Dbm(Recipe):
    """The restricted machine that tutorials give: 784-256, one persistent transition a step (Tieleman 2008);
    drawn by 500 transitions from noise."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.b, self.c = 0.01 * torch.randn(784, 256), torch.zeros(784), torch.zeros(256)
        self.chain = torch.zeros(self.batch, 784)

    def _transition(self, v: Tensor) -> Tensor:
        return (torch.bernoulli((v @ self.w + self.c).sigmoid()) @ self.w.T + self.b).sigmoid()

    @torch.no_grad()
    def step(self, x: Tensor, labels: Tensor) -> None:
        v = torch.bernoulli((x.flatten(1) + 1) / 2)
        self.chain = torch.bernoulli(self._transition(self.chain))
        h, g = (v @ self.w + self.c).sigmoid(), (self.chain @ self.w + self.c).sigmoid()
        self.w += 0.02 * (v.T @ h - self.chain.T @ g) / len(v)
        self.b += 0.02 * (v - self.chain).mean(0)
        self.c += 0.02 * (h - g).mean(0)

    def draw(self, n: int) -> Tensor:
        v = torch.rand(n, 784)
        for _ in range(500):
            v = self._transition(torch.bernoulli(v))
        return v.view(n, 1, 28, 28) * 2 - 1
