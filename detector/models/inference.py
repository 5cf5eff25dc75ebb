"""The trace detector: bytes in, ``Score`` out; the one path for the service, for calibration and evaluation.

A picture is scored by the mean logit of a few native crops. The same crops are scored again as platforms hand
them on, which gives a band beside the score; by a card without guarantees an answer has to survive that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.models.card import ModelCard, open_card
from detector.models.places import SQUARE_SIDE, grid_of
from detector.models.registry import DEFAULT_MODEL, model_files
from detector.models.score import Answer
from detector.models.score_map import ScoreMap, Spot
from detector.models.scorer import Reading, Scorer, Views, Words
from detector.models.trace_network import TraceNetwork
from detector.models.weights import ReadableFile, network_at
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, decode
from detector.pixels.preprocess import MIN_TEXTURE, crops_of, texture_of, windows_of

_RE_ENCODINGS = (
    Encoding(media_type="image/jpeg", quality=90),
    Encoding(media_type="image/jpeg", quality=75),
    Encoding(media_type="image/webp", quality=80),
)
_BAND = Encoding(media_type="image/jpeg", quality=75)
HEAT_SIDE = 128
_MIN_HALVED_SIDE = 96  # below it half size leaves too little to score
_WORDS = Words(
    reasons={
        Answer.SUPPORTS: "the residual is more like that of the generated pictures of the calibration set",
        Answer.AGAINST: "the residual shows none of the traces this detector knows; it knows few generators",
        Answer.INCONCLUSIVE: "the score lies between the operating points: it separates nothing",
    },
    outside="the picture lies outside of what the detector was calibrated on, and there its score means "
    "nothing",
    unstable="the answer does not survive {flips} of {variants} re-encodings of the same picture",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector(Scorer):
    """A loaded trace network with its card. Scoring is deterministic on one machine."""

    network: TraceNetwork
    words: ClassVar[Words] = _WORDS

    def views(self, pixels: Pixels) -> Views:
        """Crops (n, side, side, 3). Raises ``NotApplicable``."""
        return crops_of(pixels, max_crops=self.card.preprocessing.max_crops)

    def read(self, views: Views) -> Reading:
        return read(self.network, views)

    def variants(self, views: Views) -> list[Views]:
        """The same crops after the encodings, and at half size where enough remains. Where a card vouches
        for the file as stored, and the copies take nothing back, one encoding is enough for a band."""
        encodings = _RE_ENCODINGS if self.card.guarantees is None else (_BAND,)
        out = [np.stack([through(c, e) for c in views]) for e in encodings]
        if views.shape[1] // 2 >= _MIN_HALVED_SIDE:
            out.append(np.stack([resize(c, 0.5, "area") for c in views]))
        return out

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
                    out[y, x] = self.read(square[None]).logit
        return out

    def score_map(self, data: bytes, media_type: str) -> ScoreMap:
        """The windows that the score is the mean of, and squares over the whole picture. Raises as ``score``,
        and ``NotApplicable`` for a picture with room for too few squares."""
        pixels = decode(data, media_type)
        squares = grid_of(*pixels.shape[:2])
        side, corners = windows_of(pixels, max_crops=self.card.preprocessing.max_crops)
        textured = [
            (y, x) for y, x in squares
            if texture_of(pixels[y : y + SQUARE_SIDE, x : x + SQUARE_SIDE]) >= MIN_TEXTURE
        ]  # fmt: skip
        return ScoreMap(
            width=pixels.shape[1], height=pixels.shape[0],
            windows=tuple(self._spot(pixels, corner, side) for corner in corners),
            squares=tuple(self._spot(pixels, corner, SQUARE_SIDE) for corner in textured),
            smooth=len(squares) - len(textured),
            supports_logit=self.card.operating_point.supports_logit,
        )  # fmt: skip

    def _spot(self, pixels: Pixels, corner: tuple[int, int], side: int) -> Spot:
        y, x = corner
        reading = self.read(pixels[None, y : y + side, x : x + side])
        return Spot(x=x, y=y, side=side, logit=reading.logit)


def read(network: TraceNetwork, crops: Views) -> Reading:
    """Means over crops, uint8 (n, side, side, 3)."""
    features = network.features(crops)
    return Reading(
        logit=float(network.logits(features).mean()),
        distance=float(network.distance(features.mean(0, keepdims=True))[0]),
    )


def open_detector(model_id: str = DEFAULT_MODEL) -> Detector:
    """The trace detector of that id, loaded. Raises ``ModelUnavailable``."""
    card = open_card(model_id)
    return detector_at(card, model_files(model_id)[1])


def detector_at(card: ModelCard, path: ReadableFile) -> Detector:
    """A trace detector with its weights from a file. Raises ``ModelUnavailable`` for a missing file, another
    digest, or tensors that do not fit the card."""
    return Detector(card=card, network=network_at(card, path))
