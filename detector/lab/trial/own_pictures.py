"""A calibration on somebody's own pictures: two folders in, what each detector is worth there out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from detector.core.errors import TooFewPictures
from detector.core.metrics import Estimate
from detector.core.progress import Report
from detector.lab.trial.columns import columns_of
from detector.lab.trial.numbers import measured
from detector.lab.trial.pictures import gather
from detector.lab.trial.scoring import Scores, score_pictures
from detector.models.own_pictures import OwnPoint, calibration_bytes, own_point

VIEW = "stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A score that a report gave to a file whose truth somebody said; there is no picture of it."""

    sha256: str
    fake: bool
    model_id: str
    weights_sha256: str
    logit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """One detector on these pictures; ``why`` there is no point, where there is none."""

    model_id: str
    auc: Estimate | None
    point: OwnPoint | None
    why: str = ""


def calibrate(
    real: Path,
    fake: Path,
    out: Path,
    detectors: Sequence[Scores],
    *,
    told: Sequence[Told] = (),
    report: Report,
) -> tuple[tuple[Worth, ...], bytes | None]:
    """What each detector is worth on files as they are stored, and the calibration file, None where no point
    is vouched for. What was scored is kept in ``out``. ``told`` counts beside the pictures (not in the area),
    and the name of the calibration says so. Raises ``LabError``."""
    pictures = gather(real, fake, report=report)
    found = score_pictures(detectors, pictures.pictures, (VIEW,), out / "scores.jsonl", report)
    columns = {c.detector: c for c in columns_of(pictures.pictures, found)}
    weights: Mapping[str, str] = {d.card.model_id: d.card.weights_sha256 for d in detectors}
    measured_here = {p.sha256 for p in pictures.pictures}
    worth = []
    for model_id, weights_sha256 in weights.items():
        column = columns.get(model_id)
        parts = [
            [float(x) for part in column.logits(fake=f).values() for x in part] if column else []
            for f in (False, True)
        ]
        for t in told:
            if (t.model_id, t.weights_sha256) == (model_id, weights_sha256) and t.sha256 not in measured_here:
                parts[t.fake].append(t.logit)
        try:
            point, why = own_point(model_id, weights_sha256, *parts), ""
        except TooFewPictures as e:
            point, why = None, e.detail
        estimate = measured(column).auc if column and all(parts) else None
        worth.append(Worth(model_id=model_id, auc=estimate, point=point, why=why))
    points = [w.point for w in worth if w.point is not None]
    name = f"{real.absolute().name}, {fake.absolute().name}"
    files = {t.sha256 for t in told} - measured_here
    if files:
        name += f", and feedback on {len(files)} files"
    lines = sorted({f"{t.sha256} {t.fake}" for t in told if t.sha256 in files})
    digest = pictures.digest()
    if lines:
        digest = sha256("\n".join((digest, *lines)).encode()).hexdigest()
    return tuple(worth), calibration_bytes(name, digest, points) if points else None
