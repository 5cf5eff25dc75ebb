"""Pictures that tests make themselves, and the bytes around them."""

from __future__ import annotations

import csv
import hashlib
import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detector.pixels.decode import Pixels, open_cv2

if TYPE_CHECKING:
    from detector.models.trace_network import TraceNetwork
    from detector.networks.traces import TraceNet

INDEX_COLUMNS = ("path", "licence", "sha256", "source", "format")


def photo_like(height: int, width: int, seed: int = 0) -> Pixels:
    """Smooth colour with noise: enough texture for a crop, no scene."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 80 * np.sin(x / (17 + 9 * c) + y / (23 + 5 * c) + rng.uniform(0, 6)) for c in range(3)]
    noisy = np.stack(waves, 2) + rng.normal(0, 6, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def textured(rng: np.random.Generator, height: int, width: int, fineness: float = 2.0) -> Pixels:
    """Something with points that stand out, no two places of it alike."""
    cv2 = open_cv2()
    rough = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), fineness)
    grey = 128 + 40 * rough / rough.std()
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def runnable(net: TraceNet) -> TraceNetwork:
    """What a trained network becomes when it ships."""
    from detector.models.trace_network import network_of
    from detector.models.weights import shipped_tensors

    return network_of({name: tensor.numpy() for name, tensor in shipped_tensors(net).items()})


def encoded(pixels: Pixels, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png_with(*chunks: tuple[bytes, bytes], side: int = 8) -> bytes:
    """A valid PNG with extra chunks after the header."""
    data = encoded(photo_like(side, side), "PNG")
    return data[:33] + b"".join(png_chunk(k, p) for k, p in chunks) + data[33:]


def jpeg_with(*segments: tuple[int, bytes], pixels: Pixels | None = None, **options: object) -> bytes:
    """A valid JPEG with extra segments after the start of image."""
    data = encoded(photo_like(32, 32) if pixels is None else pixels, "JPEG", **options)
    extra = b"".join(b"\xff" + bytes([m]) + struct.pack(">H", len(p) + 2) + p for m, p in segments)
    return data[:2] + extra + data[2:]


def exif_block(tags: dict[int, str | int], exif_tags: dict[int, str | int | bytes] | None = None) -> bytes:
    """A little-endian TIFF structure with an IFD0 and, when asked for, an Exif directory."""
    first: dict[int, str | int | bytes] = dict(tags)
    if exif_tags:
        head = _directory(8, first | {0x8769: 0})
        first[0x8769] = 8 + len(head)
    out = b"II*\0" + struct.pack("<I", 8) + _directory(8, first)
    return out + (_directory(len(out), exif_tags) if exif_tags else b"")


def _directory(at: int, tags: dict[int, str | int | bytes]) -> bytes:
    entries, extra = b"", b""
    start = at + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        if isinstance(value, int):
            entries += struct.pack("<HHII", tag, 4, 1, value)
            continue
        raw = value.encode() + b"\0" if isinstance(value, str) else value
        kind = 2 if isinstance(value, str) else 7
        if len(raw) <= 4:
            entries += struct.pack("<HHI", tag, kind, len(raw)) + raw.ljust(4, b"\0")
        else:
            entries += struct.pack("<HHII", tag, kind, len(raw), start + len(extra))
            extra += raw
    return struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + extra


def jpegs(folder: Path) -> list[Path]:
    """Every JPEG under a folder, whatever the case of its suffix; a folder without one is a broken test."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"})
    assert found, folder
    return found


def noise_digits(root: Path, count: int) -> NDArray[np.uint8]:
    """A corpus whose digits are noise, ten classes in turn, the same to train and to test on; ``count`` x 28
    x 28."""
    digits = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = np.arange(count, dtype=np.uint8) % 10
    (root / "mnist").mkdir()
    np.savez(root / "mnist" / "any.npz", x_train=digits, y_train=labels, x_test=digits, y_test=labels)
    return digits


def corpus_of(root: Path, rows: list[tuple[str, str, bytes, str]]) -> Path:
    """A corpus with its index, of (path, licence, bytes, source)."""
    with (root / "INDEX.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(INDEX_COLUMNS)
        for path, licence, data, source in rows:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
            kind = "WEBP" if path.endswith(".webp") else "JPEG"
            writer.writerow([path, licence, hashlib.sha256(data).hexdigest(), source, kind])
    return root
