"""The score of a picture's numbers: log-odds of a recapture under the material that it was fitted on.

A number to compare with its point, and no likelihood ratio: how many pictures in the world are recaptures,
and of which kind, nobody knows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable
from detector.forensics.recapture import NAMES

FARTHEST = 4.0  # deviations: what lies far from all that was seen counts no more

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecaptureModel:
    """``mean``, ``scale`` and ``weights`` (names,); ``point``: from which a recapture is said. ``sha256``: of
    the file that it came from, or empty."""

    mean: Array
    scale: Array
    weights: Array
    bias: float
    point: float
    sha256: str

    def score(self, numbers: Array) -> float:
        """Of one picture (names,)."""
        return float(self.scores(numbers[None])[0])

    def scores(self, numbers: Array) -> Array:
        """Of pictures (n, names)."""
        standard = np.clip((numbers - self.mean) / self.scale, -FARTHEST, FARTHEST)
        found: Array = standard @ self.weights + self.bias
        return found

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """What a file keeps."""
        kept = {
            "mean": self.mean, "scale": self.scale, "weights": self.weights,
            "bias": np.array([self.bias]), "point": np.array([self.point]),
        }  # fmt: skip
        return {name: np.ascontiguousarray(value, np.float32) for name, value in kept.items()}


def recapture_model(data: bytes) -> RecaptureModel:
    """Of the bytes of a file. Raises ``ModelUnavailable``."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = {name: value.astype(np.float64) for name, value in load(data).items()}
        mean, scale, weights = (tensors[name] for name in ("mean", "scale", "weights"))
        bias, point = (float(tensors[name].item()) for name in ("bias", "point"))
    except (SafetensorError, KeyError, ValueError) as e:
        raise ModelUnavailable("the weights for recaptures cannot be read") from e
    if any(value.shape != (len(NAMES),) for value in (mean, scale, weights)):
        raise ModelUnavailable("the weights for recaptures are not those of its numbers")
    if not (np.isfinite([*mean, *scale, *weights, bias, point]).all() and (scale > 0).all()):
        raise ModelUnavailable("the weights for recaptures hold numbers that nothing can be computed with")
    return RecaptureModel(
        mean=mean, scale=scale, weights=weights, bias=bias, point=point,
        sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip


@cache
def open_recapture(path: Path) -> RecaptureModel:
    """The weights in this file, read once. Raises ``ModelUnavailable``."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ModelUnavailable("the weights for recaptures cannot be read") from e
    return recapture_model(data)
