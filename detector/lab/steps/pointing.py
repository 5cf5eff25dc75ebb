"""Whether a map points at what the score rests on: squares are taken out, or put in, those that the map ranks
highest first, and the score must follow faster than with squares by chance (Petsiuk, Das and Saenko, "RISE",
BMVC 2018: deletion and insertion).

What is taken out is replaced by the picture's own blur, which leaves colour and light where they were. Every
square that is not on the map stays as it is when squares are taken out, and blurred when they are put in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from detector.core.errors import CalibrationError
from detector.core.metrics import Array, Estimate
from detector.models.score_map import Spot
from detector.pixels.decode import Pixels, open_cv2

SHARES = (0.1, 0.2, 0.4)  # of the squares
BY_CHANCE = 2  # orders that the map's is compared with
_BLUR = 1 / 16  # of the shorter side, standard deviation

Ask = Callable[[Pixels], float]  # the raw score of a picture; raises NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Of one picture, in log-odds, means over ``SHARES``: how much further the score falls when the map's
    squares are taken out than squares by chance, and how much higher it stands when they alone are put in.
    Positive where the map points the right way; ``fall`` is how far the score falls without all squares."""

    deletion: float
    insertion: float
    fall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """Over pictures; ``deleted`` and ``inserted`` are the shares of pictures where the map did better than
    chance."""

    deletion: Estimate
    insertion: Estimate
    deleted: float
    inserted: float
    fall: float


def followed(ask: Ask, pixels: Pixels, squares: Sequence[Spot], *, seed: int) -> Followed:
    """Raises as ``ask``."""
    blurred = blur_of(pixels)
    rng = np.random.default_rng(seed)
    # Equal scores are ordered by chance, or a map that says nothing would point somewhere.
    shuffled = rng.permutation(len(squares))
    best = shuffled[np.argsort([-squares[i].logit for i in shuffled], kind="stable")]
    orders = [best, *(rng.permutation(len(squares)) for _ in range(BY_CHANCE))]

    def scores(base: Pixels, patch: Pixels) -> Array:
        """(orders,): means over ``SHARES``."""
        counts = [max(1, round(share * len(squares))) for share in SHARES]
        return np.array(
            [
                np.mean([ask(with_squares(base, patch, [squares[i] for i in o[:k]])) for k in counts])
                for o in orders
            ]
        )

    out, put = scores(pixels, blurred), scores(blurred, pixels)
    return Followed(
        deletion=float(out[1:].mean() - out[0]),
        insertion=float(put[0] - put[1:].mean()),
        fall=ask(pixels) - ask(with_squares(pixels, blurred, squares)),
    )


def blur_of(pixels: Pixels) -> Pixels:
    """The picture without anything smaller than about a tenth of its shorter side."""
    blurred: Pixels = open_cv2().GaussianBlur(pixels, (0, 0), _BLUR * min(pixels.shape[:2]))
    return blurred


def with_squares(base: Pixels, patch: Pixels, squares: Sequence[Spot]) -> Pixels:
    """``base``, and in these squares ``patch``."""
    out = base.copy()
    for s in squares:
        out[s.y : s.y + s.side, s.x : s.x + s.side] = patch[s.y : s.y + s.side, s.x : s.x + s.side]
    return out


def pointing(found: Sequence[Followed], *, rounds: int = 1000) -> Pointing:
    """Means with 95 % intervals over resampled pictures. Raises ``CalibrationError`` for no pictures."""
    if not found:
        raise CalibrationError("pointing is measured on at least one picture")
    deletion, insertion = np.array([f.deletion for f in found]), np.array([f.insertion for f in found])
    return Pointing(
        deletion=_mean(deletion, rounds), insertion=_mean(insertion, rounds),
        deleted=float((deletion > 0).mean()), inserted=float((insertion > 0).mean()),
        fall=float(np.mean([f.fall for f in found])),
    )  # fmt: skip


def _mean(values: Array, rounds: int) -> Estimate:
    rng = np.random.default_rng(0)
    means = rng.choice(values, (rounds, len(values))).mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(value=float(values.mean()), low=float(low), high=float(high), n=len(values))
