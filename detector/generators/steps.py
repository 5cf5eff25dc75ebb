"""The steps that families share: down one loss, or a discriminator and then a generator on the same fakes."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from detector.generators.family import Draws, Losses, Optimisers, Recordable
from detector.generators.losses import Critic
from detector.generators.spec import Spec


class Minimised(Recordable):
    """A family with one loss and one optimiser: it says what is random in a step and names the terms of its
    loss; their sum is minimised."""

    @abstractmethod
    def terms(self, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Named terms of the loss, each a number."""

    def step(self, optimisers: Optimisers, real: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        terms = self.terms(real, labels, draws)
        descend(optimisers[0], terms)
        return {k: v.detach() for k, v in terms.items()}


class Adversarial(Recordable):
    """A generator and a discriminator. A family says how pictures come out of latents and gives two losses;
    the terms of each are named, added up and logged. A batch of ``critic_steps`` parts trains the
    discriminator once on each part and the generator once, on the fakes of the last."""

    generator: nn.Module
    discriminator: nn.Module
    critic_steps = 1

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)

    def sampled(self) -> nn.Module:
        return self.generator

    def draws(self, n: int, rng: torch.Generator) -> Draws:
        """All chance of one step, on the CPU."""
        return {"z": torch.randn(n, self.spec.latent, generator=rng)}

    def fake(self, draws: Draws) -> Tensor:
        """Pictures from the latents of ``draws``, float32."""
        with self.cast():
            x: Tensor = self.generator(draws["z"])
        return x.float()

    def judge(self, x: Tensor) -> Tensor:
        """Logits (n,), float32."""
        with self.cast():
            logits: Tensor = self.discriminator(x)
        return logits.float()

    def critic(self) -> Critic:
        """The discriminator as a function of pictures, its weights handed in from outside: the form that
        ``torch.func`` differentiates inside a compiled step."""
        weights: dict[str, Tensor] = dict(self.discriminator.named_parameters())

        def of_pictures(x: Tensor) -> Tensor:
            with self.cast():
                logits: Tensor = torch.func.functional_call(self.discriminator, weights, (x,))
            return logits.float()

        return of_pictures

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Named terms of what the discriminator minimises; ``fake`` carries no gradient."""

    @abstractmethod
    def generator_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Draws) -> Losses:
        """Named terms of what the generator minimises."""

    def step(
        self,
        optimisers: Optimisers,
        real: Tensor,
        labels: Tensor | None,
        draws: Draws,
    ) -> Losses:
        of_generator, of_discriminator = optimisers
        n = len(real) // self.critic_steps
        terms: Losses = {}
        for i in range(self.critic_steps):
            part = slice(i * n, (i + 1) * n)
            x, y = real[part], None if labels is None else labels[part]
            here = {k: v[part] for k, v in draws.items()}
            last = i == self.critic_steps - 1
            with torch.set_grad_enabled(last):
                fake = self.fake(here)
            terms = self.discriminator_loss(x, fake.detach(), y, here)
            descend(of_discriminator, terms)
        with frozen(self.discriminator):
            of_g = self.generator_loss(x, fake, y, here)
            descend(of_generator, of_g)
        return {k: v.detach() for k, v in (terms | of_g).items()}

    def draw(self, n: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        draws = {k: v.to(self.progress.device) for k, v in self.draws(n, rng).items()}
        return self.fake(draws)


def descend(optimiser: torch.optim.Optimizer, terms: Losses) -> None:
    """One step down the sum of all terms."""
    optimiser.zero_grad()
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step()


class frozen:  # noqa: N801  used as a context manager
    """No gradients for these weights: the generator's step needs only those that pass through."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __enter__(self) -> None:
        self._module.requires_grad_(False)

    def __exit__(self, *_error: object) -> None:
        self._module.requires_grad_(True)
