"""What a detector said of one picture, whatever the detector is: a number in a declared unit, or why none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from detector.core.errors import OptionRefused

SUREST = math.log(1e6 - 1)  # natural log odds: a probability is read as if no surer than one in a million
_SHOWN = 80


class Unit(StrEnum):
    """What a detector's number is. Always: higher for a generated picture."""

    SCORE = "score"  # any finite number; only its order counts
    PROBABILITY = "probability"  # of "generated", 0 to 1, at even odds beforehand
    LOG_ODDS = "log-odds"  # the natural logarithm of its odds, at even odds beforehand


class Outcome(StrEnum):
    SCORED = "scored"
    ABSTAINED = "abstained"  # by its own word
    FAILED = "failed"  # it crashed, hung, printed something else, or a number outside its unit


class Opinion(StrEnum):
    """An answer of the detector's own, where it gives one."""

    GENERATED = "generated"
    REAL = "real"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """``score`` in the detector's unit and ``llr``, a natural log-likelihood ratio, None where the unit gives
    none; both None for whatever was not scored, and ``reason`` then says why."""

    outcome: Outcome
    score: float | None = None
    llr: float | None = None
    opinion: Opinion | None = None
    reason: str = ""


def failed(reason: str) -> Said:
    return Said(outcome=Outcome.FAILED, reason=reason)


def unit_of(name: str) -> Unit:
    """Raises ``OptionRefused``."""
    try:
        return Unit(name)
    except ValueError:
        raise OptionRefused(f"no unit is called {name[:40]!r}; known: {', '.join(Unit)}") from None


def heard(text: str, unit: Unit) -> Said:
    """From what a program printed: its last line that is not blank, a number or a JSON object with ``score``,
    and where it likes ``opinion`` (generated, real, none) or ``abstain`` with a reason. Anything else is
    ``FAILED`` with a reason, never a number."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return failed("it printed nothing")
    try:
        value = json.loads(lines[-1], parse_constant=float)
    except ValueError:
        value = _number(lines[-1])
    except RecursionError:
        value = None
    if value is None:
        return failed(f"it printed {lines[-1][:_SHOWN]!r}, which is neither a number nor a JSON object")
    return understood(value, unit)


def understood(value: object, unit: Unit) -> Said:
    """Of a number or an object as in ``heard``."""
    if isinstance(value, Mapping):
        return _of_object(value, unit)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return failed(f"it answered {str(value)[:_SHOWN]!r}, which is no number")
    return _scored(value, unit, None)


def _of_object(value: Mapping[object, object], unit: Unit) -> Said:
    if abstain := value.get("abstain"):
        return Said(outcome=Outcome.ABSTAINED, reason=str(abstain)[:_SHOWN])
    named, score = value.get("opinion"), value.get("score")
    if named is not None and named not in tuple(Opinion):
        return failed(f"it answered the opinion {str(named)[:_SHOWN]!r}; known: {', '.join(Opinion)}")
    if isinstance(score, bool) or not isinstance(score, int | float):
        return failed("its answer holds no number called score")
    return _scored(score, unit, None if named is None else Opinion(str(named)))


def _scored(number: int | float, unit: Unit, opinion: Opinion | None) -> Said:
    try:
        score = float(number)
    except OverflowError:
        return failed("it answered a number beyond all bounds")
    if not math.isfinite(score):
        return failed(f"it answered {score}, which is no finite number")
    if unit is Unit.PROBABILITY and not 0 <= score <= 1:
        return failed(f"it answered {score:g}, which is no probability")
    return Said(outcome=Outcome.SCORED, score=score, llr=_llr(score, unit), opinion=opinion)


def _llr(score: float, unit: Unit) -> float | None:
    if unit is Unit.SCORE:
        return None
    if unit is Unit.LOG_ODDS:
        return score
    odds = math.log(score / (1 - score)) if 0 < score < 1 else math.copysign(math.inf, score - 0.5)
    return max(-SUREST, min(SUREST, odds))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
