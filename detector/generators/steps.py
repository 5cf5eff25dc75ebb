"""The steps that families share: down one loss, or a discriminator and then a generator on the same fakes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from detector.generators.blocks import adam
from detector.generators.family import Draws, Losses, Optimisers, Recordable
from detector.generators.losses import Critic
from detector.generators.spec import GanSpec


def descend(optimiser: torch.optim.Optimizer, terms: Losses) -> None:
    """One step down the sum of all terms."""
    optimiser.zero_grad()
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No gradients for these weights: the generator's step needs only those that pass through."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def outwit(optimisers: Optimisers, judges: nn.Module, told: Losses, fooling: Callable[[], Losses]) -> Losses:
    """One step of the discriminators down ``told``, then one of the generators down what ``fooling`` says
    when the discriminators have learned; those terms."""
    of_generators, of_discriminators = optimisers
    descend(of_discriminators, told)
    with frozen(judges):
        terms = fooling()
        descend(of_generators, terms)
    return terms


def detached(terms: Losses) -> Losses:
    """For the log."""
    return {k: v.detach() for k, v in terms.items()}


def rivals(
    generator: nn.Module, discriminator: nn.Module, rate: float, betas: tuple[float, float], pace: float = 1.0
) -> Optimisers:
    """Adam for each of the two; the discriminator learns ``pace`` times as fast."""
    return adam(generator.parameters(), rate, betas), adam(discriminator.parameters(), pace * rate, betas)


class Minimised(Recordable):
    """A family with one loss and one optimiser: it says what is random in a step and names the terms of its
    loss; their sum is minimised."""

    @abstractmethod
    def terms(self, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Named terms of the loss, each a number."""

    def step(self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        terms = self.terms(real, labels, draws)
        descend(optimisers[0], terms)
        return detached(terms)


class Adversarial(Recordable):
    """A generator and a discriminator. A family says how pictures come out of latents and gives two losses;
    the terms of each are named, added up and logged. A batch of ``critic_steps`` parts trains the
    discriminator once on each part and the generator once, on the fakes of the last."""

    spec: GanSpec
    generator: nn.Module
    discriminator: nn.Module
    critic_steps = 1
    betas = (0.5, 0.999)  # of Adam
    pace = 1.0  # of the discriminator

    def sampled(self) -> nn.Module:
        return self.generator

    def optimisers(self) -> Optimisers:
        return rivals(self.generator, self.discriminator, self.spec.learning_rate, self.betas, self.pace)

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        """Latents, and classes where the family is told any."""
        z, classes = torch.randn(n, self.spec.latent, generator=rng), self.spec.classes
        return {"z": z, **({"class": torch.randint(classes, (n,), generator=rng)} if classes else {})}

    def fake(self, draws: Draws) -> Tensor:
        """Pictures from the latents of ``draws``, float32."""
        return self.through(self.generator, draws["z"])

    def judge(self, x: Tensor) -> Tensor:
        """Logits (n,), float32."""
        return self.through(self.discriminator, x)

    def critic(self) -> Critic:
        """The discriminator as a function of pictures, its weights handed in from outside: the form that
        ``torch.func`` differentiates inside a compiled step."""
        weights: dict[str, Tensor] = dict(self.discriminator.named_parameters())

        def judged(x: Tensor) -> Tensor:
            logits: Tensor = torch.func.functional_call(self.discriminator, weights, (x,))
            return logits

        return lambda x: self.through(judged, x)

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Named terms of what the discriminator minimises; ``fake`` carries no gradient."""

    @abstractmethod
    def generator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Named terms of what the generator minimises."""

    def step(self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        n = len(real) // self.critic_steps
        told: Losses = {}
        for i in range(self.critic_steps):
            part = slice(i * n, (i + 1) * n)
            x, y = real[part], None if labels is None else labels[part]
            here = {k: v[part] for k, v in draws.items()}
            last = i == self.critic_steps - 1
            with torch.set_grad_enabled(last):
                fake = self.fake(here)
            told = self.discriminator_loss(x, fake.detach(), y, here)
            if not last:
                descend(optimisers[1], told)
        of_g = outwit(optimisers, self.discriminator, told, lambda: self.generator_loss(x, fake, y, here))
        return detached(told | of_g)

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        asked = {} if labels is None else {"class": labels.to(self.device)}
        return self.fake(self.drawn(n, rng) | asked)
