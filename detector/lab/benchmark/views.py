"""How a benchmark shows a picture: the file as stored, or a square of it through what people's files see.

Every view but the first is made anew from pixels, by one law for both classes: the central square, upright,
reduced by area to one side for all pictures, then the view's own steps. So neither format nor tables, size,
shape, name or metadata can tell the label; a picture smaller than that side is not shown. What a view draws
by chance it draws from the digest of the picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detector.core.errors import NotApplicable
from detector.lab.steps.views import matched
from detector.pixels.augment import Encoding, encode, resize, through
from detector.pixels.decode import Pixels, decode, open_cv2
from detector.pixels.orientation import orientation_of
from detector.pixels.upright import upright

STORED = "stored"
_PNG = "image/png"
_JPEG = "image/jpeg"
SUFFIXES = {_JPEG: ".jpg", _PNG: ".png", "image/webp": ".webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A picture that was decoded once, for all views; ``pixels`` as the file stores them."""

    sha256: str
    data: bytes
    media_type: str
    pixels: Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture, by the digest of its file, in one view: the bytes that a detector is given."""

    picture: str
    view: str
    data: bytes
    media_type: str


def _laundered(square: Pixels, sha256: str) -> tuple[bytes, str]:
    return _jpeg(square, 90)


def _matched(square: Pixels, sha256: str) -> tuple[bytes, str]:
    return _png(matched(square, sha256, 0))


def _chain(square: Pixels, sha256: str) -> tuple[bytes, str]:
    rng = np.random.default_rng(int(hashlib.sha256(f"chain {sha256}".encode()).hexdigest()[:16], 16))
    for quality in rng.integers(60, 96, 3):
        square = through(square, Encoding(media_type=_JPEG, quality=int(quality)))
    return _jpeg(square, 85)


def _half(square: Pixels, sha256: str) -> tuple[bytes, str]:
    return _jpeg(resize(square, 0.5, "area"), 90)


def _screenshot(square: Pixels, sha256: str) -> tuple[bytes, str]:
    picture = resize(square, 1.5, "linear")
    margin = picture.shape[0] // 6
    edges = ((margin, margin), (margin, margin), (0, 0))
    return _png(np.pad(picture, edges, constant_values=255))


def _messenger(square: Pixels, sha256: str) -> tuple[bytes, str]:
    return _jpeg(resize(square, 0.75, "linear"), 70)


def _network(square: Pixels, sha256: str) -> tuple[bytes, str]:
    small = through(resize(square, 0.85, "lanczos"), Encoding(media_type=_JPEG, quality=82))
    return _jpeg(small, 75)


_Steps = Callable[[Pixels, str], tuple[bytes, str]]
_MADE: dict[str, _Steps] = {
    "laundered": _laundered, "matched": _matched, "jpeg-chain": _chain, "half": _half,
    "screenshot": _screenshot, "messenger": _messenger, "network": _network,
}  # fmt: skip
VIEWS = {
    STORED: "the file as it is stored",
    "laundered": "JPEG of quality 90",
    "matched": "one draw of resizing, blur, noise and encodings, by the digest of the picture; then PNG",
    "jpeg-chain": "JPEG three times, of qualities between 60 and 95 by its digest, then of quality 85",
    "half": "half the side, then JPEG of quality 90",
    "screenshot": "enlarged by a half on a white page, PNG",
    "messenger": "three quarters of the side (linear), JPEG of quality 70",
    "network": "0.85 of the side (Lanczos), JPEG of quality 82, then of 75",
}


def opened(data: bytes, media_type: str, sha256: str) -> Opened:
    """Raises ``PixelsUnreadable`` for a file that does not decode, ``NotApplicable`` for one whose pixels are
    not read here."""
    return Opened(sha256=sha256, data=data, media_type=media_type, pixels=decode(data, media_type))


def file_in_view(picture: Opened, view: str, side: int) -> Shown:
    """Raises ``NotApplicable`` for a picture that is too small to be shown so."""
    if view == STORED:
        return Shown(picture=picture.sha256, view=view, data=picture.data, media_type=picture.media_type)
    turned = upright(picture.pixels, orientation_of(picture.data, picture.media_type))
    data, media_type = _MADE[view](_square(turned, side), picture.sha256)
    return Shown(picture=picture.sha256, view=view, data=data, media_type=media_type)


def _square(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    if shorter < side:
        raise NotApplicable(f"its shorter side is {shorter} pixels, and this view shows {side}")
    top, left = (height - shorter) // 2, (width - shorter) // 2
    square = pixels[top : top + shorter, left : left + shorter]
    if shorter > side:
        cv2 = open_cv2()
        square = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(square)


def _jpeg(pixels: Pixels, quality: int) -> tuple[bytes, str]:
    return encode(pixels, Encoding(media_type=_JPEG, quality=quality)), _JPEG


def _png(pixels: Pixels) -> tuple[bytes, str]:
    ok, data = open_cv2().imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
    assert ok
    return bytes(data), _PNG
