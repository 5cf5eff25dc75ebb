"""Whether the two eyes of a face have one colour. Question: *synthetic*.

A hint of knowledge, not of statistics: irises of two colours support, and equal ones are inconclusive, since
nearly every generated face has equal eyes too. It never answers "against" and gives no ratio, because none
could be calibrated (docs/cards/symmetry.md). Highlights and landmarks are reported and count for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import Media
from authn.sources.pictures import Pictures
from detector.core.errors import NotApplicable
from detector.forensics.face_files import MODELS_SHA256
from detector.forensics.faces import FaceModels, open_faces
from detector.forensics.symmetry import SUPPORTS_COLOUR, FaceSymmetry, Unfit, examine_faces
from detector.pixels.orientation import orientation_of
from detector.pixels.upright import upright

VERSION = "1"


class SymmetrySource:
    """Implements ``HeuristicSource``. The models are loaded when the first picture is examined, and kept."""

    name = "symmetry"
    reads_pixels = True

    def __init__(self, folders: Sequence[Path] = (), pictures: Pictures | None = None) -> None:
        self._folders = tuple(folders)
        self._pictures = pictures or Pictures()
        self._models: FaceModels | None = None

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``ModelUnavailable`` and ``PixelsUnreadable``."""
        if self._models is None:
            self._models = open_faces(self._folders)
        try:
            pixels = upright(self._pictures.of(media), orientation_of(media.data, media.media_type))
        except NotApplicable as e:
            return (_abstention(e.detail),)
        faces = examine_faces(pixels, self._models)
        if not faces:
            return (_abstention("no face was found that is large enough for its eyes to be compared"),)
        fit = [f for f in faces if not f.unfit]
        if not fit:
            return (_abstention(_why_unfit(faces), _finding(faces[0], faces)),)
        most = max(fit, key=lambda f: f.colour)
        return (_answer(most, faces, len(fit)),)


def _why_unfit(faces: Sequence[FaceSymmetry]) -> str:
    first = faces[0].unfit
    more = f" and {len(first) - 1} more reasons" if len(first) > 2 else ""
    shown = first[:1] if more else first
    who = "the face" if len(faces) == 1 else f"none of {len(faces)} faces can be compared; the largest"
    return f"{who}: {' and '.join(u.value for u in shown)}{more}"


def _answer(most: FaceSymmetry, faces: Sequence[FaceSymmetry], fit: int) -> HeuristicEvidence:
    if most.colour >= SUPPORTS_COLOUR:
        outcome = HeuristicOutcome.SUPPORTS
        reason = (
            f"the irises of a face differ in colour by {most.colour:.1f} (a*b*, from {SUPPORTS_COLOUR:g} on "
            "this points to it) more than the light on the whites of its eyes explains; born or coloured "
            "eyes of two colours, coloured light and retouching do the same"
        )
    else:
        outcome = HeuristicOutcome.INCONCLUSIVE
        reason = (
            f"the irises of {'the face' if fit == 1 else f'{fit} faces'} differ in colour by at most "
            f"{most.colour:.1f} (a*b*), less than {SUPPORTS_COLOUR:g}; so do those of most generated faces"
        )
    return HeuristicEvidence(
        detector="symmetry",
        version=VERSION,
        kind="signal",
        question=Question.SYNTHETIC,
        outcome=outcome,
        reason=reason,
        raw=most.colour,
        findings=(_finding(most, faces),),
        model_sha256=MODELS_SHA256,
    )


def _finding(face: FaceSymmetry, faces: Sequence[FaceSymmetry]) -> Finding:
    irises = f"{face.face.left.radius * 2:.0f} and {face.face.right.radius * 2:.0f} pixels"
    compared = sum(not f.unfit for f in faces)
    facts: Facts = (
        ("faces", len(faces)),
        ("faces_compared", compared),
        ("iris_left_pixels", round(face.face.left.radius * 2, 1)),
        ("iris_right_pixels", round(face.face.right.radius * 2, 1)),
        ("not_compared_because", " ".join(u.name.lower() for u in face.unfit) or None),
    )
    if face.left is not None and face.right is not None and Unfit.SMALL not in face.unfit:
        facts += (
            ("colour_difference", round(face.colour, 2)),
            ("colour_difference_before_light", round(face.raw_colour, 2)),
            ("lightness_difference", round(face.lightness, 2)),
            ("highlights_left", len(face.left.highlights)),
            ("highlights_right", len(face.right.highlights)),
            ("highlight_distance_radii", _rounded(face.highlight_distance)),
            ("landmark_distance", round(face.landmark_distance, 4)),
        )
    return Finding(
        code="assay.symmetry.eyes",
        outcome=Outcome.ESTABLISHED if not face.unfit else Outcome.NOT_EXAMINED,
        detail=f"irises of {irises} across; {compared} of {len(faces)} faces compared",
        facts=facts,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _abstention(reason: str, *findings: Finding) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector="symmetry",
        version=VERSION,
        kind="signal",
        question=Question.SYNTHETIC,
        outcome=HeuristicOutcome.ABSTAIN,
        reason=reason,
        applicable=False,
        findings=findings,
        model_sha256=MODELS_SHA256,
    )
