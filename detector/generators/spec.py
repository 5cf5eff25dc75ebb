"""What a family is asked for, as data. Loads no torch, so that a command line can list the zoo at no cost."""

from __future__ import annotations

from dataclasses import dataclass

from detector.core.errors import OptionRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """All that decides the shape of a family, written into its card. ``upsampler``, ``normaliser`` and
    ``loss`` are what leaves the fingerprint; ``classes`` is 0 for a family without labels; ``ema`` is the
    decay per step of the averaged weights that sample, 0 for none. A family with settings of its own has a
    subclass of ``Spec`` in this module."""

    family: str
    side: int = 32
    channels: int = 3
    classes: int = 0
    latent: int = 64
    width: int = 32
    batch: int = 64
    ema: float = 0.0
    upsampler: str = ""
    normaliser: str = "none"
    loss: str = ""
    paper: str = ""

    def __post_init__(self) -> None:
        least = min(self.side, self.channels, self.latent, self.width, self.batch)
        self.need(least >= 1 and self.classes >= 0, "side, channels, latent, width and batch are at least 1")
        self.need(0 <= self.ema < 1, "ema is a decay in 0..1, 1 left out")

    def need(self, holds: bool, said: str) -> None:
        """Raises ``OptionRefused`` where that does not hold."""
        if not holds:
            raise OptionRefused(f"{self.family}: {said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedSpec(Spec):
    """A family whose learning rate is a setting."""

    learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        # Spelled out: a slotted dataclass is a new class, which ``super()`` without arguments does not know.
        super(RatedSpec, self).__post_init__()
        self.need(self.learning_rate > 0, "a learning rate is more than nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class GanSpec(RatedSpec):
    """``learning_rate`` of the generator; the discriminator's is the same unless the family says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class R3ganSpec(GanSpec):
    """``gamma_*``: weight of the penalties at the beginning and at the end; ``penalised``: the part of a
    batch that they are taken on."""

    gamma_first: float = 1.0
    gamma_last: float = 0.1
    penalised: float = 0.25
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        super(R3ganSpec, self).__post_init__()
        weights = min(self.gamma_first, self.gamma_last)
        self.need(
            0 < self.penalised <= 1 and weights >= 0, "penalised is a part of 1 and no gamma is negative"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowmatchSpec(Spec):
    """``patch``: pixels folded into channels; ``evaluations`` of the network per sample; ``guidance``: 1 for
    the classes as they are."""

    patch: int = 2
    evaluations: int = 16
    guidance: float = 1.0
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        super(FlowmatchSpec, self).__post_init__()
        fits = self.patch >= 1 and self.side % self.patch == 0 and self.width % 8 == 0
        self.need(fits, "patch divides side, and 8 divides width")
        self.need(self.evaluations >= 2, "a sample takes two evaluations or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticSpec(GanSpec):
    """A batch holds the reals of all ``critic_steps`` that come before a step of the generator."""

    critic_steps: int = 1

    def __post_init__(self) -> None:
        super(CriticSpec, self).__post_init__()
        divides = self.critic_steps >= 1 and self.batch % self.critic_steps == 0
        self.need(divides, "a batch divides into critic_steps equal parts")


@dataclass(frozen=True, slots=True, kw_only=True)
class WganSpec(CriticSpec):
    """``penalty`` is the weight of the slope's term."""

    critic_steps: int = 3
    penalty: float = 10.0
    learning_rate: float = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class BigganSpec(CriticSpec):
    """``few_labels`` is the S3 mode: most labels may be unknown and are inferred."""

    few_labels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleganSpec(GanSpec):
    """``mode`` is ``reconstruct`` (one source, through the network and back) or ``translate`` (two)."""

    mode: str = "reconstruct"

    def __post_init__(self) -> None:
        super(CycleganSpec, self).__post_init__()
        known = self.mode in {"reconstruct", "translate"}
        self.need(known, f"the mode is reconstruct or translate, not {self.mode}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RealnvpSpec(Spec):
    """``scales``: how often the picture is squeezed; ``adversarial``: weight of a discriminator beside the
    likelihood per colour value, 0 for none; ``temperature`` scales the noise of samples."""

    scales: int = 2
    adversarial: float = 0.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super(RealnvpSpec, self).__post_init__()
        halves = self.scales >= 1 and self.side % 2**self.scales == 0
        weights = min(self.adversarial, self.temperature)
        self.need(halves and weights >= 0, "a side is halved once per scale, and no weight is negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconSpec(Spec):
    """``factor``: by how much a side shrinks, 2, 4 or 8; ``levels`` of a quantised latent value, 0 for none;
    ``adversarial``: weight of a discriminator beside the mean absolute error, 0 for none."""

    factor: int = 2
    levels: int = 0
    adversarial: float = 0.0

    def __post_init__(self) -> None:
        super(ReconSpec, self).__post_init__()
        divides = self.factor in (2, 4, 8) and self.side % self.factor == 0
        self.need(divides, "factor is 2, 4 or 8 and divides side")
        fits = self.levels != 1 and min(self.levels, self.adversarial) >= 0
        self.need(fits, "levels are two or more, or 0 for none; no weight is negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class DipSpec(Spec):
    """``iterations`` that one picture is fitted for."""

    iterations: int = 200

    def __post_init__(self) -> None:
        super(DipSpec, self).__post_init__()
        self.need(self.iterations >= 1, "a picture is fitted for one iteration or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class DbmSpec(RatedSpec):
    """``width`` units in the first hidden layer, ``latent`` in the second. Few pictures and few chains want a
    smaller rate: chains that do not mix drive the weights away."""

    learning_rate: float = 0.2
