"""Bytes in, ``Score`` out: the one path for the service, for calibration and for evaluation.

A picture is scored by the mean logit of a few native crops. The same crops are scored again after encodings
that any platform applies; when the answer does not survive them, there is no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detector.augment import Encoding, resize, through
from detector.card import ModelCard, OperatingPoint
from detector.pixels import MAX_PIXELS, Pixels, decode
from detector.preprocess import crops_of
from detector.registry import DEFAULT_MODEL, model_files, open_card
from detector.score import Answer, Ratio, Score, StabilityRange
from detector.weights import load_network

if TYPE_CHECKING:
    from torch import nn

_RE_ENCODINGS = (
    Encoding(media_type="image/jpeg", quality=90),
    Encoding(media_type="image/jpeg", quality=75),
    Encoding(media_type="image/webp", quality=80),
)
_MIN_HALVED_SIDE = 96  # below it half size leaves too little to score


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A loaded network with its card. Scoring is deterministic on one machine."""

    card: ModelCard
    network: nn.Module

    def score(self, data: bytes, media_type: str, *, max_pixels: int = MAX_PIXELS) -> Score:
        """Raises ``NotApplicable`` and ``PixelsUnreadable``; never a score for a picture it could not see."""
        return self.score_pixels(decode(data, media_type, max_pixels=max_pixels))

    def score_pixels(self, pixels: Pixels) -> Score:
        """As ``score``, for pixels that are already decoded. Raises ``NotApplicable``."""
        crops = crops_of(pixels, max_crops=self.card.preprocessing.max_crops)
        logit = mean_logit(self.network, crops)
        point = self.card.operating_point
        ratio = self.card.calibration.ratio(logit)
        answer = _answer(logit, ratio, point)
        others = [mean_logit(self.network, variant) for variant in _variants(crops)]
        flips = sum(_side(x, point) is not _side(logit, point) for x in others)
        stability = StabilityRange(
            variants=len(others), low=min(logit, *others), high=max(logit, *others), flips=flips
        )
        reason = _REASONS[answer]
        if answer is not Answer.INCONCLUSIVE and flips:
            answer = Answer.INCONCLUSIVE
            reason = f"the answer does not survive {flips} of {len(others)} re-encodings of the same picture"
        return Score(
            model_id=self.card.model_id,
            model_sha256=self.card.weights_sha256,
            logit=logit,
            ratio=ratio,
            stability=stability,
            crops=len(crops),
            answer=answer,
            reason=reason,
        )


def raw_logit(network: nn.Module, pixels: Pixels) -> float:
    """The score of a picture before any calibration exists. Raises ``NotApplicable``."""
    return mean_logit(network, crops_of(pixels))


def mean_logit(network: nn.Module, crops: NDArray[np.uint8]) -> float:
    """Mean over crops of the log-odds of "generated"."""
    import torch

    from detector.networks.traces import fake_score

    # One crop at a time: its maps fit the processor's cache, which halves the time of a batch.
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))).float()
        scores = [float(fake_score(network(x[n : n + 1]))) for n in range(len(x))]
    return sum(scores) / len(scores)


_REASONS = {
    Answer.SUPPORTS: "the residual is more like that of the generated pictures of the calibration set",
    Answer.AGAINST: "the residual shows none of the traces this detector knows; it knows few generators",
    Answer.INCONCLUSIVE: "the score lies between the operating points: it separates nothing",
}


def _side(logit: float, point: OperatingPoint) -> Answer:
    if logit >= point.supports_logit:
        return Answer.SUPPORTS
    return Answer.AGAINST if logit <= point.against_logit else Answer.INCONCLUSIVE


def _answer(logit: float, ratio: Ratio, point: OperatingPoint) -> Answer:
    side = _side(logit, point)
    strong = ratio.log10 if side is Answer.SUPPORTS else -ratio.log10
    return (
        side if side is not Answer.INCONCLUSIVE and strong >= point.min_log10_ratio else Answer.INCONCLUSIVE
    )


def _variants(crops: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The same crops after the encodings, and at half size where enough remains."""
    out = [np.stack([through(c, e) for c in crops]) for e in _RE_ENCODINGS]
    if crops.shape[1] // 2 >= _MIN_HALVED_SIDE:
        out.append(np.stack([resize(c, 0.5, "area") for c in crops]))
    return out


def open_detector(model_id: str = DEFAULT_MODEL) -> Detector:
    """Load a registered detector; this is where torch is imported. Raises ``ModelUnavailable``."""
    card = open_card(model_id)
    _, weights = model_files(model_id)
    network = load_network(card, weights)
    import torch

    # The service runs one picture per worker process; more threads only make the workers wait for each other.
    torch.set_num_threads(1)
    return Detector(card=card, network=network)
