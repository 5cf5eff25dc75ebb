"""What turns a region of a photo into a fake of the same content, here with as many kinds as can be had.

The published autoencoder of a latent diffusion model (clean, with a disturbed latent, with a smoothed one,
and of an enlarged picture, as upscalers built on such a model see it), small autoencoders of our own, and
upscalers of several makes: a picture is shrunk first and enlarged by the network. What enlarging takes away
is no trace of a network, so half of the time the twin beside an enlarged picture is the same small picture
enlarged by a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from detector.core.errors import FileDamaged
from detector.core.progress import Report
from detector.generators.aligned.autoencoders import Taef2
from detector.generators.aligned.enlargers import Enlarger, open_enlarger
from detector.lab.corpus.makers import disturbed, smoothed
from detector.lab.steps.autoencoders import autoencoders
from detector.pixels.augment import resize
from detector.pixels.decode import Pixels

_AUTOENCODER_STEPS = 200
_SHARE_OF_FORMULA = 0.5
_QUICK_BYTES = 8_000_000  # of weights; larger networks take seconds for a region
_SHARE_OF_SLOW = 0.25  # of what a quick upscaler is drawn

# uint8 (side, side, 3) to a pair (real, fake) of the same side, which is divisible by 24
Pair = Callable[[Pixels, np.random.Generator], tuple[Pixels, Pixels]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """``weight``: how often it is drawn. ``quick``: it may be asked for four times the pixels."""

    pair: Pair
    weight: float
    quick: bool


def open_makers(
    weights: Path, upscalers: Sequence[Path], pool: list[Pixels], *, seed: int, report: Report
) -> dict[str, Maker]:
    """Name -> maker. ``weights``: the folder of TAEF2; ``upscalers``: files as ``open_enlargers`` takes
    them. Raises ``FileFailed``."""
    taef2 = Taef2(weights)
    chance = np.random.default_rng([seed, 3])
    out = {
        "taef2": Maker(pair=_of(taef2.reconstruct), weight=3.0, quick=False),
        "taef2_noise": Maker(pair=_of(partial(disturbed, taef2, chance)), weight=1.0, quick=False),
        "taef2_smooth": Maker(pair=_of(partial(smoothed, taef2, chance)), weight=1.5, quick=False),
        "taef2_enlarged": Maker(pair=partial(enlarged_first, taef2.reconstruct), weight=1.5, quick=False),
    }
    own = autoencoders(pool, steps=_AUTOENCODER_STEPS, seed=seed, what="training autoencoders", report=report)
    out |= {name: Maker(pair=_of(make), weight=0.8, quick=True) for name, make in own.items()}
    return out | open_enlargers(upscalers)


def open_enlargers(upscalers: Iterable[Path]) -> dict[str, Maker]:
    """Name -> maker, of files as ``open_enlarger`` reads them; those that are no upscaler of colour pictures
    are left out. Raises ``FileFailed``."""
    enlargers = []
    for path in sorted(upscalers):
        try:
            enlargers.append(open_enlarger(path))
        except FileDamaged:
            continue
    out = {}
    for enlarger in enlargers:
        quick = enlarger.bytes <= _QUICK_BYTES
        weight = 6.0 / len(enlargers) * (1.0 if quick else _SHARE_OF_SLOW)
        factors = range(2 if quick else enlarger.factor, enlarger.factor + 1)
        pair = partial(_enlarged, enlarger, factors)
        out[enlarger.name.lower()] = Maker(pair=pair, weight=weight, quick=quick)
    return out


def _of(make: Callable[[Pixels], Pixels]) -> Pair:
    return lambda region, _rng: (region, make(region))


def _enlarged(
    enlarger: Enlarger, factors: Sequence[int], region: Pixels, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Shrink by one of the factors, let the network enlarge by its own, bring the result back to the side."""
    factor = int(rng.choice(factors))
    small = _shrunk(region, factor, rng)
    fake = resize(enlarger(small), factor / enlarger.factor, "area" if rng.random() < 0.5 else "cubic")
    return _twin(region, small, factor, rng), fake


def enlarged_first(
    reconstruct: Callable[[Pixels], Pixels], region: Pixels, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Shrink, enlarge by a formula, and let the autoencoder make it again: what an upscaler that is built on
    a latent diffusion model does before it invents anything."""
    factor = int(rng.integers(2, 5))
    small = _shrunk(region, factor, rng)
    return _twin(region, small, factor, rng), reconstruct(resize(small, factor, "cubic"))


def _shrunk(region: Pixels, factor: int, rng: np.random.Generator) -> Pixels:
    return resize(region, 1 / factor, "area" if rng.random() < 0.7 else "cubic")


def _twin(region: Pixels, small: Pixels, factor: int, rng: np.random.Generator) -> Pixels:
    """What stands beside the enlarged picture as real: the region, or the small one enlarged by a formula."""
    if rng.random() < _SHARE_OF_FORMULA:
        return resize(small, factor, str(rng.choice(["cubic", "lanczos", "linear"])))
    return region
