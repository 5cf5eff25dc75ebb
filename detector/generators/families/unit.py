"""UNIT: Liu, Breuel, Kautz, "Unsupervised image-to-image translation networks", NeurIPS 2017, arXiv
1703.00848.

Two pictures that mean the same in two sources are taken to have one code z (their assumption of a shared
latent space, section 2). Each source has an encoder and a decoder; the encoders share their last layers and
the decoders their first (section 3, figure 1), so that what is common is said in common weights. Encoded by
the one and decoded by the other, a picture is translated. Three games at once, their equation 2: a
variational autoencoder of each source with q(z|x) = N(E(x), I) and p(x|z) a Laplacian, so that the way back
costs absolute error (equation 3); a discriminator of each source for what is translated into it (equation 4);
and the autoencoder around the way there and back (equation 5). Weights in the proportions of section 4,
10 : 0.1 : 100 for game, divergence and error; least squares as in ``cyclegan``, with whose parts it is built.

Of one source it is the autoencoder with a discriminator, and gives pictures back. Its trace is that of what
enlarges, twice, and whatever the code could not hold.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from detector.generators.blocks import Enlarge
from detector.generators.families.cyclegan import Cyclegan, ResidualBlock, far, normed
from detector.generators.family import Draws, Losses
from detector.generators.spec import Spec

_DIVERGENCE, _ERROR = 0.01, 10.0
_SHRINKS = 4  # sides of the code are so much smaller


class Coders(nn.Module):
    """E_i and G_i of every source i: (n, channels, h, w) to codes (n, latent, h / 4, w / 4) and back."""

    def __init__(self, spec: Spec, ways: int) -> None:
        super().__init__()
        w, c = spec.width, spec.channels
        self.own_in = nn.ModuleList(
            nn.Sequential(
                *normed(nn.Conv2d(c, w, 4, 2, 1), w, nn.LeakyReLU(0.2)),
                *normed(nn.Conv2d(w, 2 * w, 4, 2, 1), 2 * w, nn.LeakyReLU(0.2)),
            )
            for _ in range(ways)
        )
        self.shared_in = nn.Sequential(ResidualBlock(2 * w), nn.Conv2d(2 * w, spec.latent, 1))
        self.shared_out = nn.Sequential(nn.Conv2d(spec.latent, 2 * w, 1), ResidualBlock(2 * w))
        self.own_out = nn.ModuleList(
            nn.Sequential(
                *normed(Enlarge(spec.upsampler, 2 * w, w), w, nn.LeakyReLU(0.2)),
                Enlarge(spec.upsampler, w, c),
                nn.Tanh(),
            )
            for _ in range(ways)
        )

    def encode(self, of: int, x: Tensor) -> Tensor:
        z: Tensor = self.shared_in(self.own_in[of](x))
        return z

    def decode(self, to: int, z: Tensor) -> Tensor:
        x: Tensor = self.own_out[to](self.shared_out(z))
        return x


class Unit(Cyclegan):
    """Two variational autoencoders that share a code, and a discriminator for each."""

    grid = _SHRINKS
    translators: Coders

    def networks(self, ways: int) -> nn.Module:
        return Coders(self.spec, ways)

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        side = self.spec.side // _SHRINKS
        shape = (n, self.spec.latent, side, side)
        return {"e": torch.randn(shape, generator=rng), "e_back": torch.randn(shape, generator=rng)}

    def passed(self, reals: tuple[Tensor, ...], draws: Draws) -> tuple[tuple[Tensor, ...], Losses]:
        codes = [self.encode(of, x) for of, x in enumerate(reals)]
        noisy = [z + e for z, e in zip(codes, draws["e"].chunk(len(reals)), strict=True)]
        own = [self.decode(of, z) for of, z in enumerate(noisy)]
        terms = {"kl": _DIVERGENCE * _divergence(codes), "reconstruction": _ERROR * _error(own, reals)}
        if not self.balanced:
            return tuple(own), terms
        fakes = self.decode(0, noisy[1]), self.decode(1, noisy[0])
        again = [self.encode(1, fakes[1]), self.encode(0, fakes[0])]  # codes of what was 0, of what was 1
        noisy = [z + e for z, e in zip(again, draws["e_back"].chunk(2), strict=True)]
        back = [self.decode(of, z) for of, z in enumerate(noisy)]
        there = {"kl_cycle": _DIVERGENCE * _divergence(again), "cycle": _ERROR * _error(back, reals)}
        return fakes, terms | there

    def encode(self, of: int, x: Tensor) -> Tensor:
        """The mean of q(z|x), for a picture of class ``of``."""
        return self.through(lambda: self.translators.encode(of, x))

    def decode(self, to: int, z: Tensor) -> Tensor:
        """The picture of class ``to`` that a code stands for."""
        return self.through(lambda: self.translators.decode(to, z))

    def _pass(self, to: int, x: Tensor) -> Tensor:
        return self.decode(to, self.encode(1 - to if self.balanced else 0, x))


def _divergence(codes: list[Tensor]) -> Tensor:
    """KL(N(z, I) || N(0, I)) for each value of a code, summed over the sources."""
    return torch.stack([z.square().mean() / 2 for z in codes]).sum()


def _error(made: list[Tensor], wanted: tuple[Tensor, ...]) -> Tensor:
    return torch.stack([far(x, y) for x, y in zip(made, wanted, strict=True)]).sum()
