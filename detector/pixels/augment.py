"""What happens to a picture on its way through the world, drawn at random and applied to both classes alike.

``codec_match`` is the one step that every training and evaluation picture passes, real or generated:
without it a detector learns the encoder of the folder that the pictures came from. The draw is a value, so
that the two members of an aligned pair get the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.core.errors import PixelsUnreadable
from detector.pixels.decode import Pixels, open_cv2


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """A lossy encoder setting. ``full_chroma`` means 4:4:4; WebP is always 4:2:0."""

    media_type: str
    quality: int
    full_chroma: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecDraw:
    """History (what the picture was first stored as), a resize, mild degradations, and the last encoding;
    None where that step keeps every pixel."""

    history: Encoding | None
    scale: float
    kernel: str
    blur_sigma: float
    noise_sigma: float
    noise_seed: int
    last: Encoding | None


_KERNELS = ("area", "linear", "cubic", "lanczos")


def draw_codec(rng: np.random.Generator, *, min_scale: float = 0.5, max_scale: float = 1.25) -> CodecDraw:
    """One draw. Half of all pictures keep their size, because scale is itself a trace."""
    return CodecDraw(
        history=_draw_encoding(rng) if rng.random() < 0.5 else None,
        scale=1.0 if rng.random() < 0.5 else float(rng.uniform(min_scale, max_scale)),
        kernel=str(rng.choice(_KERNELS)),
        blur_sigma=float(rng.uniform(0.3, 0.8)) if rng.random() < 0.1 else 0.0,
        noise_sigma=float(rng.uniform(0.5, 3.0)) if rng.random() < 0.1 else 0.0,
        noise_seed=int(rng.integers(2**31)),
        last=_draw_encoding(rng) if rng.random() < 0.85 else None,
    )


def _draw_encoding(rng: np.random.Generator) -> Encoding:
    if rng.random() < 0.2:
        return Encoding(media_type="image/webp", quality=int(rng.integers(60, 97)))
    return Encoding(
        media_type="image/jpeg", quality=int(rng.integers(60, 99)), full_chroma=bool(rng.random() < 0.4)
    )


def encode(pixels: Pixels, encoding: Encoding) -> bytes:
    """Encode as the world would. Raises ``PixelsUnreadable`` when the encoder refuses the picture."""
    cv2 = open_cv2()
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if encoding.media_type == "image/webp":
        suffix, options = ".webp", [cv2.IMWRITE_WEBP_QUALITY, encoding.quality]
    else:
        factor = 0x111111 if encoding.full_chroma else 0x221111
        suffix = ".jpg"
        options = [
            cv2.IMWRITE_JPEG_QUALITY, encoding.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor,
        ]  # fmt: skip
    try:
        ok, data = cv2.imencode(suffix, bgr, options)
    except cv2.error as e:
        raise PixelsUnreadable(f"the encoder refused the picture: {str(e).strip()[:120]}") from e
    if not ok:
        raise PixelsUnreadable("the encoder refused the picture")
    return bytes(data)


def through(pixels: Pixels, encoding: Encoding) -> Pixels:
    """The pixels as they come out of one encoding."""
    cv2 = open_cv2()
    decoded: Pixels = cv2.imdecode(np.frombuffer(encode(pixels, encoding), np.uint8), cv2.IMREAD_COLOR_RGB)
    return decoded


def resize(pixels: Pixels, scale: float, kernel: str) -> Pixels:
    """Scale both sides. ``area`` only shrinks; enlarging with it means ``linear``."""
    if scale == 1.0:
        return pixels
    cv2 = open_cv2()
    code = {
        "area": cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        "linear": cv2.INTER_LINEAR,
        "cubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    }[kernel]
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    out: Pixels = cv2.resize(pixels, size, interpolation=code)
    return out


def degrade(pixels: Pixels, draw: CodecDraw) -> Pixels:
    """Everything of the draw but its last encoding."""
    if draw.history:
        pixels = through(pixels, draw.history)
    pixels = resize(pixels, draw.scale, draw.kernel)
    if draw.blur_sigma:
        pixels = open_cv2().GaussianBlur(pixels, (0, 0), draw.blur_sigma)
    if draw.noise_sigma:
        noise = np.random.default_rng(draw.noise_seed).normal(0, draw.noise_sigma, pixels.shape)
        pixels = np.clip(pixels + noise, 0, 255).round().astype(np.uint8)
    return pixels


def codec_match(pixels: Pixels, draw: CodecDraw) -> Pixels:
    """Pass a picture through a draw. Real and generated pictures both pass here, always."""
    pixels = degrade(pixels, draw)
    return through(pixels, draw.last) if draw.last else pixels
