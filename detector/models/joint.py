"""One answer for one question: the ratios of two detectors, joined where both apply.

A logistic fit on both log ratios, made on pictures that neither detector was fitted on (their left-out
scores), so that whatever the two have in common is weighed and not counted twice; how much that is stands
in the card as a correlation per kind and class. From there on it is a detector like any other: a line given
kind and condition, guarantees, an answer. It is still a guess, and never added to proof.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

from detector.core.errors import ModelUnavailable
from detector.core.metrics import Estimate
from detector.models.calibration import Calibration
from detector.models.card import Judged, built
from detector.models.condition import Condition
from detector.models.guarantees import Decided, Guarantees, decide
from detector.models.kinds import Kind
from detector.models.registry import JOINT_MODEL

JOINT_VERSION = 1
_LN10 = math.log(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A detector whose ratio goes in, as it was when the joint one was fitted; ``weight`` is that of its
    natural log ratio, as a report prints it (after mix and cap)."""

    model_id: str
    weights_sha256: str
    calibration_id: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """The correlation of the log ratios of two parts within a kind and a class, in one view; None as the kind
    for all together."""

    parts: tuple[str, str]
    kind: Kind | None
    fake: bool
    view: str
    correlation: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class JointCard:
    """``start`` is the score where both ratios are 1. ``judged`` has a row for each view."""

    model_id: str
    question: str
    parts: tuple[Part, ...]
    start: float
    calibration: Calibration
    guarantees: Guarantees
    dependence: tuple[Dependence, ...]
    judged: tuple[Judged, ...]

    def score(self, log10_ratios: Mapping[str, float]) -> float:
        """The joint score of the ratios by model. Raises ``KeyError`` for a part without one."""
        return self.start + sum(p.weight * log10_ratios[p.model_id] * _LN10 for p in self.parts)

    def decide(self, log10_ratios: Mapping[str, float], kind: Kind | None, condition: Condition) -> Decided:
        """As any detector; ``kind`` is None where it is unknown."""
        return decide(self.calibration, self.guarantees, self.score(log10_ratios), kind, condition)

    def fits(self, models: Sequence[tuple[str, str | None]]) -> bool:
        """Whether these (model, digest of its weights) are the parts that it was fitted on."""
        return {(p.model_id, p.weights_sha256) for p in self.parts} == set(models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """A card with the digest of its file, which names it in a report."""

    card: JointCard
    sha256: str


def dump_joint(card: JointCard) -> str:
    """Stable text: the same card gives the same bytes."""
    return json.dumps({"joint_version": JOINT_VERSION, **asdict(card)}, indent=1) + "\n"


def parse_joint(text: str) -> JointCard:
    """Raises ``ModelUnavailable`` for anything that is not a card of this version."""
    try:
        raw = json.loads(text)
        if (version := raw.pop("joint_version")) != JOINT_VERSION:
            raise ModelUnavailable(
                f"the joint card has version {version}; this program reads {JOINT_VERSION}"
            )
        card: JointCard = built(JointCard, raw)
        return card
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise ModelUnavailable(f"the joint card is malformed: {e}") from e


def open_joint(model_id: str = JOINT_MODEL) -> Joint | None:
    """The joint detector that is shipped, or None where none is. Raises ``ModelUnavailable`` for one that
    cannot be read."""
    path = files("detector.models") / "weights_files" / f"{model_id}.json"
    if not path.is_file():
        return None
    try:
        data = path.read_bytes()
        card = parse_joint(data.decode())
    except (OSError, UnicodeDecodeError) as e:
        raise ModelUnavailable(f"the card of {model_id} cannot be read") from e
    return Joint(card=card, sha256=hashlib.sha256(data).hexdigest())
