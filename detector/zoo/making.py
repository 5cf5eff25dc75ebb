"""Pictures out of a fitted family: samples, or real pictures passed through one that is for that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.progress import Report, silent
from detector.generators.family import RECONSTRUCTING, UNLEARNED
from detector.generators.source import ImageSource, chosen_of
from detector.zoo.store import Fitted

MOST_UNLEARNED = 24  # pictures of a family that is fitted to each of them, for seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Pictures that a family made; of what, and of which photos, where it does not draw."""

    images: NDArray[np.uint8]
    originals: NDArray[np.uint8] | None = None
    groups: NDArray[np.int64] | None = None


def gives_back(fitted: Fitted) -> bool:
    """Whether what the family is for is passing pictures through itself; what it may draw of its own is what
    its weights do to noise, and says nothing about it."""
    return fitted.spec.family in RECONSTRUCTING


def made_by(fitted: Fitted, count: int, seed: int, real: ImageSource, *, report: Report = silent) -> Made:
    """Samples; from a family that gives back, ``real`` pictures passed through it: as they are, or each made
    to look like the other class. Fewer than ``count`` where every picture takes seconds."""
    if fitted.spec.family in UNLEARNED:
        count = min(count, MOST_UNLEARNED)
    if not gives_back(fitted):
        return Made(images=sample_run(fitted, count, seed, report=report))
    chosen = chosen_of(real, np.random.default_rng(seed).permutation(len(real.images))[:count])
    images, labels = chosen.images, chosen.labels
    report(f"passing pictures through {fitted.spec.family}", 0, len(images))
    if not fitted.family.balanced or labels is None:
        out = fitted.reconstruct(images)
    else:
        out = np.empty_like(images)
        for of in np.unique(labels):
            out[labels == of] = fitted.translate(images[labels == of], 1 - int(of))
    report(f"passing pictures through {fitted.spec.family}", len(images), len(images))
    return Made(images=out, originals=images, groups=chosen.groups)


def beside_originals(made: Made) -> NDArray[np.uint8]:
    """Each picture behind the one that it was made of."""
    if made.originals is None:
        return made.images
    pairs = np.stack([made.originals, made.images], 1)
    return pairs.reshape(-1, *made.images.shape[1:])


def sample_run(
    fitted: Fitted, count: int, seed: int, *, report: Report = silent, label: int | None = None
) -> NDArray[np.uint8]:
    """Raises ``LabError`` for a class that the family does not know and ``NotApplicable`` for a family
    that only passes pictures through itself."""
    labels = None if label is None else np.full(count, label, np.int64)
    report(f"sampling {fitted.spec.family}", 0, count)
    drawn = fitted.sample(count, seed, labels)
    report(f"sampling {fitted.spec.family}", count, count)
    return drawn
