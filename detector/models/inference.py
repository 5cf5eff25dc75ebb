"""Bytes in, ``Score`` out: the one path for the service, for calibration and for evaluation.

A picture is scored by the mean logit of a few native crops. The same crops are scored again after encodings
that any platform applies; when the answer does not survive them, there is no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.models.card import ModelCard, OperatingPoint, open_card
from detector.models.registry import DEFAULT_MODEL, model_files
from detector.models.score import Answer, Ratio, Score, StabilityRange
from detector.models.weights import load_network
from detector.models.where import SQUARE_SIDE, Place, Places, grid_of
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import MAX_PIXELS, Pixels, decode
from detector.pixels.preprocess import MIN_TEXTURE, crops_of, texture_of, windows_of

if TYPE_CHECKING:
    from detector.networks.traces import TraceNet

_RE_ENCODINGS = (
    Encoding(media_type="image/jpeg", quality=90),
    Encoding(media_type="image/jpeg", quality=75),
    Encoding(media_type="image/webp", quality=80),
)
HEAT_SIDE = 128
_MIN_HALVED_SIDE = 96  # below it half size leaves too little to score


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the network says of some crops: the log-odds of "generated", and how far from the calibration
    pictures they lie."""

    logit: float
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A loaded network with its card. Scoring is deterministic on one machine."""

    card: ModelCard
    network: TraceNet

    def score(self, data: bytes, media_type: str, *, max_pixels: int = MAX_PIXELS) -> Score:
        """Raises ``NotApplicable`` and ``PixelsUnreadable``; never a score for a picture it could not see."""
        return self.score_pixels(decode(data, media_type, max_pixels=max_pixels))

    def ratio(self, data: bytes, media_type: str) -> Ratio:
        """The likelihood ratio alone, without the re-encodings that an answer has to survive. Raises as
        ``score``."""
        crops = crops_of(decode(data, media_type), max_crops=self.card.preprocessing.max_crops)
        return self.card.calibration.ratio(read(self.network, crops).logit)

    def score_pixels(self, pixels: Pixels) -> Score:
        """As ``score``, for pixels that are already decoded. Raises ``NotApplicable``."""
        crops = crops_of(pixels, max_crops=self.card.preprocessing.max_crops)
        reading = read(self.network, crops)
        ratio = self.card.calibration.ratio(reading.logit)
        answer = answer_of(reading.logit, ratio, self.card.operating_point)
        reason, stability = _REASONS[answer], None
        if answer is Answer.AGAINST and not may_speak_against(pixels, self.card.operating_point):
            answer, reason = Answer.INCONCLUSIVE, TOO_SMALL
        limit = self.card.domain_limit
        if limit is not None and reading.distance > limit:
            answer, reason = Answer.INCONCLUSIVE, _OUTSIDE
        if answer is not Answer.INCONCLUSIVE:
            # Only an answer has something to lose; most pictures get none and need no second look.
            others = [read(self.network, variant).logit for variant in _variants(crops)]
            stability = stability_of(reading.logit, others, self.card.operating_point)
            if stability.flips:
                answer = Answer.INCONCLUSIVE
                reason = (
                    f"the answer does not survive {stability.flips} of {stability.variants} re-encodings "
                    "of the same picture"
                )
        return Score(
            model_id=self.card.model_id, model_sha256=self.card.weights_sha256, logit=reading.logit,
            ratio=ratio, stability=stability, crops=len(crops), answer=answer, reason=reason,
            distance=reading.distance,
        )  # fmt: skip

    def heatmap(self, pixels: Pixels, *, side: int = HEAT_SIDE) -> NDArray[np.float32]:
        """Log-odds of every square of ``side`` pixels, (rows, columns); NaN where a square is flat. A place
        to look at, no measure of its own. Raises ``NotApplicable`` for less than one square."""
        rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
        if not rows or not columns:
            raise NotApplicable(f"the picture is smaller than one square of {side} pixels")
        out = np.full((rows, columns), np.nan, np.float32)
        for y in range(rows):
            for x in range(columns):
                square = pixels[y * side : (y + 1) * side, x * side : (x + 1) * side]
                if texture_of(square) >= MIN_TEXTURE:
                    out[y, x] = read(self.network, square[None]).logit
        return out

    def where(self, data: bytes, media_type: str) -> Places:
        """The windows that the score is the mean of, and squares over the whole picture. Raises as ``score``,
        and ``NotApplicable`` for a picture with room for too few squares."""
        pixels = decode(data, media_type)
        squares = grid_of(*pixels.shape[:2])
        side, corners = windows_of(pixels, max_crops=self.card.preprocessing.max_crops)
        textured = [
            (y, x) for y, x in squares
            if texture_of(pixels[y : y + SQUARE_SIDE, x : x + SQUARE_SIDE]) >= MIN_TEXTURE
        ]  # fmt: skip
        return Places(
            width=pixels.shape[1], height=pixels.shape[0],
            windows=tuple(self._place(pixels, corner, side) for corner in corners),
            squares=tuple(self._place(pixels, corner, SQUARE_SIDE) for corner in textured),
            smooth=len(squares) - len(textured),
            supports_logit=self.card.operating_point.supports_logit,
        )  # fmt: skip

    def _place(self, pixels: Pixels, corner: tuple[int, int], side: int) -> Place:
        y, x = corner
        reading = read(self.network, pixels[None, y : y + side, x : x + side])
        return Place(x=x, y=y, side=side, logit=reading.logit)


def raw_logit(network: TraceNet, pixels: Pixels) -> float:
    """The score of a picture before any calibration exists. Raises ``NotApplicable``."""
    return read(network, crops_of(pixels)).logit


def read(network: TraceNet, crops: NDArray[np.uint8]) -> Reading:
    """Means over crops, uint8 (n, side, side, 3)."""
    import torch

    from detector.networks.traces import fake_score

    # One crop at a time: its maps fit the processor's cache, which halves the time of a batch.
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))).float()
        features = torch.cat([network.features(x[n : n + 1]) for n in range(len(x))])
        return Reading(
            logit=float(fake_score(network.family(features)).mean()),
            distance=float(network.distance(features.mean(0, keepdim=True))),
        )


TOO_SMALL = "nothing points to it, but the generators of so small pictures are those that it cannot see"
_OUTSIDE = (
    "the picture lies outside of what the detector was calibrated on, and there its score means nothing"
)
_REASONS = {
    Answer.SUPPORTS: "the residual is more like that of the generated pictures of the calibration set",
    Answer.AGAINST: "the residual shows none of the traces this detector knows; it knows few generators",
    Answer.INCONCLUSIVE: "the score lies between the operating points: it separates nothing",
}


def _side(logit: float, point: OperatingPoint) -> Answer:
    if logit >= point.supports_logit:
        return Answer.SUPPORTS
    return Answer.AGAINST if logit <= point.against_logit else Answer.INCONCLUSIVE


def stability_of(logit: float, others: list[float], point: OperatingPoint) -> StabilityRange:
    """How the logits of re-encoded copies lie around that of the picture."""
    return StabilityRange(
        variants=len(others),
        low=min(logit, *others),
        high=max(logit, *others),
        flips=sum(_side(x, point) is not _side(logit, point) for x in others),
    )


def may_speak_against(pixels: Pixels, point: OperatingPoint) -> bool:
    return bool(min(pixels.shape[:2]) >= point.against_min_side)


def answer_of(logit: float, ratio: Ratio, point: OperatingPoint) -> Answer:
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
