"""Weights for photos of screens and prints, as a laboratory of one's own would write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save

from detector.forensics.recapture import NAMES
from detector.forensics.recapture_score import RecaptureModel


def made_recapture(point: float = 3.0) -> RecaptureModel:
    """Weights that mean nothing: the first number alone counts."""
    weights = np.eye(1, len(NAMES)).ravel()
    ones = np.ones(len(NAMES))
    return RecaptureModel(mean=0 * ones, scale=ones, weights=weights, bias=0.0, point=point, sha256="")


def write_recapture(path: Path, point: float = 3.0) -> Path:
    path.write_bytes(save(made_recapture(point).tensors()))
    return path
