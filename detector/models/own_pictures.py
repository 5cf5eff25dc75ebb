"""A calibration on somebody's own pictures: from which score on a detector points to a generator there.

The point is an order statistic of the real pictures' scores, with the number of false alarms fixed before any
score is seen: then the share of real pictures beyond it has a known distribution whatever the scores are
(tolerance limits; Wilks 1941), and the bound of Clopper and Pearson for these counts holds exactly. "Against"
is never said by such a calibration: earning it takes sizes, kinds and generators apart, which a folder does
not tell. It holds for pictures like these, drawn as these were; bursts of one scene count as many and say
less.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from detector.core.bounds import at_least, at_most
from detector.core.errors import CalibrationError, ModelUnavailable, TooFewPictures
from detector.models.guarantees import GOAL, SURE

VERSION = 1
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPoint:
    """One detector. Beyond ``logit``: at most ``bound`` of real pictures like these, at the level ``sure``
    (``false`` of the ``real`` that were measured), and ``found`` of the ``generated``, which is between
    ``found_low`` and ``found_high`` (each one-sided at ``sure``)."""

    model_id: str
    weights_sha256: str
    logit: float
    goal: float
    sure: float
    real: int
    false: int
    bound: float
    generated: int
    found: int
    found_low: float
    found_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCalibration:
    """``pictures_sha256`` is over what was measured and as what; ``sha256`` is the digest of the file."""

    name: str
    pictures_sha256: str
    points: tuple[OwnPoint, ...]
    sha256: str

    def point(self, model_id: str, weights_sha256: str | None) -> OwnPoint | None:
        """That of exactly these weights."""
        return next(
            (p for p in self.points if (p.model_id, p.weights_sha256) == (model_id, weights_sha256)), None
        )


def needed(goal: float = GOAL, sure: float = SURE) -> int:
    """How many real pictures it takes before any point can be vouched for."""
    return math.ceil(math.log(1 - sure) / math.log(1 - goal))


def allowed(real: int, goal: float = GOAL, sure: float = SURE) -> int:
    """How many of so many real pictures may lie beyond the point. Raises ``TooFewPictures``."""
    if real < needed(goal, sure):
        raise TooFewPictures(
            f"{real} real pictures were scored; it takes {needed(goal, sure)} to say, {sure:.0%} sure, that "
            f"at most {goal:.0%} of real pictures are taken for generated"
        )
    most = 0
    while at_most(most + 1, real, sure=sure) <= goal:
        most += 1
    return most


def own_point(
    model_id: str,
    weights_sha256: str,
    real: Sequence[float],
    generated: Sequence[float],
    *,
    goal: float = GOAL,
    sure: float = SURE,
) -> OwnPoint:
    """The point for these scores. Raises ``TooFewPictures`` for fewer real ones than it takes, or none that
    a generator made."""
    most = allowed(len(real), goal, sure)
    if not generated:
        raise TooFewPictures("no generated picture was scored; nobody would know what the detector finds")
    logit = sorted(real, reverse=True)[most]
    false, found = (sum(score > logit for score in scores) for scores in (real, generated))
    return OwnPoint(
        model_id=model_id,
        weights_sha256=weights_sha256,
        logit=logit,
        goal=goal,
        sure=sure,
        real=len(real),
        false=false,
        bound=at_most(most, len(real), sure=sure),
        generated=len(generated),
        found=found,
        found_low=at_least(found, len(generated), sure=sure),
        found_high=at_most(found, len(generated), sure=sure),
    )


def calibration_bytes(name: str, pictures_sha256: str, points: Sequence[OwnPoint]) -> bytes:
    """The file. Equal measurements give equal bytes."""
    document = {
        "version": VERSION,
        "name": name,
        "pictures_sha256": pictures_sha256,
        "points": [asdict(p) for p in points],
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def open_calibration(path: Path) -> OwnCalibration:
    """Raises ``ModelUnavailable``."""
    try:
        with path.open("rb") as f:
            data = f.read(MAX_BYTES + 1)
    except OSError as e:
        raise ModelUnavailable(f"the calibration {path} cannot be read: {e.strerror}") from e
    try:
        return _read(data)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, CalibrationError) as e:
        raise ModelUnavailable(f"{path} is no calibration on own pictures: {e}") from e


def _read(data: bytes) -> OwnCalibration:
    table = json.loads(data)
    if len(data) > MAX_BYTES or table["version"] != VERSION:
        raise ValueError("this version is not known here")
    points = tuple(_point(p) for p in table["points"])
    if not points or len({p.model_id for p in points}) != len(points):
        raise ValueError("it has no points, or two of one detector")
    return OwnCalibration(
        name=str(table["name"])[:120],
        pictures_sha256=str(table["pictures_sha256"]),
        points=points,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _point(table: Mapping[str, object]) -> OwnPoint:
    """What a file claims is counted again: a bound that its own counts do not give is refused."""
    point = OwnPoint(**table)  # type: ignore[arg-type]
    real, false = int(point.real), int(point.false)
    holds = at_most(false, real, sure=point.sure) <= point.bound <= point.goal <= GOAL
    if not (holds and point.sure >= SURE and math.isfinite(point.logit)):
        raise ValueError(f"the point of {point.model_id} is not vouched for by its own counts")
    return point
