"""Views of a picture for people: what is there, made visible. A view is no evidence and answers no question.

Each turns pixels (height x width x 3, RGB, as decoded) into another picture, by a scale that is the same for
every picture and is never fitted to it: two views may be compared, and a calm picture stays dark. A view is
made of all pixels and then reduced by area to ``MAX_SIDE``; nothing is enlarged. Whoever shows one says its
scale in words beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import DetectorError, NotApplicable
from detector.forensics.noise_level import CELL, noise_left
from detector.forensics.splicing import WINDOW, differing, step_of
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels, open_cv2
from detector.pixels.within import reduced

MAX_SIDE = 1280
LEAST_SIDE = 16
MAX_PIXELS = 50_000_000  # at which a view takes up to a gigabyte
SPECTRUM_SIDE = 1024
ELA_QUALITY, ELA_TIMES = 90, 40
NOISE_TIMES = 25
GRADIENT_TIMES = 4
CHROMA_TIMES = 4
PCA_TIMES = 8
_SPECTRUM_LOG10 = (-1.0, 3.5)  # of the amplitude, black to white
_MOIRE_DECADES = (0.6, 1.6)  # above the surroundings, black to full colour
_AROUND = 31  # frequencies a side
_NOISE_TIMES_MOST = 3.0  # as the picture's own curve, white; a third of it: black
_DIFFERS_SPREADS = (1.0, 4.0)  # from the median of the picture, nothing to full red
_NOT_TOLD = (0, 0, 112)
_HISTOGRAM_LOG10 = -5.0  # share of pixels at the lower edge; all pixels at the upper one
_HISTOGRAM_SHAPE = (384, 768)
_SAMPLE = 200_000  # pixels that the axes of colour are taken from


def view(name: str, pixels: Pixels) -> Pixels:
    """The view of that name (``VIEWS``), at most ``MAX_SIDE`` on a side. Raises ``NotApplicable`` for a
    picture that is too small or too large for it, ``DetectorError`` for a name that is none."""
    draw = VIEWS.get(name)
    if draw is None:
        raise DetectorError(f"no view has the name {name[:40]!r}; there are {', '.join(VIEWS)}")
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise NotApplicable(f"{width} x {height} pixels: views need {LEAST_SIDE} on each side")
    if height * width > MAX_PIXELS:
        raise NotApplicable(f"{width} x {height} pixels: views are drawn of at most {MAX_PIXELS}")
    cv2 = open_cv2()
    try:
        return reduced(draw(pixels), MAX_SIDE)  # the mean of what it shows, not a view of the mean
    except cv2.error as e:  # what OpenCV raises where memory is short
        raise DetectorError(f"the view could not be drawn: {str(e).strip()[:120]}") from e


def error_level(pixels: Pixels) -> Pixels:
    """The difference to the same picture saved once more as JPEG of quality 90 with full colour."""
    cv2 = open_cv2()
    again = through(pixels, Encoding(media_type="image/jpeg", quality=ELA_QUALITY, full_chroma=True))
    out: Pixels = cv2.convertScaleAbs(cv2.absdiff(pixels, again), alpha=ELA_TIMES)
    return out


def noise(pixels: Pixels) -> Pixels:
    """The difference of brightness to its median over 3 x 3 pixels."""
    cv2 = open_cv2()
    grey = _luma(pixels)
    return _grey(cv2.convertScaleAbs(cv2.absdiff(grey, cv2.medianBlur(grey, 3)), alpha=NOISE_TIMES))


def noise_level(pixels: Pixels) -> Pixels:
    """``noise_left``, each cell in the mean of those around it; blue where it is black or burnt out."""
    cv2 = open_cv2()
    left = noise_left(pixels)
    if left.size == 0:  # narrower than a cell
        return np.full((LEAST_SIDE, LEAST_SIDE, 3), _NOT_TOLD, np.uint8)
    known = np.isfinite(left)
    sums, counts = (
        cv2.blur(a, (3, 3), borderType=cv2.BORDER_CONSTANT)
        for a in (np.nan_to_num(left), known.astype(np.float32))
    )
    means = sums / np.maximum(counts, 1e-3) / np.log(_NOISE_TIMES_MOST)
    shown = np.repeat(np.clip(128 + 127 * means, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    shown[~known] = _NOT_TOLD
    scale = min(CELL, max(1, MAX_SIDE // max(left.shape)))
    out: Pixels = np.kron(shown, np.ones((scale, scale, 1), np.uint8))
    return out


def differs(pixels: Pixels) -> Pixels:
    """``splicing.differing`` in red over the dimmed picture; blue where nothing is compared, because a window
    is too smooth, or the picture too small or too smooth for any."""
    cv2, small = open_cv2(), reduced(pixels, MAX_SIDE)
    out: Pixels = np.repeat(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[:, :, None] // 3, 3, axis=2)
    low, high = _DIFFERS_SPREADS
    try:
        grid = differing(pixels)
    except NotApplicable:
        grid = np.full((1, 1), np.nan)
    rows, columns = (
        _windows_at(n, whole, cells, step_of(*pixels.shape[:2]) if grid.size > 1 else whole)
        for n, whole, cells in zip(small.shape[:2], pixels.shape[:2], grid.shape, strict=True)
    )
    laid = np.clip((grid - low) / (high - low) * 255, 0, 255)[rows][:, columns]
    out[:, :, 0] = np.maximum(out[:, :, 0], np.nan_to_num(laid).astype(np.uint8))
    out[:, :, 2] = np.where(np.isfinite(laid), out[:, :, 2], np.maximum(out[:, :, 2], _NOT_TOLD[2]))
    return out


def _windows_at(pixels: int, whole: int, cells: int, step: float) -> NDArray[np.intp]:
    """Of each of ``pixels`` that a side of ``whole`` was reduced to: the window whose middle is nearest."""
    middles = np.rint(((np.arange(pixels) + 0.5) * whole / pixels - WINDOW / 2) / step)
    return np.clip(middles, 0, cells - 1).astype(np.intp)


def gradient(pixels: Pixels) -> Pixels:
    """The size of the gradient of brightness (Sobel 3 x 3), in levels a pixel."""
    cv2 = open_cv2()
    across, down = _slopes(_luma(pixels))
    return _grey(cv2.convertScaleAbs(cv2.magnitude(across, down), alpha=GRADIENT_TIMES))


def light(pixels: Pixels) -> Pixels:
    """The direction of the gradient of brightness: red brighter to the right, green brighter downwards."""
    cv2 = open_cv2()
    across, down = _slopes(cv2.GaussianBlur(_luma(pixels), (0, 0), 1.5))
    out = np.full(pixels.shape, 128, np.uint8)
    for channel, slope in enumerate((across, down)):
        scaled = np.clip(slope * (2 * GRADIENT_TIMES) + 128, 0, 255)
        out[:, :, channel] = scaled.astype(np.uint8)
    return out


def pca(pixels: Pixels) -> Pixels:
    """The colours along the axis on which this picture's colours differ least."""
    cv2 = open_cv2()
    flat = pixels.reshape(-1, 3)
    sample = flat[:: max(1, len(flat) // _SAMPLE)].astype(np.float64)
    mean = sample.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    axis = axes[:, 0] * (1 if axes[np.abs(axes[:, 0]).argmax(), 0] > 0 else -1)
    offset = 128 - PCA_TIMES * float(axis @ mean)
    return _grey(cv2.transform(pixels, np.array([[*(PCA_TIMES * axis), offset]])))


def chroma(pixels: Pixels) -> Pixels:
    """Colour without brightness."""
    cv2 = open_cv2()
    coded = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    table = np.clip((np.arange(256) - 128) * CHROMA_TIMES + 128, 0, 255).astype(np.uint8)
    coded = cv2.LUT(coded, np.stack([np.full(256, 128, np.uint8), table, table], 1)[None])
    out: Pixels = cv2.cvtColor(coded, cv2.COLOR_YCrCb2RGB)
    return out


def bits(pixels: Pixels) -> Pixels:
    """The eight binary digits of brightness, the highest first, in two rows of four."""
    cv2 = open_cv2()
    grey = _luma(pixels)
    height, width = grey.shape
    scale = min(1.0, MAX_SIDE / (4 * width), MAX_SIDE / (2 * height))
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    digits = (((grey >> place) & 1) * 255 for place in range(7, -1, -1))
    planes = [cv2.resize(digit, size, interpolation=cv2.INTER_AREA) for digit in digits]
    return _grey(np.vstack([np.hstack(planes[:4]), np.hstack(planes[4:])]))


def spectrum(pixels: Pixels) -> Pixels:
    """How much of each frequency brightness has, in the middle square of at most 1024 pixels; the middle is
    frequency 0, the edges one period in two pixels."""
    low, high = _SPECTRUM_LOG10
    sizes = _log_amplitudes(_luma(_middle(pixels)).astype(np.float32))
    return _grey(np.clip((sizes - low) / (high - low) * 255, 0, 255).astype(np.uint8))


def _middle(pixels: Pixels) -> Pixels:
    """The middle square of at most ``SPECTRUM_SIDE`` pixels."""
    side = min(*pixels.shape[:2], SPECTRUM_SIDE)
    top, left = ((n - side) // 2 for n in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _log_amplitudes(square: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decades, frequency 0 in the middle; none below the lowest that ``spectrum`` shows."""
    cv2, side = open_cv2(), square.shape[0]
    window = np.hanning(side).astype(np.float32)
    waves = cv2.dft((square - square.mean()) * window[:, None] * window, flags=cv2.DFT_COMPLEX_OUTPUT)
    sizes = cv2.magnitude(waves[:, :, 0], waves[:, :, 1]) / side
    logs: NDArray[np.float32] = np.log10(np.maximum(np.fft.fftshift(sizes), 10 ** _SPECTRUM_LOG10[0]))
    return logs.astype(np.float32)


def moire(pixels: Pixels) -> Pixels:
    """``standing_out``, of which only what is rare in noise is other than black; points are drawn 5 wide."""
    cv2 = open_cv2()
    low, high = _MOIRE_DECADES
    shown = np.clip((standing_out(pixels) - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    out: Pixels = cv2.dilate(shown, np.ones((5, 5), np.uint8))
    return out


def standing_out(pixels: Pixels) -> NDArray[np.float32]:
    """How far each frequency stands above those around it, in decades of the amplitude: (side, side, 3), of
    the red difference, brightness and the blue difference, in the middle square of at most 1024 pixels. The
    frequency 0 is in the middle. A pattern that repeats, as where the pixels of a screen meet those of a
    camera, is a point."""
    cv2 = open_cv2()
    coded = cv2.cvtColor(_middle(pixels), cv2.COLOR_RGB2YCrCb).astype(np.float32)
    sizes = np.dstack([_log_amplitudes(coded[:, :, plane]) for plane in (1, 0, 2)])
    above: NDArray[np.float32] = sizes - cv2.blur(sizes, (_AROUND, _AROUND))
    return above


def histogram(pixels: Pixels) -> Pixels:
    """How many pixels have each of 256 levels of red, green and blue; grey: of brightness."""
    cv2 = open_cv2()
    height, width = _HISTOGRAM_SHAPE
    out = np.full((height, width, 3), 255, np.uint8)
    inks = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    curves = [(_luma(pixels), (176, 176, 176)), *((pixels[:, :, c], inks[c]) for c in range(3))]
    for values, colour in curves:
        counted = cv2.calcHist([np.ascontiguousarray(values)], [0], None, [256], [0, 256]).reshape(-1)
        share = np.log10(np.maximum(counted / values.size, 10**_HISTOGRAM_LOG10))
        y = np.round(share / _HISTOGRAM_LOG10 * (height - 1)).astype(np.int32)
        x = np.arange(256, dtype=np.int32) * (width // 256) + 1
        cv2.polylines(out, [np.stack([x, y], 1)], False, colour, 1, cv2.LINE_AA)
    return out


def _luma(pixels: Pixels) -> NDArray[np.uint8]:
    cv2 = open_cv2()
    grey: NDArray[np.uint8] = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return grey


def _slopes(grey: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Levels a pixel to the right and downwards: Sobel's kernels sum to eight of them."""
    cv2 = open_cv2()
    across, down = (cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    return across, down


def _grey(values: NDArray[np.uint8]) -> Pixels:
    cv2 = open_cv2()
    out: Pixels = cv2.cvtColor(values, cv2.COLOR_GRAY2RGB)
    return out


VIEWS: dict[str, Callable[[Pixels], Pixels]] = {
    "ela": error_level,
    "noise": noise,
    "noise_level": noise_level,
    "differs": differs,
    "gradient": gradient,
    "light": light,
    "chroma": chroma,
    "pca": pca,
    "bits": bits,
    "spectrum": spectrum,
    "moire": moire,
    "histogram": histogram,
}
