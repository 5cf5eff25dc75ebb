"""Everything that can go wrong in the pixel laboratory.

DetectorError
├── PixelsUnreadable      the bytes do not decode to pixels within the limits
├── NotApplicable         the question cannot be asked of these pixels (too small, wrong format)
├── ModelUnavailable      no such model, missing file, a digest that differs from its card
├── CorpusError           an index that is missing, wrong or leaks between splits
├── CalibrationError      too few items, or only one class, to calibrate on
└── FitFailed             the fit of a generator diverged
"""

from __future__ import annotations


class DetectorError(Exception):
    """Root. ``code`` is a stable dotted string (docs/codes.md); ``str()`` is one sentence for a person."""

    code = "assay.detector.failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class PixelsUnreadable(DetectorError):
    code = "assay.detector.unreadable"


class NotApplicable(DetectorError):
    code = "assay.detector.notApplicable"


class ModelUnavailable(DetectorError):
    code = "assay.detector.modelUnavailable"


class CorpusError(DetectorError):
    code = "assay.detector.corpus"


class CalibrationError(DetectorError):
    code = "assay.detector.calibration"


class FitFailed(DetectorError):
    code = "assay.detector.fitFailed"
