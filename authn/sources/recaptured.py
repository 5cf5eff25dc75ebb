"""Whether the picture is a photo of a screen or of a print. Question: *recaptured*. Runs on request.

A hint without a ratio: it points to one only where hardly any photo of a scene, by people whom it had never
seen, scored as high (docs/cards/recaptured.md). Below that it is undecided, never "no sign of it": it misses
most.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import Media
from authn.sources.pictures import Pictures
from authn.sources.places import OfPixels
from detector.core.errors import NotApplicable
from detector.forensics.recapture import NAMES, measured
from detector.forensics.recapture_score import RecaptureModel, open_recapture

NAME, VERSION = "recaptured", "1"
_SHOWN = ("own_y_top", "own_cb_top", "own_noise_y", "own_with_blue", "reduced_y_top", "reduced_dark")
_POINTS = (
    "pattern, noise and tone are like those of photos of screens and prints (score {score}; from {point} on "
    "this points to it). Cloth seen closely, printed pages and screens that stand in the scene give the same"
)
_UNDECIDED = (
    "pattern, noise and tone do not tell it from a photo of a scene; most photos of screens and prints do "
    "not either, so nothing follows"
)


class RecapturedSource(OfPixels):
    """Implements ``HeuristicSource``."""

    name = NAME

    def __init__(self, weights: Path, pictures: Pictures | None = None) -> None:
        """``weights``: a file that ``assay lab recapture`` wrote."""
        super().__init__(pictures)
        self._weights = weights

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``, and ``ModelUnavailable`` for weights that cannot be read."""
        model = open_recapture(self._weights)
        evidence = partial(
            HeuristicEvidence,
            detector=NAME,
            version=VERSION,
            kind="signal",
            question=Question.RECAPTURED,
            model_sha256=model.sha256,
        )
        try:
            found = measured(self._pictures.of(media))
        except NotApplicable as e:
            return (evidence(outcome=HeuristicOutcome.ABSTAIN, reason=e.detail, applicable=False),)
        score = model.score(found)
        beyond = score >= model.point
        reason = _POINTS.format(score=f"{score:.2f}", point=f"{model.point:.2f}") if beyond else _UNDECIDED
        finding = _finding(dict(zip(NAMES, found.tolist(), strict=True)), score, model)
        outcome = HeuristicOutcome.SUPPORTS if beyond else HeuristicOutcome.INCONCLUSIVE
        return (evidence(outcome=outcome, reason=reason, raw=score, findings=(finding,)),)


def _finding(found: dict[str, float], score: float, model: RecaptureModel) -> Finding:
    facts: Facts = (
        ("score", round(score, 3)),
        ("point", round(model.point, 3)),
        *((name, round(found[name], 3)) for name in _SHOWN),
    )
    beyond = score >= model.point
    return Finding(
        code="assay.recaptured.score",
        outcome=Outcome.ESTABLISHED if beyond else Outcome.ABSENT,
        detail=f"the score is {score:.2f}, and from {model.point:.2f} on it points to a screen or print",
        facts=facts,
    )
