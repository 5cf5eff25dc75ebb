"""Everything that can go wrong in the pixel laboratory.

DetectorError
├── PixelsUnreadable
├── NotApplicable
├── ModelUnavailable
├── LabError
│   ├── CorpusError
│   │   └── ManifestError
│   ├── SnapshotFailed
│   ├── TooFewPictures
│   ├── OptionRefused
│   ├── FolderTaken
│   ├── FileFailed
│   └── FileDamaged
├── CalibrationError
└── FitFailed
"""

from __future__ import annotations


class DetectorError(Exception):
    """Root. ``code`` is a stable dotted string (docs/codes.md); ``str()`` is one sentence for a person."""

    code = "assay.detector.failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class PixelsUnreadable(DetectorError):
    """The bytes do not decode to pixels within the limits."""

    code = "assay.detector.unreadable"


class NotApplicable(DetectorError):
    """The question cannot be asked of these pixels: too small, another format, nothing to see."""

    code = "assay.detector.notApplicable"


class ModelUnavailable(DetectorError):
    """No such model, a missing file, or a digest that differs from its card."""

    code = "assay.detector.modelUnavailable"


class LabError(DetectorError):
    """Work of the laboratory that cannot be done with what it was given. Only its kinds are raised; it is
    caught where one piece of work may fail and the rest goes on."""

    code = "assay.detector.lab"


class CorpusError(LabError):
    """An index, source or array of pictures that is missing, wrong, leaks between splits or does not fit the
    family."""

    code = "assay.detector.corpus"


class ManifestError(CorpusError):
    """A manifest that is malformed, in the ``line`` that is named, counted from 1."""

    code = "assay.detector.manifest"

    def __init__(self, detail: str, *, line: int) -> None:
        super().__init__(detail)
        self.line = line


class SnapshotFailed(LabError):
    """A git repository that cannot be cloned or read, or answers what was not asked."""

    code = "assay.detector.snapshotFailed"


class TooFewPictures(LabError):
    """A folder, split or class leaves fewer pictures than the work needs."""

    code = "assay.detector.tooFewPictures"


class OptionRefused(LabError):
    """A setting or argument out of range, or one that does not fit the others."""

    code = "assay.detector.optionRefused"


class FolderTaken(LabError):
    """A run begun with other options or pictures, or an output that exists."""

    code = "assay.detector.folderTaken"


class FileFailed(LabError):
    """A file or folder that is missing, or that cannot be read or written."""

    code = "assay.detector.fileFailed"


class FileDamaged(LabError):
    """A checkpoint, weights, result or index of a run that cannot be read back."""

    code = "assay.detector.fileDamaged"


class CalibrationError(DetectorError):
    """Too few items, only one class, or a score that ranks the wrong way: nothing to calibrate on."""

    code = "assay.detector.calibration"


class FitFailed(DetectorError):
    """The fit of a generator diverged."""

    code = "assay.detector.fitFailed"
