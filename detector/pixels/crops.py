"""Whether a picture is a crop of another: the hash of a picture's inside, looked for in every place where a
crop may have left it.

A hash of the whole frame does not survive a crop. The inside of a picture, what lies at least a tenth of each
side away from its edges, is still there when up to a tenth was cut from any side; where in the crop it lies
is not known, so it is hashed at a grid of places and, against one candidate, at finer places around the
nearest. The hash is of PDQ's kind (16 x 16 of the lowest frequencies against their median), its bits ordered
by frequency: the lowest change least between neighbouring places. Every step is linear and separable, so all
places of the grid are one product of small matrices.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detector.pixels.pdq import cosines, quality_of

SIDE = 128  # of the small grey picture that is all that is hashed here
MARGIN = 0.1  # of each side, that a crop may cut away
STEPS = 3  # of the grid, for each end of each side
REFINING = (0.02, 0.01, 0.005)  # shares of a side
LEAST_QUALITY = 50  # as for whole pictures
_CELLS, _FREQUENCIES, BITS = 64, 16, 256

Small = NDArray[np.float32]  # SIDE x SIDE, 0 to 255
Hashes = NDArray[np.uint8]  # n x 32
Span = tuple[float, float]  # from where to where, as shares of a side


def small_of(grey: NDArray[np.floating]) -> bytes:
    """A grey picture (height x width, 0 to 255) squeezed to ``SIDE`` x ``SIDE`` bytes."""
    from PIL import Image

    image = Image.fromarray(np.clip(grey + 0.5, 0, 255).astype(np.uint8))
    return image.resize((SIDE, SIDE), Image.Resampling.BOX).tobytes()


def opened(small: bytes) -> Small:
    """What ``small_of`` wrote. Raises ``ValueError``."""
    return np.frombuffer(small, np.uint8).reshape(SIDE, SIDE).astype(np.float32)


def inner_hash(picture: Small) -> bytes | None:
    """Of the inside, 32 bytes; None where that is too flat to be told from others."""
    inside = ((MARGIN, 1 - MARGIN),)
    cells = _cells(inside[0])
    if quality_of(cells @ picture @ cells.T) < LEAST_QUALITY:
        return None
    return bytes(_hashes(picture, inside, inside)[0])


def grid_hashes(picture: Small) -> Hashes:
    """Of every place of the grid where a crop may have left the inside of what it was cut from."""
    return _packed(_grid_weights() @ picture @ _grid_weights().T, len(grid()), len(grid()))


def nearest(picture: Small, inner: bytes, place: int) -> int:
    """In how many bits ``inner`` differs from the hash of the place that fits it best, near this place of the
    grid."""
    wanted = np.frombuffer(inner, np.uint8)
    spans = grid()
    rows, columns = spans[place // len(spans)], spans[place % len(spans)]
    best = _apart(_hashes(picture, (rows,), (columns,)), wanted)[0]
    for step in REFINING:
        for _ in range(2):
            tried = _around(rows, step)
            apart = _apart(_hashes(picture, tried, (columns,)), wanted)
            if apart.min() < best:
                best, rows = apart.min(), tried[int(apart.argmin())]
            tried = _around(columns, step)
            apart = _apart(_hashes(picture, (rows,), tried), wanted)
            if apart.min() < best:
                best, columns = apart.min(), tried[int(apart.argmin())]
    return int(best)


@lru_cache(maxsize=1)
def grid() -> tuple[Span, ...]:
    """The inside of the uncropped side begins, in a crop, between 0 and ``MARGIN`` / (1 - 2 ``MARGIN``)."""
    most = MARGIN / (1 - 2 * MARGIN)
    starts = [most * (2 * i + 1) / (2 * STEPS) for i in range(STEPS)]
    return tuple((start, 1 - end) for start in starts for end in starts)


def _around(span: Span, step: float) -> tuple[Span, ...]:
    moves = (-step, 0.0, step)
    return tuple((max(0.0, span[0] + a), min(1.0, span[1] + b)) for a in moves for b in moves)


def _apart(hashes: Hashes, wanted: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return np.asarray(np.bitwise_count(hashes ^ wanted).sum(axis=1, dtype=np.uint16))


def _hashes(picture: Small, rows: tuple[Span, ...], columns: tuple[Span, ...]) -> Hashes:
    """Of every pair of these, row by row."""
    down = np.concatenate([_weights(span) for span in rows])
    across = np.concatenate([_weights(span) for span in columns])
    return _packed(down @ picture @ across.T, len(rows), len(columns))


def _packed(waves: NDArray[np.floating], rows: int, columns: int) -> Hashes:
    apart = waves.reshape(rows, _FREQUENCIES, columns, _FREQUENCIES).transpose(0, 2, 1, 3)
    flat = apart.reshape(rows * columns, BITS)[:, _by_frequency()]
    median = np.partition(flat, BITS // 2 - 1, axis=1)[:, BITS // 2 - 1, None]
    return np.packbits(flat > median, axis=1)


def _weights(span: Span) -> NDArray[np.float32]:
    """From ``SIDE`` pixels to the lowest frequencies of ``_CELLS`` equal cells of a span: 16 x SIDE."""
    return np.asarray(cosines() @ _cells(span), np.float32)


def _cells(span: Span) -> NDArray[np.float64]:
    """From ``SIDE`` pixels to the means of ``_CELLS`` equal cells of a span."""
    edges = np.linspace(span[0] * SIDE, span[1] * SIDE, _CELLS + 1)
    pixels = np.arange(SIDE)[None, :]
    inside = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    cells = np.clip(inside, 0, None)
    return np.asarray(cells / cells.sum(axis=1, keepdims=True))


@lru_cache(maxsize=1)
def _grid_weights() -> NDArray[np.float32]:
    return np.asarray(np.concatenate([_weights(span) for span in grid()]), np.float32)


@lru_cache(maxsize=1)
def _by_frequency() -> NDArray[np.intp]:
    """Places of the table, the lowest frequencies first: by the larger of the two, then by their sum."""
    i, j = np.indices((_FREQUENCIES, _FREQUENCIES)).reshape(2, BITS)
    return np.lexsort((i + j, np.maximum(i, j)))
