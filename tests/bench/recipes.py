"""The public minimal recipe of a paper, as tutorials give it, for digits of 28 x 28 in -1..1: what a family
of the zoo has to beat in the same time. Written from the papers, no code of anybody's; used nowhere else."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses


class Recipe(nn.Module):
    batch = 128

    @abstractmethod
    def step(self, x: Tensor, labels: Tensor) -> None: ...

    @abstractmethod
    def draw(self, n: int) -> Tensor:
        """(n, 1, 28, 28); of a recipe that is told classes, of the classes 0, 1 ... 9, 0, 1 ..."""


def down(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


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

    def __init__(self, given: int, wanted: int, *, itself: bool) -> None:
        super().__init__(given, wanted, 7, padding=3, bias=False)
        mask = torch.ones_like(self.weight)
        mask[:, :, 3, 3 + itself :] = 0
        mask[:, :, 4:] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(self.mask, Tensor)
        return F.conv2d(x, self.weight * self.mask, padding=3)


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

    def step(self, x: Tensor, labels: Tensor) -> None:
        value = ((x[:, 0] + 1) * 127.5).round().long()
        down(self.adam, F.cross_entropy(self.net(x), value))

    def draw(self, n: int) -> Tensor:
        x = torch.zeros(n, 1, 28, 28)
        for row in range(28):
            top = max(0, row - 24)  # the lines that eight layers see
            for column in range(28):
                chances = self.net(x[:, :, top : row + 1])[:, :, -1, column].softmax(1)
                x[:, 0, row, column] = torch.multinomial(chances, 1)[:, 0] / 127.5 - 1
        return x


class Biggan(Recipe):
    """The minimal conditional GAN (Mirza and Osindero 2014): perceptrons that are told the class by an
    embedding, Adam(2e-4, 0.5)."""

    batch = 64

    def __init__(self) -> None:
        super().__init__()
        self.named = nn.ModuleList([nn.Embedding(10, 10), nn.Embedding(10, 10)])
        self.generator = nn.Sequential(
            nn.Linear(110, 128), nn.LeakyReLU(0.2),
            nn.Linear(128, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2),
            nn.Linear(256, 512), nn.BatchNorm1d(512), nn.LeakyReLU(0.2), nn.Linear(512, 784), nn.Tanh(),
        )  # fmt: skip
        self.judge = nn.Sequential(
            nn.Linear(794, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.Dropout(0.4), nn.LeakyReLU(0.2),
            nn.Linear(256, 1),
        )  # fmt: skip
        parts = ([self.generator, self.named[0]], [self.judge, self.named[1]])
        self.adams = [
            torch.optim.Adam([p for m in part for p in m.parameters()], 2e-4, (0.5, 0.999)) for part in parts
        ]

    def _made(self, labels: Tensor) -> Tensor:
        y: Tensor = self.generator(torch.cat([torch.randn(len(labels), 100), self.named[0](labels)], 1))
        return y

    def _logits(self, x: Tensor, labels: Tensor) -> Tensor:
        y: Tensor = self.judge(torch.cat([x.flatten(1), self.named[1](labels)], 1))
        return y

    def step(self, x: Tensor, labels: Tensor) -> None:
        asked = torch.randint(10, (len(x),))
        fake = self._made(asked)
        told = (
            F.softplus(-self._logits(x, labels)).mean()
            + F.softplus(self._logits(fake.detach(), asked)).mean()
        )
        down(self.adams[1], told)
        down(self.adams[0], F.softplus(-self._logits(fake, asked)).mean())

    def draw(self, n: int) -> Tensor:
        return self._made(torch.arange(n) % 10).view(n, 1, 28, 28)


class R3gan(Recipe):
    """Relativistic pairs with R1 and R2 (Huang et al. 2024) on the networks of DCGAN without batch norm."""

    batch = 64

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(64, 64 * 49), nn.Unflatten(1, (64, 7, 7)), nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.ConvTranspose2d(32, 1, 4, 2, 1),
        )  # fmt: skip
        self.judge = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(64 * 49, 1),
        )  # fmt: skip
        self.adams = [
            torch.optim.Adam(m.parameters(), 2e-4, (0.0, 0.99)) for m in (self.generator, self.judge)
        ]

    def _judged(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        y = self.judge(x)
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return y, slope.flatten(1).square().sum(1).mean() / 2

    def step(self, x: Tensor, labels: Tensor) -> None:
        fake = self.generator(torch.randn(len(x), 64))
        (of_real, r1), (of_fake, r2) = self._judged(x), self._judged(fake)
        down(self.adams[1], F.softplus(of_fake - of_real).mean() + 1.0 * (r1 + r2))
        down(self.adams[0], F.softplus(self.judge(x).detach() - self.judge(fake)).mean())

    def draw(self, n: int) -> Tensor:
        y: Tensor = self.generator(torch.randn(n, 64))
        return y


RECIPES: dict[str, type[Recipe]] = {"vae": Vae, "pixelcnn": Pixelcnn, "biggan": Biggan, "r3gan": R3gan}
