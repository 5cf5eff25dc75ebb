"""What turns a region of a photo into a fake of the same content, here with as many kinds as can be had.

The published autoencoder of a latent diffusion model (clean, with a disturbed latent, with a smoothed one),
small autoencoders of our own, and upscalers of several makes: a picture is shrunk first and enlarged by the
network. What enlarging takes away is no trace of a network, so half of the time the twin beside an enlarged
picture is the same small picture enlarged by a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

# uint8 (side, side, 3) to a pair (real, fake) of the same side, which is divisible by 24
Pair = Callable[[Pixels, np.random.Generator], tuple[Pixels, Pixels]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """``weight``: how often it is drawn. ``quick``: it may be asked for four times the pixels."""

    pair: Pair
    weight: float
    quick: bool


def open_makers(
    weights: Path, upscalers: Sequence[Path], pool: list[Pixels], seed: int, report: Report
) -> dict[str, Maker]:
    """Name -> maker. ``weights``: the folder of TAEF2; ``upscalers``: ncnn files, NAME.param; those that are
    no upscaler of colour pictures are left out. Raises ``FileFailed``."""
    taef2 = Taef2(weights)
    chance = np.random.default_rng([seed, 3])
    out = {
        "taef2": Maker(pair=_of(taef2.reconstruct), weight=3.0, quick=False),
        "taef2_noise": Maker(pair=_of(partial(disturbed, taef2, chance)), weight=1.0, quick=False),
        "taef2_smooth": Maker(pair=_of(partial(smoothed, taef2, chance)), weight=1.5, quick=False),
    }
    own = autoencoders(pool, steps=_AUTOENCODER_STEPS, seed=seed, what="training autoencoders", report=report)
    out |= {name: Maker(pair=_of(make), weight=0.8, quick=True) for name, make in own.items()}
    enlargers = []
    for path in sorted(upscalers):
        try:
            enlargers.append(open_enlarger(path))
        except FileDamaged:
            continue
    for enlarger in enlargers:
        weight = 6.0 / len(enlargers)
        quick = enlarger.bytes <= _QUICK_BYTES
        out[enlarger.name.lower()] = Maker(pair=partial(_enlarged, enlarger), weight=weight, quick=quick)
    return out


def _of(make: Callable[[Pixels], Pixels]) -> Pair:
    return lambda region, _rng: (region, make(region))


def _enlarged(enlarger: Enlarger, region: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Shrink by a factor up to that of the network, let it enlarge, bring the result back to the side."""
    factor = int(rng.integers(2, enlarger.factor + 1))
    kernel = "area" if rng.random() < 0.7 else "cubic"
    small = resize(region, 1 / factor, kernel)
    fake = resize(enlarger(small), factor / enlarger.factor, "area" if rng.random() < 0.5 else "cubic")
    if rng.random() < _SHARE_OF_FORMULA:
        region = resize(small, factor, str(rng.choice(["cubic", "lanczos", "linear"])))
    return region, fake
