"""Pictures as PNG files for tools outside, so that anyone can compute the usual numbers (pytorch-fid,
clean-fid, torch-fidelity) on exactly these pictures.

A folder holds ``000000.png`` and so on, and ``manifest.json`` with the digest of every file; those tools pass
over it. It appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.core.errors import FolderTaken
from detector.core.files import new_folder, write_arrays
from detector.generators.source import pixels_digest

SCHEMA = "assay.pictures/1"
MANIFEST = "manifest.json"


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """One picture (side, side, 1 or 3) without loss and without metadata."""
    out = io.BytesIO()
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(out, "PNG", compress_level=6)
    return out.getvalue()


def export_pictures(
    images: NDArray[np.uint8],
    folder: Path,
    *,
    about: dict[str, str | int],
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> str:
    """Write all pictures and the manifest; returns the manifest's SHA-256. ``about`` names where they come
    from. Raises ``LabError`` when the folder exists or cannot be written."""
    if folder.exists():
        raise FolderTaken(f"{folder} exists; export into a folder that does not")
    with new_folder(folder) as partial:
        rows = []
        for n, picture in enumerate(images):
            name, data = f"{n:06d}.png", png_bytes(picture)
            (partial / name).write_bytes(data)
            rows.append({"name": name, "sha256": hashlib.sha256(data).hexdigest()})
            report(n + 1, len(images))
        head = {"schema": SCHEMA, **about, "pictures": len(images), "pixels_sha256": pixels_digest(images)}
        text = json.dumps({**head, "files": rows}, indent=1) + "\n"
        (partial / MANIFEST).write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def save_pictures(
    images: NDArray[np.uint8],
    path: Path,
    *,
    about: dict[str, str | int],
    originals: NDArray[np.uint8] | None = None,
) -> str:
    """One ``.npz`` with ``images``, the text ``about`` and, where they were made from others, those as
    ``originals``; returns the digest of the pixels. Raises ``LabError``."""
    arrays = {"images": images, "about": np.array(json.dumps(about))}
    arrays |= {} if originals is None else {"originals": originals}
    write_arrays(path, arrays)
    return pixels_digest(images)
