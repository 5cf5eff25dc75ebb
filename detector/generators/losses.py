"""The objectives of the zoo, to be read beside the papers: logits in, one number out. No networks, no files.

``real`` and ``fake`` are the discriminator's logits (n,) on real pictures x and on generated ones G(z).
Every function is a mean over the batch and is minimised. sigma is the logistic function and
softplus(t) = log(1 + e^t), so -log sigma(t) = softplus(-t). Penalties take the discriminator as a function
of pictures alone and differentiate it with ``torch.func``, because a compiler cannot trace
``autograd.grad(create_graph=True)``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

Critic = Callable[[Tensor], Tensor]


def minimax_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))) with D = sigma(logit): Goodfellow et al. 2014, equation 1."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_generator(fake: Tensor) -> Tensor:
    """-E log D(G(z)): Goodfellow et al. 2014, end of section 3. The generator's part of equation 1 is not
    here: its slope vanishes when D is sure."""
    return F.softplus(-fake).mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))): Lim and Ye 2017; Miyato et al. 2018, equation 16."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """-E D(G(z)): Miyato et al. 2018, equation 17. Also the generator's part of Wasserstein."""
    return -fake.mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E D(G(z)) - E D(x): Arjovsky et al. 2017, equation 3, as a loss."""
    return fake.mean() - real.mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """(E (D(x) - 1)^2 + E D(G(z))^2) / 2: Mao et al. 2017, equation 9."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator(fake: Tensor) -> Tensor:
    """E (D(G(z)) - 1)^2 / 2: Mao et al. 2017, equation 9."""
    return (fake - 1).square().mean() / 2


def realness(logits: Tensor) -> Tensor:
    """The logit of D(x) = Z(x) / (Z(x) + 1) with Z(x) = sum_k exp l_k(x), from the logits (n, K) of K classes
    where the class "generated" has the logit 0: log Z(x), because sigma(log Z) = Z / (Z + 1). Salimans et al.
    2016, section 5. What takes ``real`` and ``fake`` here can be given it."""
    return logits.logsumexp(1)


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """|E f(x) - E f(G(z))|^2 of features (n, d): Salimans et al. 2016, section 3.1."""
    return (real.mean(0) - fake.mean(0)).square().sum()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E log sigma(D(x) - D(G(z))), each real with one fake: Jolicoeur-Martineau 2019; Huang et al. 2024,
    equation 2 with f(t) = -log(1 + e^-t)."""
    return F.softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """The same with the roles exchanged: every fake is pulled above its real, which leaves no flat region
    where modes are dropped (Huang et al. 2024, section 2.1)."""
    return F.softplus(real - fake).mean()


def logits_and_slopes(critic: Critic, x: Tensor) -> tuple[Tensor, Tensor]:
    """D(x) (n,) and the gradient of each logit with respect to its own picture, differentiable once more.
    ``critic`` must treat pictures one by one: with batch norm the slopes would mean something else."""

    def total(pictures: Tensor) -> tuple[Tensor, Tensor]:
        logits = critic(pictures)
        return logits.sum(), logits

    slopes, logits = torch.func.grad(total, has_aux=True)(x)
    return logits, slopes


def zero_centred(slopes: Tensor) -> Tensor:
    """E |grad D|^2 / 2, to be multiplied with gamma: R1 on real pictures (Mescheder et al. 2018, equation 9),
    R2 on generated ones (equation 10)."""
    return slopes.flatten(1).square().sum(1).mean() / 2


def one_centred(slopes: Tensor) -> Tensor:
    """E (|grad D| - 1)^2, to be multiplied with lambda: Gulrajani et al. 2017, equation 3."""
    # The small number keeps the slope of the root finite where the gradient is nothing.
    return ((slopes.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()


def between(real: Tensor, fake: Tensor, part: Tensor) -> Tensor:
    """e x + (1 - e) G(z) with one e in 0..1 per pair: where Gulrajani et al. 2017 take the slopes."""
    e = part.view(-1, *[1] * (real.ndim - 1))
    return e * real + (1 - e) * fake
