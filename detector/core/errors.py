"""Everything that can go wrong in the pixel laboratory.

DetectorError
├── PixelsUnreadable      the bytes do not decode to pixels within the limits
├── NotApplicable         the question cannot be asked of these pixels (too small, wrong format)
├── ModelUnavailable      no such model, missing file, a digest that differs from its card
├── LabError              work of the laboratory that cannot be done with what it was given
│   ├── CorpusError       an index, source or array of pictures that is missing, wrong, leaks between splits
│   │                     or does not fit the family
│   ├── TooFewPictures    a folder, split or class leaves fewer pictures than the work needs
│   ├── OptionRefused     a setting or argument out of range, or one that does not fit the others
│   ├── FolderTaken       a run begun with other options or pictures, or an output that exists
│   ├── FileFailed        a file or folder that is missing, or that cannot be read or written
│   └── FileDamaged       a checkpoint, weights, result or index of a run that cannot be read back
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


class LabError(DetectorError):
    """Raised by its kinds only; caught where one piece of work may fail and the rest goes on."""

    code = "assay.detector.lab"


class CorpusError(LabError):
    code = "assay.detector.corpus"


class TooFewPictures(LabError):
    code = "assay.detector.tooFewPictures"


class OptionRefused(LabError):
    code = "assay.detector.optionRefused"


class FolderTaken(LabError):
    code = "assay.detector.folderTaken"


class FileFailed(LabError):
    code = "assay.detector.fileFailed"


class FileDamaged(LabError):
    code = "assay.detector.fileDamaged"


class CalibrationError(DetectorError):
    code = "assay.detector.calibration"


class FitFailed(DetectorError):
    code = "assay.detector.fitFailed"
