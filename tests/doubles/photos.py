"""Small photos made on the spot, and whole files of every kind that is signed."""

from __future__ import annotations

import io
import random
import struct
import wave
from functools import cache

from PIL import Image


@cache
def photo(image_format: str = "JPEG", width: int = 96, height: int = 64, seed: int = 0) -> bytes:
    """A picture with some texture, in a format that Pillow writes."""
    noise = random.Random(seed)
    rows, columns = max(height // 8, 1), max(width // 8, 1)
    coarse = Image.frombytes("RGB", (columns, rows), noise.randbytes(3 * rows * columns))
    out = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(out, image_format)
    return out.getvalue()


@cache
def sound(samples: int = 800) -> bytes:
    """A WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(8000)
        w.writeframes(struct.pack(f"<{samples}h", *(i % 97 * 50 for i in range(samples))))
    return out.getvalue()
