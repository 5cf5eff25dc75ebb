"""What the image encoder says of every picture in every view, kept on disk: hours of work that is done once.

One file a picture and view, float16, whole or not there, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import FileDamaged, FileFailed, NotApplicable, PixelsUnreadable
from detector.core.files import TORN_ARCHIVE, read_file, write_whole
from detector.core.progress import Report
from detector.data.manifest import Row
from detector.lab.whole.views import View, quarter_of, view_of
from detector.models.semantic import FEATURES, Encoder, embedding_of
from detector.pixels.decode import Pixels
from detector.pixels.upright import decode_upright


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A picture without features, and why."""

    sha256: str
    why: str


def read_picture(row: Row, folder: Path) -> Pixels:
    """Upright RGB of a picture that was brought. Raises ``FileFailed`` where it is not there,
    ``FileDamaged`` where it is another, ``NotApplicable`` and ``PixelsUnreadable``."""
    if not row.media_type:
        raise NotApplicable(f"pixels of {row.format} are not decoded here")
    data = read_file(folder / row.file, row.file)
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise FileDamaged(f"{row.file} is not the picture that the manifest names")
    return decode_upright(data, row.media_type)


def seen(row: Row, pixels: Pixels, view: View) -> Pixels:
    """The view of a picture, or of one of the four on a sheet."""
    if row.sheet:
        pixels = quarter_of(pixels, view)
    return view_of(pixels, view, row.sha256)


def embed_rows(
    rows: Sequence[Row], folder: Path, encoder: Encoder, cache: Path, views: Sequence[View], report: Report
) -> tuple[Skipped, ...]:
    """Fill the cache with what it lacks. Pictures that are not there or cannot be looked at are returned
    with the reason; the same file is never embedded twice. Raises ``FileFailed`` where the cache cannot be
    written."""
    skipped = []
    for n, row in enumerate(rows):
        missing = [v for v in views if not _place(cache, v, row.sha256).is_file()]
        found = {}
        try:
            if missing:
                pixels = read_picture(row, folder)
                found = {v: embedding_of(encoder.tokens(seen(row, pixels, v))) for v in missing}
        except (NotApplicable, PixelsUnreadable, FileFailed, FileDamaged) as e:
            skipped.append(Skipped(sha256=row.sha256, why=e.detail))
        for view, numbers in found.items():  # outside: a disk that is full is no fault of the picture
            write_whole(_place(cache, view, row.sha256), _packed(numbers))
        report("embedding", n + 1, len(rows))
    return tuple(skipped)


def load_embeddings(
    rows: Iterable[Row], cache: Path, view: View
) -> tuple[tuple[Row, ...], NDArray[np.float16]]:
    """The rows that the cache has in this view and their numbers (rows, FEATURES). Raises ``FileDamaged``."""
    kept, found = [], []
    for row in rows:
        path = _place(cache, view, row.sha256)
        if path.is_file():
            kept.append(row)
            found.append(_unpacked(path))
    if not kept:
        return (), np.empty((0, FEATURES), np.float16)
    return tuple(kept), np.stack(found)


def _place(cache: Path, view: View, sha256: str) -> Path:
    return cache / view.value / sha256[:2] / f"{sha256}.npy"


def _packed(embedding: NDArray[np.float32]) -> bytes:
    out = io.BytesIO()
    np.save(out, embedding.astype(np.float16))
    return out.getvalue()


def _unpacked(path: Path) -> NDArray[np.float16]:
    try:
        found: NDArray[np.float16] = np.load(path, allow_pickle=False)
    except (OSError, *TORN_ARCHIVE) as e:
        raise FileDamaged(f"{path.name} cannot be read; remove it and run again") from e
    if found.shape != (FEATURES,) or found.dtype != np.float16:
        raise FileDamaged(f"{path.name} holds other numbers; remove it and run again")
    return found
