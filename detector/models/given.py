"""What a score is read given: the kind of picture and the condition of its file, as columns of a logistic
line.

Size and compression move every score, whoever made the picture. They are columns of the fit and no labels:
within every bin of kind, size and encoding both classes weigh alike (``detector.lab.steps.score_fit``), so
that a column can shift and stretch the scale of scores and say nothing by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.models.condition import Condition
from detector.models.kinds import Kind

Array = NDArray[np.float64]

REFERENCE_SIDE = 512
REFERENCE_QUALITY = 90
UNKNOWN = "unknown"  # the kind of a picture that the content head does not know
BASE = Kind.PHOTO.value  # what the other kinds are measured from


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The columns beside score and one, and the fit over all of them: ``weights`` and ``covariance`` (rows)
    are of (z, 1, terms, z x terms without ``flat``), z = (logit - centre) / scale. ``sides`` and
    ``qualities`` are where both classes were seen; beyond their ends a condition counts as that end.
    ``items`` are pictures (kind, real, generated), where the kind is what the content head says."""

    centre: float
    scale: float
    terms: tuple[str, ...]
    flat: tuple[str, ...]  # terms that shift and do not stretch: too few pictures to say more
    weights: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    sides: tuple[float, float]
    qualities: tuple[float, float]
    items: tuple[tuple[str, int, int], ...]

    def row(self, logit: float, kind: Kind | None, condition: Condition) -> Array:
        """The columns of one score."""
        z = (logit - self.centre) / self.scale
        terms = self.terms_of(kind, condition)
        stretched = [t for name, t in zip(self.terms, terms, strict=True) if name not in self.flat]
        return np.array([z, 1.0, *terms, *(z * t for t in stretched)])

    def terms_of(self, kind: Kind | None, condition: Condition) -> list[float]:
        side = min(max(float(condition.side), self.sides[0]), self.sides[1])
        said = {
            "size": math.log2(side / REFERENCE_SIDE), "quality": 0.0, "no_table": 1.0,
            kind.value if kind else UNKNOWN: 1.0,
        }  # fmt: skip
        if condition.quality is not None:
            quality = min(max(float(condition.quality), self.qualities[0]), self.qualities[1])
            said |= {"quality": (quality - REFERENCE_QUALITY) / 10, "no_table": 0.0}
        return [said.get(name, 0.0) for name in self.terms]

    def slope(self, kind: Kind | None, condition: Condition) -> float:
        """How much the log ratio grows with the logit, in this kind and condition."""
        rows = [self.row(x, kind, condition) for x in (self.centre, self.centre + 1)]
        return float((rows[1] - rows[0]) @ np.array(self.weights))

    def counted(self, kind: Kind | None) -> tuple[int, int]:
        """Real and generated pictures of the kind behind the fit; all, where it was not given kinds."""
        if len(self.items) == 1:
            return self.items[0][1:]
        name = kind.value if kind else UNKNOWN
        return next(((real, fake) for n, real, fake in self.items if n == name), (0, 0))
