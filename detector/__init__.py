"""The pixel laboratory: it knows how the pixels score. Importing this package does not load torch.

    from detector import NotApplicable, open_detector

    score = open_detector().score(Path("photo.jpg").read_bytes(), "image/jpeg")

The names in ``__all__`` are the public face; each says its types, units and errors. Everything else may
change. A name is loaded when it is first asked for, and all that can go wrong is a ``DetectorError``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.core.errors import (
        CalibrationError,
        CorpusError,
        DetectorError,
        FileDamaged,
        FileFailed,
        FitFailed,
        FolderTaken,
        LabError,
        ModelUnavailable,
        NotApplicable,
        OptionRefused,
        PixelsUnreadable,
        TooFewPictures,
    )  # fmt: skip
    from detector.forensics.compression import Compression, examine_compression
    from detector.models.calibration import Calibration
    from detector.models.card import ModelCard, OperatingPoint, open_card
    from detector.models.condition import Condition, condition_of
    from detector.models.inference import Detector, open_detector
    from detector.models.kinds import Kind
    from detector.models.registry import MODELS
    from detector.models.score import Answer, Guarantee, Ratio, Score, StabilityRange
    from detector.models.score_map import ScoreMap, Spot
    from detector.models.scorer import Scorer
    from detector.models.semantic import SemanticDetector, open_semantic
    from detector.pixels.decode import Pixels, decode
    from detector.pixels.jpeg import JpegStructure, parse_jpeg
    from detector.pixels.upright import decode_upright

__all__ = [
    "MODELS",
    "Answer",
    "Calibration",
    "CalibrationError",
    "Compression",
    "Condition",
    "CorpusError",
    "Detector",
    "DetectorError",
    "FileDamaged",
    "FileFailed",
    "FitFailed",
    "FolderTaken",
    "Guarantee",
    "JpegStructure",
    "Kind",
    "LabError",
    "ModelCard",
    "ModelUnavailable",
    "NotApplicable",
    "OperatingPoint",
    "OptionRefused",
    "Pixels",
    "PixelsUnreadable",
    "Ratio",
    "Score",
    "ScoreMap",
    "Scorer",
    "SemanticDetector",
    "Spot",
    "StabilityRange",
    "TooFewPictures",
    "condition_of",
    "decode",
    "decode_upright",
    "examine_compression",
    "open_card",
    "open_detector",
    "open_semantic",
    "parse_jpeg",
]  # fmt: skip

# Where each name is; those that are not listed are errors.
_HOMES = {
    "forensics.compression": "Compression examine_compression",
    "models.calibration": "Calibration",
    "models.card": "ModelCard OperatingPoint open_card",
    "models.condition": "Condition condition_of",
    "models.inference": "Detector open_detector",
    "models.registry": "MODELS",
    "models.kinds": "Kind",
    "models.score": "Answer Guarantee Ratio Score StabilityRange",
    "models.score_map": "ScoreMap Spot",
    "models.scorer": "Scorer",
    "models.semantic": "SemanticDetector open_semantic",
    "pixels.decode": "Pixels decode",
    "pixels.jpeg": "JpegStructure parse_jpeg",
    "pixels.upright": "decode_upright",
}


if not TYPE_CHECKING:  # so that a name that is none is seen by a type checker

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = next((home for home, names in _HOMES.items() if name in names.split()), "core.errors")
        return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
