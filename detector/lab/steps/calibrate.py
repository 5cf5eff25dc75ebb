"""What the calibration split says of a trained network: the line, the operating point, the domain.

Pictures are counted, never crops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.errors import CalibrationError, NotApplicable
from detector.core.metrics import Array
from detector.core.progress import Report
from detector.data.corpus import Item
from detector.data.splits import Split
from detector.lab.steps.views import matched, named_pictures
from detector.models.calibration import Calibration, fit
from detector.models.card import OperatingPoint
from detector.networks.traces import TraceNet, fake_score
from detector.pixels.decode import Pixels
from detector.pixels.preprocess import crops_of

CALIBRATION_DRAWS = 3
FALSE_POSITIVE_GOAL = 0.05
DOMAIN_SHARE = 0.99
DOMAIN_SLACK = 1.15  # few calibration pictures do not reach as far as their kind does
MIN_LOG10_RATIO = 0.5  # a ratio of about three: below it the words would be stronger than the evidence
# No whole picture that a shipped detector was fitted on is smaller, and most GAN pictures of 256 pixels that
# were measured pass for photos.
AGAINST_MIN_SIDE = 400

See = Callable[[Pixels], NDArray[np.floating]]  # numbers of one picture; raises NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What the calibration split says: the line, the operating point, and how far from its own centre a
    calibration picture may lie (deviations per feature)."""

    calibration: Calibration
    point: OperatingPoint
    domain_limit: float


def calibrate(
    network: TraceNet, root: Path, items: Sequence[Item], *, seed: int, report: Report
) -> Calibrated:
    """Sets the domain buffers of the network too. Raises ``CalibrationError`` for too few pictures or a score
    that ranks the wrong way."""
    mine = [i for i in items if i.split is Split.CALIBRATION]
    drawn = drawn_of(root, mine, lambda p: _summary(network, p), "calibrating", report)
    real = {name: f for (name, is_fake), f in drawn.items() if not is_fake}
    fake = {name: f for (name, is_fake), f in drawn.items() if is_fake}
    if not real or not fake:
        raise CalibrationError("the calibration split needs real and generated pictures")
    limit = _set_domain(network, [*real.values(), *fake.values()])
    scores = {name: f[..., -1] for name, f in real.items()}
    fakes = {name: f[..., -1] for name, f in fake.items()}
    return Calibrated(
        calibration=fit(np.concatenate(list(scores.values())), list(fakes.values()), seed=seed),
        point=operating_point(scores, fakes),
        domain_limit=limit,
    )


def drawn_of(
    root: Path, items: Sequence[Item], see: See, what: str, report: Report
) -> dict[tuple[str, bool], Array]:
    """(set, fake) -> (pictures, draws, d): what ``see`` makes of every picture after each of
    ``CALIBRATION_DRAWS`` draws of ``codec_match``; pictures that it abstains on are left out."""
    out: dict[tuple[str, bool], list[list[NDArray[np.floating]]]] = {}
    for n, item in enumerate(items):
        for name, picture in named_pictures(root, item):
            try:
                seen = [see(matched(picture, name, k)) for k in range(CALIBRATION_DRAWS)]
            except NotApplicable:
                continue
            out.setdefault((item.set_name, item.fake), []).append(seen)
        report(what, n + 1, len(items))
    return {k: np.array(v, np.float64) for k, v in out.items()}


@torch.no_grad()
def _summary(network: TraceNet, picture: Pixels) -> Array:
    """(d + 1,): mean features over crops, and last the mean score."""
    x = torch.from_numpy(np.ascontiguousarray(crops_of(picture).transpose(0, 3, 1, 2))).float()
    features = torch.cat([network.features(x[n : n + 1]) for n in range(len(x))])
    score = fake_score(network.family(features)).mean()
    return np.append(features.mean(0).double().numpy(), float(score))


def _set_domain(network: TraceNet, drawn: Sequence[Array]) -> float:
    """Centre and spread of all calibration pictures, every set alike; returns their ``domain_limit``."""
    sets = [d[..., :-1].reshape(-1, d.shape[-1] - 1) for d in drawn]
    mean = np.mean([s.mean(0) for s in sets], 0)
    spread = np.sqrt(np.mean([((s - mean) ** 2).mean(0) for s in sets], 0)) + 1e-3
    network.domain_mean.copy_(torch.from_numpy(mean))
    network.domain_scale.copy_(torch.from_numpy(spread))
    with torch.no_grad():
        return domain_limit(network.distance(torch.from_numpy(np.concatenate(sets)).float()).numpy())


def domain_limit(away: Array) -> float:
    """The distance that all but one in ``DOMAIN_SHARE`` calibration pictures keep, and some more."""
    return float(np.quantile(away, DOMAIN_SHARE) * DOMAIN_SLACK)


def operating_point(real: Mapping[str, Array], fake: Mapping[str, Array]) -> OperatingPoint:
    """Logits beyond which the detector may answer.

    Both have the scores (pictures, draws) of each source or generator apart. The upper point is the conformal
    quantile of the *worst* source (Mondrian: Vovk et al., "Algorithmic Learning in a Random World", 4.5),
    because a rate that holds on average lets one camera bear all false alarms; the lower one that of the
    worst generator. Where a source has too few scores for its quantile, it is the largest one.
    """
    supports = max(conformal_quantile(s.ravel(), FALSE_POSITIVE_GOAL) for s in real.values())
    supports = float(np.nextafter(supports, np.inf))
    against = -max(conformal_quantile(-s.ravel(), FALSE_POSITIVE_GOAL) for s in fake.values())
    everything = np.concatenate([s.ravel() for s in real.values()])
    return OperatingPoint(
        supports_logit=supports, against_logit=float(np.nextafter(min(against, supports - 1e-6), -np.inf)),
        min_log10_ratio=MIN_LOG10_RATIO, calibration_false_positives=float((everything >= supports).mean()),
    )  # fmt: skip


def conformal_quantile(scores: Array, share: float) -> float:
    """The score that a new one from the same source exceeds with probability at most ``share``, or the
    largest, where there are too few to say so. Raises ``CalibrationError`` for no scores."""
    if not len(scores):
        raise CalibrationError("a quantile of no scores does not exist")
    rank = math.ceil((len(scores) + 1) * (1 - share))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])
