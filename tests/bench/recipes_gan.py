"""Recipes of games between networks: GANs, with classes, few labels, levels, and between two sources."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from tests.bench.recipes import Recipe, down, wide


class Gan(Recipe):
    """Goodfellow et al. 2014 as tutorials have it: perceptrons, batch norm in the generator, Adam(2e-4, 0.5),
    the loss that does not saturate."""

    batch, latent, told = 64, 100, False

    def __init__(self) -> None:
        super().__init__()
        self.networks()
        parts = ([self.generator], [self.judge])
        if self.told:
            self.named = nn.ModuleList([nn.Embedding(10, 10), nn.Embedding(10, 10)])
            parts = ([self.generator, self.named[0]], [self.judge, self.named[1]])
        self.adams = [
            torch.optim.Adam([p for m in part for p in m.parameters()], 2e-4, (0.5, 0.999)) for part in parts
        ]

    def networks(self) -> None:
        self.generator = nn.Sequential(
            *wide(self.latent + 10 * self.told, 128, 256, 512, 784, norm=True), nn.Tanh(),
            nn.Unflatten(1, (1, 28, 28)),
        )  # fmt: skip
        self.judge = nn.Sequential(*wide(784 + 10 * self.told, 512, 256, 1))

    def made(self, labels: Tensor) -> Tensor:
        z = torch.randn(len(labels), self.latent)
        y: Tensor = self.generator(torch.cat([z, self.named[0](labels)], 1) if self.told else z)
        return y

    def logits(self, x: Tensor, labels: Tensor) -> Tensor:
        y: Tensor = self.judge(
            torch.cat([x.flatten(1), self.named[1](labels)], 1) if self.told else x.flatten(1)
        )
        return y

    def step(self, x: Tensor, labels: Tensor) -> None:
        asked = torch.randint(10, (len(x),))
        fake = self.made(asked)
        told = self.logits(x, labels), self.logits(fake.detach(), asked)
        down(self.adams[1], F.softplus(-told[0]).mean() + F.softplus(told[1]).mean())
        down(self.adams[0], F.softplus(-self.logits(fake, asked)).mean())

    def draw(self, n: int) -> Tensor:
        return self.made(torch.arange(n) % 10)


class Biggan(Gan):
    """The minimal conditional GAN (Mirza and Osindero 2014): perceptrons that are told the class by an
    embedding."""

    told = True


def small_judge(*heads: int, norm: bool = False) -> nn.Sequential:
    """DCGAN's discriminator for 28 x 28."""
    between: list[nn.Module] = [nn.BatchNorm2d(64)] if norm else []
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), *between, nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(64 * 49, sum(heads)),
    )  # fmt: skip


def small_generator(latent: int, *, norm: bool) -> nn.Sequential:
    def after(channels: int) -> list[nn.Module]:
        return [*([nn.BatchNorm2d(channels)] if norm else []), nn.LeakyReLU(0.2)]

    return nn.Sequential(
        nn.Linear(latent, 64 * 49), nn.Unflatten(1, (64, 7, 7)), *after(64),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), *after(32), nn.ConvTranspose2d(32, 1, 4, 2, 1),
    )  # fmt: skip


class Dcgan(Gan):
    """Radford et al. 2016, two transposed convolutions from 7 x 7, batch norm in both."""

    def networks(self) -> None:
        self.generator = nn.Sequential(*small_generator(self.latent, norm=True), nn.Tanh())
        self.judge = small_judge(1, norm=True)

    def logits(self, x: Tensor, labels: Tensor) -> Tensor:
        y: Tensor = self.judge(x)
        return y


class S3gan(Dcgan):
    """A tenth of the labels: the auxiliary classifier of Odena et al. 2017 on the networks of DCGAN; what has
    no label (-1) teaches no class."""

    def networks(self) -> None:
        self.generator = nn.Sequential(*small_generator(self.latent + 10, norm=True), nn.Tanh())
        self.judge = small_judge(1, 10, norm=True)

    def made(self, labels: Tensor) -> Tensor:
        told = F.one_hot(labels, 10).float()
        y: Tensor = self.generator(torch.cat([torch.randn(len(labels), self.latent), told], 1))
        return y

    def step(self, x: Tensor, labels: Tensor) -> None:
        asked = torch.randint(10, (len(x),))
        fake = self.made(asked)
        of_real, of_fake = self.judge(x), self.judge(fake.detach())
        classes = F.cross_entropy(of_real[:, 1:], labels, ignore_index=-1, reduction="sum")
        told = F.softplus(-of_real[:, 0]).mean() + F.softplus(of_fake[:, 0]).mean()
        down(self.adams[1], told + classes / (labels >= 0).sum().clamp(min=1))
        logits = self.judge(fake)
        down(self.adams[0], F.softplus(-logits[:, 0]).mean() + F.cross_entropy(logits[:, 1:], asked))


class Lapgan(Recipe):
    """Denton et al. 2015: 7 x 7 by perceptrons, then two levels of convolutions that draw what is to be added
    to the enlarged picture. Batches of 32 and Adam(1e-3): of 128 and 2e-4 it had hardly moved in a minute."""

    batch = 32

    def __init__(self) -> None:
        super().__init__()
        self.generators = nn.ModuleList([nn.Sequential(*wide(100, 256, 256, 49), nn.Unflatten(1, (1, 7, 7)))])
        self.judges = nn.ModuleList([nn.Sequential(nn.Flatten(), *wide(49, 256, 256, 1))])
        for side in (14, 28):
            self.generators.append(
                nn.Sequential(
                    nn.Conv2d(2, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(),
                    nn.Conv2d(64, 1, 3, padding=1),
                )
            )  # fmt: skip
            self.judges.append(
                nn.Sequential(
                    nn.Conv2d(1, 64, 5, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16 * side**2, 1)
                )
            )  # fmt: skip
        self.adams = [
            torch.optim.Adam(m.parameters(), 1e-3, (0.5, 0.999)) for m in (self.generators, self.judges)
        ]

    def _made(self, level: int, low: Tensor | None, n: int) -> Tensor:
        if low is None:
            y: Tensor = self.generators[0](torch.randn(n, 100))
            return y
        return low + self.generators[level](torch.cat([low, torch.randn_like(low)], 1))

    def step(self, x: Tensor, labels: Tensor) -> None:
        told, pairs = torch.zeros(()), []
        for level in (2, 1, 0):
            small = F.avg_pool2d(x, 2)
            low = F.interpolate(small, scale_factor=2.0) if level else None
            pairs.append((level, self._made(level, low, len(x))))
            judge = self.judges[level]
            told = told + F.softplus(-judge(x)).mean() + F.softplus(judge(pairs[-1][1].detach())).mean()
            x = small
        down(self.adams[1], told)
        down(self.adams[0], torch.stack([F.softplus(-self.judges[k](f)).mean() for k, f in pairs]).sum())

    def draw(self, n: int) -> Tensor:
        x = self._made(0, None, n)
        for level in (1, 2):
            x = self._made(level, F.interpolate(x, scale_factor=2.0), n)
        return x


class R3gan(Recipe):
    """Relativistic pairs with R1 and R2 (Huang et al. 2024) on the networks of DCGAN without batch norm."""

    batch = 64

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.judge = small_generator(64, norm=False), small_judge(1)
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


class Cyclegan(Recipe):
    """Zhu et al. 2017 as tutorials give it for digits: two strided, two plain and two transposed convolutions
    each way, least squares, ten times the absolute error of the way back."""

    batch = 32

    def __init__(self) -> None:
        super().__init__()
        self.translators = nn.ModuleList(self._translators())
        self.judges = nn.ModuleList(small_judge(1) for _ in range(2))
        others = [p for name, p in self.named_parameters() if not name.startswith("judges")]
        self.adams = [torch.optim.Adam(p, 2e-4, (0.5, 0.999)) for p in (others, self.judges.parameters())]

    def _translators(self) -> list[nn.Module]:
        """Number i makes pictures of kind i."""
        return [nn.Sequential(*into(), *middle(), *out()) for _ in range(2)]

    def translate(self, x: Tensor, to: int) -> Tensor:
        y: Tensor = self.translators[to](x)
        return y

    def held(self, reals: list[Tensor], fakes: list[Tensor]) -> Tensor:
        errors = [(self.translate(fakes[1 - k], k) - reals[k]).abs().mean() for k in (0, 1)]
        return 10 * torch.stack(errors).sum()

    def step(self, x: Tensor, labels: Tensor) -> None:
        reals = [x[labels == k] for k in (0, 1)]
        fakes = [self.translate(reals[1 - k], k) for k in (0, 1)]
        pairs = list(zip(self.judges, reals, fakes, strict=True))
        told = [(j(a) - 1).square().mean() + j(b.detach()).square().mean() for j, a, b in pairs]
        down(self.adams[1], torch.stack(told).sum())
        fooled = torch.stack([(j(b) - 1).square().mean() for j, _, b in pairs]).sum()
        down(self.adams[0], fooled + self.held(reals, fakes))


def into() -> list[nn.Module]:
    return [
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
    ]


def middle() -> list[nn.Module]:
    one = [nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.LeakyReLU(0.2)]
    return [*one, nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.LeakyReLU(0.2)]


def out() -> list[nn.Module]:
    first = [nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.LeakyReLU(0.2)]
    return [*first, nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh()]


class Unit(Cyclegan):
    """Liu et al. 2017, the same layers: those in the middle are shared, noise lies on the code, and each kind
    comes back from its own code too."""

    def _translators(self) -> list[nn.Module]:
        self.middle = nn.Sequential(*middle())
        self.into = nn.ModuleList(nn.Sequential(*into()) for _ in range(2))
        return [nn.Sequential(*out()) for _ in range(2)]

    def _between(self, x: Tensor, of: int, to: int) -> Tensor:
        z = self.middle(self.into[of](x))
        y: Tensor = self.translators[to](z + torch.randn_like(z) if self.training else z)
        return y

    def translate(self, x: Tensor, to: int) -> Tensor:
        return self._between(x, 1 - to, to)

    def held(self, reals: list[Tensor], fakes: list[Tensor]) -> Tensor:
        own = [(self._between(reals[k], k, k) - reals[k]).abs().mean() for k in (0, 1)]
        return super().held(reals, fakes) + 10 * torch.stack(own).sum()
