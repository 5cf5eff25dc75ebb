"""On which squares of 8 x 8 pixels a picture was once a JPEG, as a whole and place by place.

After Nikoukhah et al. (*ZERO: a local JPEG grid origin detector based on the number of DCT zeros*,
IPOL, 2021), with code of our own. A JPEG leaves coefficients of the DCT that are 0, and only on its own
squares. Each pixel votes for those squares, of the 64 ways to lay them, in which the one around it has most
zeros; where two ways have as many, or the square does not change along a side, it has no vote. In a picture
that never was a JPEG each way gets one vote in 64; what a way gets beyond that is told as the chance of so
many (Hoeffding's bound of the binomial tail, one vote in 64 counted as independent, times the ways and the
places).

Bounded: of a larger picture the upper ``MAX_SQUARES`` are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.forensics.squares import Grid, bounded, brightness, cosines
from detector.pixels.decode import Pixels, open_cv2
from detector.pixels.jpeg import Table

MAX_SQUARES = 200_000  # 12.8 megapixels
LEAST_SIDE = 128
PIECE = 16  # pixels: votes are counted in squares of this side
WIDE, STEP = 6, 2  # pieces: the side of a place, and from one place to the next
BETWEEN = PIECE * STEP
LEAST_VOTES = 1024  # of a place, of its 9,216 pixels
ZERO, MOST_ZERO = 0.5, 8.0  # a coefficient below it counts as 0; after a coarse JPEG, one below more
_PER_STEP = 0.5  # of the mean step of a JPEG's table: as far as saving again moves a coefficient from 0
SEEN = -5.0  # decimal logarithm of the chance from which on squares count as seen
LEAST_PLACES = 12  # smooth ones, to say that squares are missing in some
_MISSING = 2 / 64  # of the votes: with fewer than twice what chance gives, squares are missing
_UNSEEN = 0.4  # of the smooth places
_PLAIN = -60.0  # the chance of the plainest place: where it is not that plain, squares are missing in many
_WAYS = 64
_STRIP = 8 * PIECE


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegGrid:
    """``offset`` (down, across; 0 to 7 each) is where the squares of an earlier JPEG lie that most votes are
    for, ``share`` their share of the votes and ``chance`` the decimal logarithm of how often so many come by
    chance. ``part`` says that they are missing in places that are smooth enough to show them.

    ``places`` (rows, columns of places, ``BETWEEN`` pixels from one to the next) has the same logarithm for
    squares that do not go with the picture's: 0 where those that do have more votes, NaN where there are too
    few. ``ways`` says which, as 8 * down + across. ``voting`` is the share of pixels with a vote, ``looked``
    that of the picture that was looked at, from above."""

    offset: tuple[int, int]
    share: float
    chance: float
    part: bool
    places: Grid
    ways: NDArray[np.uint8]
    voting: float
    looked: float

    @property
    def strangest(self) -> tuple[float, tuple[int, int]] | None:
        """Of all places the least likely, and its squares; None where none has votes enough."""
        if not np.isfinite(self.places).any():
            return None
        at = np.unravel_index(int(np.nanargmin(self.places)), self.places.shape)
        way = int(self.ways[at])
        return float(self.places[at]), (way // 8, way % 8)


def examine_grid(pixels: Pixels, *, own: int = 0, table: Table | None = None) -> JpegGrid:
    """Of (height, width, 3) pixels. ``own``: the file's format has squares of its own, of that many pixels,
    from the upper left corner, which are no earlier JPEG's. ``table``: the luminance table of the JPEG that
    the pixels come from, since a coarse one leaves less of what was 0. Raises ``NotApplicable`` for pictures
    that are smaller than ``LEAST_SIDE`` on a side, or flat, or drawn: too few pixels have a vote there."""
    height, width = int(pixels.shape[0]), int(pixels.shape[1])
    if min(height, width) < LEAST_SIDE:
        raise NotApplicable(
            f"{width} x {height} pixels: the squares of a JPEG need {LEAST_SIDE} on each side"
        )
    upper = brightness(pixels[: bounded(pixels, MAX_SQUARES)])
    if upper.shape[0] < LEAST_SIDE:
        raise NotApplicable(f"{width} x {height} pixels: too wide for squares to be looked for")
    counts = votes_of(
        upper, ZERO if table is None else min(MOST_ZERO, max(ZERO, _PER_STEP * sum(table) / len(table)))
    )
    total = counts.sum(axis=(0, 1))
    cast = int(total.sum())
    if cast < LEAST_VOTES:
        raise NotApplicable("the picture is too flat, or too strictly drawn, for squares to be told apart")
    known = np.array([own > 0 and y % own == 0 and x % own == 0 for y in range(8) for x in range(8)])
    main = int(np.where(known, -1, total).argmax())
    chance = min(0.0, float(_log_chance(total[main], cast)) + float(np.log10(_WAYS)))
    places = _over_places(counts)
    part = chance <= SEEN and _in_part(places[:, :, main], places.sum(axis=2), _texture(upper))
    known[main] |= chance <= SEEN and not part
    strange, ways = _strange(places, known)
    return JpegGrid(
        offset=(main // 8, main % 8),
        share=float(total[main] / cast),
        chance=chance,
        part=part,
        places=strange,
        ways=ways,
        voting=cast / upper.size,
        looked=upper.shape[0] / (height // 8 * 8),
    )


def votes_of(luminance: NDArray[np.uint8], zero: float = ZERO) -> NDArray[np.int32]:
    """How many pixels of each piece vote for each way: (rows, columns of pieces, 64)."""
    rows, columns = luminance.shape[0] // PIECE, luminance.shape[1] // PIECE
    found = np.zeros((rows, columns, _WAYS), np.int32)
    piece = np.arange(columns * PIECE) // PIECE * (_WAYS + 1)
    for top in range(0, rows * PIECE, _STRIP):
        bottom = min(rows * PIECE, top + _STRIP)
        before = min(top, 7)
        ways = _strip(luminance[top - before : bottom + 7], top - before, zero)[
            before : before + bottom - top
        ]
        ways = ways[:, : columns * PIECE]
        row = (np.arange(bottom - top) // PIECE * columns * (_WAYS + 1))[:, None]
        many = np.bincount(
            (row + piece + ways).ravel(), minlength=(bottom - top) // PIECE * columns * (_WAYS + 1)
        )
        found[top // PIECE : bottom // PIECE] = many.reshape(-1, columns, _WAYS + 1)[:, :, :_WAYS]
    return found


def _strip(luminance: NDArray[np.uint8], top: int, zero: float) -> NDArray[np.intp]:
    """The way that each pixel votes for, ``_WAYS`` where for none; ``top`` is the row of the first."""
    cv2 = open_cv2()
    height, width = luminance.shape
    down, across = np.arange(top, top + height)[:, None] % 8, np.arange(width)[None, :] % 8
    way = (8 * down + across).astype(np.uint16)
    first, last = np.zeros((height, width), np.uint16), np.zeros((height, width), np.uint16)
    many = _zeros(luminance, zero).astype(np.uint16) * _WAYS
    inside = (slice(0, height - 7), slice(0, width - 7))
    first[inside], last[inside] = many + way[inside], many + (_WAYS - 1 - way[inside])
    around = np.ones((8, 8), np.uint8)
    first = cv2.dilate(first, around, anchor=(7, 7))
    last = cv2.dilate(last, around, anchor=(7, 7))
    flat = np.zeros((height, width), np.uint8)
    flat[inside] = _flat(luminance)
    one = first % _WAYS
    void = (one != _WAYS - 1 - last % _WAYS) | (cv2.dilate(flat, around, anchor=(7, 7)) != 0)
    return np.where(void, _WAYS, one).astype(np.intp)


def _zeros(luminance: NDArray[np.uint8], zero: float) -> NDArray[np.uint8]:
    """Of the square that begins at each pixel, how many of 63 coefficients are 0."""
    cv2 = open_cv2()
    height, width = luminance.shape
    values = luminance.astype(np.float32)
    count = np.zeros((height - 7, width - 7), np.uint8)
    for v in range(8):
        half = cv2.filter2D(values, -1, cosines()[v].reshape(8, 1), anchor=(0, 0))[: height - 7]
        for u in range(1 if v == 0 else 0, 8):
            whole = cv2.filter2D(half, -1, cosines()[u].reshape(1, 8), anchor=(0, 0))[:, : width - 7]
            count -= cv2.inRange(whole, -zero, zero)  # 255 is -1
    return count


def _flat(luminance: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 for squares in which all rows, or all columns, are alike."""
    cv2 = open_cv2()
    height, width = luminance.shape
    across = np.zeros((height, width), np.uint8)
    down = np.zeros((height, width), np.uint8)
    across[:, :-1] = luminance[:, 1:] != luminance[:, :-1]
    down[:-1] = luminance[1:] != luminance[:-1]
    changes_across = cv2.dilate(across, np.ones((8, 7), np.uint8), anchor=(0, 0))
    changes_down = cv2.dilate(down, np.ones((7, 8), np.uint8), anchor=(0, 0))
    alike: NDArray[np.uint8] = ((changes_across & changes_down) == 0).astype(np.uint8)
    return alike[: height - 7, : width - 7]


def _over_places(counts: NDArray[np.int32]) -> NDArray[np.int32]:
    sums = np.pad(counts.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32), ((1, 0), (1, 0), (0, 0)))
    whole: NDArray[np.int32] = (
        sums[WIDE:, WIDE:] - sums[:-WIDE, WIDE:] - sums[WIDE:, :-WIDE] + sums[:-WIDE, :-WIDE]
    )
    return whole[::STEP, ::STEP]


def _texture(luminance: NDArray[np.uint8]) -> Grid:
    """Of each place, the mean size of its Laplacian, in grey levels."""
    cv2 = open_cv2()
    rows, columns = luminance.shape[0] // PIECE, luminance.shape[1] // PIECE
    edges = np.abs(cv2.Laplacian(luminance, cv2.CV_16S)).astype(np.float32)
    pieces = cv2.resize(
        edges[: rows * PIECE, : columns * PIECE], (columns, rows), interpolation=cv2.INTER_AREA
    )
    means: Grid = cv2.boxFilter(pieces, -1, (WIDE, WIDE), anchor=(0, 0))
    return means[: rows - WIDE + 1 : STEP, : columns - WIDE + 1 : STEP]


def _in_part(votes: NDArray[np.int32], cast: NDArray[np.int32], texture: Grid) -> bool:
    """Whether squares that are seen in some places are missing in many that are no rougher than those."""
    chance = _log_chance(votes, cast) + np.log10(_WAYS * votes.size)
    enough = cast >= LEAST_VOTES
    seen = enough & (chance <= SEEN)
    if not (enough & (chance <= _PLAIN)).any():
        return False
    alike = enough & (texture <= np.quantile(texture[seen], 0.9))
    missing = alike & (votes < _MISSING * cast)
    return bool(missing.sum() > _UNSEEN * max(LEAST_PLACES, alike.sum()))


def _strange(places: NDArray[np.int32], known: NDArray[np.bool_]) -> tuple[Grid, NDArray[np.uint8]]:
    """Of each place, the chance of the best squares that are not known, and which they are."""
    cast, ours = places.sum(axis=2), np.where(known, places, 0).max(axis=2)
    others = np.where(known, -1, places)
    ways = others.argmax(axis=2)
    most = np.take_along_axis(others, ways[:, :, None], axis=2)[:, :, 0]
    chance = np.minimum(0, _log_chance(most, cast) + np.log10(_WAYS * max(1, ways.size)))
    strange = np.where(cast >= LEAST_VOTES, np.where(most > ours, chance, 0.0), np.nan)
    return strange.astype(np.float32), ways.astype(np.uint8)


def _log_chance(
    votes: NDArray[np.integer] | np.integer, cast: NDArray[np.integer] | int
) -> NDArray[np.float64]:
    """Decimal logarithm of Hoeffding's bound: so many of so many, where each has one chance in 64."""
    total = np.maximum(np.asarray(cast, np.float64), 1)
    p, q = 1 / _WAYS, np.asarray(votes, np.float64) / total
    a = np.where(q > p, q, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = a * np.log(a / p) + np.where(a < 1, (1 - a) * np.log((1 - a) / (1 - p)), 0.0)
    bound: NDArray[np.float64] = -total / _WAYS * kl / np.log(10)
    return bound
