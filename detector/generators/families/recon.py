"""Aligned fakes of any factor: a convolutional autoencoder, the part of latent diffusion that leaves a trace.

A picture is shrunk ``factor`` times to a few channels and enlarged again, for the least mean absolute error.
Two options of real systems: ``levels`` rounds every latent value to so many levels with the gradient passed
straight through (finite scalar quantisation, Mentzer et al. 2024, arXiv 2309.15505, equation 1; no codebook
that could collapse), and ``adversarial`` adds a discriminator of patches with the hinge loss, which puts the
high frequencies back that an average lacks (Esser et al. 2021, arXiv 2012.09841, section 3.1).

Samples need a distribution of latents. It is the simplest that knows texture: a stationary Gaussian field
with the mean and the cross-spectrum of the latents of the training pictures. Such samples carry the decoder's
trace on no scene at all.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from detector.generators.blocks import Enlarge, SiluBlock, adam
from detector.generators.family import Draws, Losses, Optimisers, Recordable
from detector.generators.losses import hinge_discriminator, hinge_generator
from detector.generators.spec import ReconSpec, Spec
from detector.generators.steps import descend, detached, outwit

_MEMORY = 0.05  # weight of the newest batch in the statistics of the latents


class _Autoencoder(nn.Module):
    def __init__(self, spec: ReconSpec) -> None:
        super().__init__()
        self.levels = spec.levels
        halvings = spec.factor.bit_length() - 1
        widths = [spec.width, *[2 * spec.width] * halvings]
        self.encoder = nn.Sequential(nn.Conv2d(spec.channels, spec.width, 3, padding=1))
        for given, wanted in pairwise(widths):
            self.encoder.extend([nn.SiLU(), nn.Conv2d(given, wanted, 4, 2, 1)])
        self.encoder.extend([SiluBlock(widths[-1]), nn.Conv2d(widths[-1], spec.latent, 3, padding=1)])
        self.decoder = nn.Sequential(nn.Conv2d(spec.latent, widths[-1], 3, padding=1), SiluBlock(widths[-1]))
        for wanted, given in reversed(list(pairwise(widths))):
            self.decoder.extend([Enlarge(spec.upsampler, given, wanted), nn.SiLU()])
        self.decoder.extend(
            [
                nn.Conv2d(spec.width, spec.width, 3, padding=1),
                nn.SiLU(),
                nn.Conv2d(spec.width, spec.channels, 3, padding=1),
            ]
        )

    def quantised(self, z: Tensor) -> Tensor:
        """z itself, or rounded to ``levels`` values in -1..1 as if rounding were the identity."""
        if not self.levels:
            return z
        half = (self.levels - 1) / 2
        bounded = torch.tanh(z.float()) * half
        # An even number of levels lies between the whole numbers.
        shift = 0.0 if self.levels % 2 else 0.5
        rounded = ((bounded - shift).round() + shift).clamp(-half, half)
        return (bounded + (rounded - bounded).detach()) / half

    def decode(self, z: Tensor) -> Tensor:
        y: Tensor = self.decoder(self.quantised(z))
        return y


class _Patches(nn.Sequential):
    """Logits for overlapping patches of about 18 pixels."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )  # fmt: skip


class Recon(Recordable):
    spec: ReconSpec
    net: _Autoencoder
    mean: Tensor
    spectrum: Tensor

    def __init__(self, spec: Spec) -> None:
        assert isinstance(spec, ReconSpec)
        super().__init__(spec)
        self.net = _Autoencoder(spec)
        self.discriminator = _Patches(spec.channels, spec.width) if spec.adversarial else None
        grid = spec.side // spec.factor
        self.register_buffer("mean", torch.zeros(spec.latent))
        # Of a white field of deviation 1, as real and imaginary part: files know no complex numbers.
        white = torch.eye(spec.latent).expand(grid, grid, -1, -1)
        self.register_buffer("spectrum", torch.stack([white, torch.zeros_like(white)]))

    def optimisers(self) -> Optimisers:
        first = adam(self.net.parameters(), 2e-3, (0.9, 0.99))
        if self.discriminator is None:
            return (first,)
        return first, adam(self.discriminator.parameters(), 5e-4, (0.5, 0.99))

    def rate(self, part: float) -> float:
        return min(1.0, part / 0.05 + 0.05) * (1 - 0.95 * part)

    def step(self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        with self.cast():
            z = self.net.encoder(real)
            y = self.net.decode(z).float()
        self._remember(z.detach().float())
        terms, told = {"error": (y - real).abs().mean()}, {}
        if (judge := self.discriminator) is None:
            descend(optimisers[0], terms)
        else:
            weight = self.spec.adversarial
            told = {
                "discriminator": hinge_discriminator(
                    self.through(judge, real), self.through(judge, y.detach())
                )
            }
            terms = outwit(
                optimisers, judge, told,
                lambda: terms | {"generator": weight * hinge_generator(self.through(judge, y))},
            )  # fmt: skip
        return detached(terms | told)

    @torch.no_grad()
    def _remember(self, z: Tensor) -> None:
        """Running mean and cross-spectrum (height, width, latent, latent) of the latents."""
        self.mean.lerp_(z.mean((0, 2, 3)), _MEMORY)
        waves = torch.fft.fft2(z - self.mean[:, None, None], norm="ortho").permute(0, 2, 3, 1)
        cross = (waves[..., :, None] * waves[..., None, :].conj()).mean(0)
        self.spectrum.lerp_(torch.stack([cross.real, cross.imag]), _MEMORY)

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """White noise is given the cross-spectrum: multiplied, frequency by frequency, with a root of it."""
        grid = self.spec.side // self.spec.factor
        noise = torch.randn(n, self.spec.latent, grid, grid, generator=rng).to(self.device)
        waves = torch.fft.fft2(noise).permute(0, 2, 3, 1)[..., None]
        cross = torch.complex(self.spectrum[0], self.spectrum[1])
        small = 1e-5 * cross.diagonal(dim1=-2, dim2=-1).real.mean() + 1e-12
        root = torch.linalg.cholesky(cross + small * torch.eye(self.spec.latent, device=noise.device))
        field = torch.fft.ifft2((root @ waves)[..., 0].permute(0, 3, 1, 2)).real
        return self.through(self.net.decode, field + self.mean[:, None, None])

    def reconstruct(self, x: Tensor) -> Tensor:
        """Pictures of any size whose sides ``factor`` divides."""
        return self.through(lambda y: self.net.decode(self.net.encoder(y)), x)
