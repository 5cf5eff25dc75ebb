"""Variational autoencoder: Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014, arXiv 1312.6114.

Prior p(z) = N(0, I); the encoder gives q(z|x) = N(mu, diag exp(logvar)), the decoder the mean of p(x|z) =
N(g(z), sigma^2 I). The loss is minus their equation 3, with the Gaussian KL of their appendix B in closed
form and one reparametrised draw z = mu + exp(logvar / 2) e (their equation 4). sigma is one learned number,
so that both terms are in nats and nothing is weighted by hand (Rybkin, Daniilidis and Levine 2021, arXiv
2006.13202). As in the paper a layer that sees the whole picture stands to either side of z; convolutions
alone, which see a stroke each, draw scribble from the prior for as long as they are young. Samples are
means and therefore smooth: this family is short of high frequencies. With classes the decoder is told the
class beside z: p(x|z, y), the model M2 of Kingma, Mohamed, Rezende and Welling 2014 (arXiv 1406.5298) where
every label is known.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.errors import NotApplicable
from detector.generators.blocks import Enlarge, adam, pyramid
from detector.generators.density import log_normal, step_nats, step_noise
from detector.generators.family import Draws, Losses, Optimisers
from detector.generators.spec import Spec
from detector.generators.steps import Minimised

_STEP_OF_SIGMA = 20.0
# Units that see the whole picture, to either side of z: most of what is learned, at little cost.
_HIDDEN = 256
_DRAWS = 16  # of z per picture, for the bound of log_prob


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)), summed over the latent, nats per picture (appendix B)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


class Vae(Minimised):
    infers = False

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        start, stages = pyramid(spec.side)
        widths = [spec.width * min(2**k, 4) for k in range(stages)]
        coarse = (widths[-1], start, start)
        self.encoder, given = nn.Sequential(), spec.channels
        for wanted in widths:
            self.encoder.extend([nn.Conv2d(given, wanted, 4, 2, 1), nn.SiLU()])
            given = wanted
        self.encoder.extend([nn.Flatten(), nn.Linear(math.prod(coarse), _HIDDEN), nn.SiLU()])
        self.encoder.append(nn.Linear(_HIDDEN, 2 * spec.latent))
        self.decoder = nn.Sequential(nn.Linear(spec.latent + spec.classes, _HIDDEN), nn.SiLU())
        self.decoder.extend([nn.Linear(_HIDDEN, math.prod(coarse)), nn.Unflatten(1, coarse), nn.SiLU()])
        for wanted in widths[-2::-1]:
            self.decoder.extend([Enlarge(spec.upsampler, given, wanted), nn.SiLU()])
            given = wanted
        # Hidden layers as fine as the picture itself would take most of the time and show little of it.
        self.decoder.append(Enlarge(spec.upsampler, given, spec.channels))
        # In units that let one number move at the rate of the networks without taking the whole budget.
        self.sigma_steps = nn.Parameter(torch.tensor(-1.0 / _STEP_OF_SIGMA))

    @property
    def log_sigma(self) -> Tensor:
        return _STEP_OF_SIGMA * self.sigma_steps

    def sampled(self) -> nn.Module:
        return self.decoder

    def optimisers(self) -> Optimisers:
        return (adam(self.parameters(), 2e-3, (0.9, 0.999)),)

    def rate(self, part: float) -> float:
        return 1 - 0.95 * part

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x)."""
        mu, logvar = self.through(self.encoder, x).chunk(2, 1)
        return mu, logvar.clamp(-12, 6)

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Raises ``NotApplicable`` where the family learned classes and none is named."""
        if self.spec.classes:
            if labels is None:
                raise NotApplicable(f"this {self.spec.family} learned classes; it can only draw")
            told = math.sqrt(self.spec.latent) * F.one_hot(labels, self.spec.classes)  # as loud as all of z
            z = torch.cat([z, told.to(z)], 1)
        return self.through(self.decoder, z)

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        return {"step": step_noise(self.shape(n), rng), "e": torch.randn(n, self.spec.latent, generator=rng)}

    def terms(self, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Nats per colour value."""
        x = real + draws["step"]
        mu, logvar = self.encode(x)
        y = self.decode(mu + (logvar / 2).exp() * draws["e"], labels)
        values = x[0].numel()
        return {
            "reconstruction": -log_normal(x, y, self.log_sigma).mean() / values,
            "kl": gaussian_kl(mu, logvar).mean() / values,
        }

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        z = torch.randn(n, self.spec.latent, generator=rng).to(self.device)
        return self.decode(z, self.told(n, rng, labels))

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0])

    def log_prob(self, x: Tensor) -> Tensor:
        """An estimate, not a value: the importance-weighted bound of Burda, Grosse and Salakhutdinov 2016
        (equation 8), always with the same draws. Its mean over draws lies between the ELBO and log p."""
        mu, logvar = self.encode(x)
        rng = torch.Generator().manual_seed(0)
        weights = []
        for _ in range(_DRAWS):
            e = torch.randn(mu.shape, generator=rng).to(mu)
            z = mu + (logvar / 2).exp() * e
            joint = log_normal(x, self.decode(z), self.log_sigma) + log_normal(z)
            weights.append(joint - log_normal(e) + (logvar / 2).sum(1))
        return torch.stack(weights).logsumexp(0) - math.log(_DRAWS) + step_nats(x)
