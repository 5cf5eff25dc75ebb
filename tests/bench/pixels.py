"""What looking at pixels costs, part by part: CPU time of one core, and memory.

``python -m tests.bench.pixels [PHOTO]``, by hand. Everything is measured in one run, interleaved round by
round; the best round counts, beside the time that SHA-256 of the same bytes takes. Without PHOTO a picture of
noise is made; a real one is scaled to the two sizes. Memory is that of a process of its own: the peak of what
was resident when one picture of that size had been examined, models included.
"""

from __future__ import annotations

import hashlib
import io
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from authn.confinement.sandbox.process import keep_freed_memory
from tests.bench.sign_verify import SIZES, photo

ROUNDS = 5
JPEG = "image/jpeg"


def pictures(path: Path | None) -> dict[str, bytes]:
    return {name: photo(*size) if path is None else scaled(path, size) for name, size in SIZES.items()}


def scaled(path: Path, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=90)
    return out.getvalue()


def steps(data: bytes) -> dict[str, Callable[[], object]]:
    """What is timed, by name; every step does its own work alone."""
    from authn.core.config import load_settings
    from authn.core.media import media_of
    from authn.examine.detectors import encoder_of
    from authn.examine.opening import open_examiner
    from authn.report.preview import make_preview
    from detector.models.inference import open_detector
    from detector.models.registry import SEMANTIC_MODEL
    from detector.models.semantic import open_semantic
    from detector.pixels.decode import decode

    settings = load_settings(environ={})
    media = media_of(data, "a.jpg")
    pixels = decode(data, JPEG)
    out: dict[str, Callable[[], object]] = {
        "SHA-256 of the bytes": lambda: hashlib.sha256(data).digest(),
        "decoding": lambda: decode(data, JPEG),
        "preview": lambda: make_preview(media),
    }
    found = [open_detector()]
    if (encoder := encoder_of(settings)) is not None:
        found.append(open_semantic(SEMANTIC_MODEL, encoder))
    for one in found:
        name, views = one.card.model_id, one.views(pixels)
        out[f"{name}: what is looked at"] = lambda one=one: one.views(pixels)
        out[f"{name}: one reading"] = lambda one=one, views=views: one.read(views)
        variants = one.variants(views)
        out[f"{name}: making {len(variants)} copies"] = lambda one=one, views=views: one.variants(views)
        out[f"{name}: reading them"] = lambda one=one, variants=variants: [one.read(v) for v in variants]
    for heuristics in (False, True):
        examiner = open_examiner(settings, heuristics=heuristics)
        label = "whole examination" if heuristics else "whole examination without heuristics"
        out[label] = lambda examiner=examiner: examiner.examine(media_of(data, "a.jpg"))
    return out


def as_held() -> None:
    """One thread, and the heap of a process that is held."""
    import cv2

    cv2.setNumThreads(1)
    keep_freed_memory()


def measure(path: Path | None) -> None:
    as_held()
    best: dict[str, dict[str, float]] = {}
    for size, data in pictures(path).items():
        timed = steps(data)
        for _ in range(ROUNDS):
            for name, step in timed.items():
                before = time.process_time()
                step()
                spent = (time.process_time() - before) * 1e3
                column = best.setdefault(name, {})
                column[size] = min(spent, column.get(size, spent))
    print(f"{platform.machine()}, {ROUNDS} rounds, CPU ms of the best, and times SHA-256")
    print(f"{'':46}" + "".join(f"{size:>18}" for size in SIZES))
    units = best["SHA-256 of the bytes"]
    for name, row in best.items():
        print(f"{name:46}" + "".join(f"{row[s]:10.1f} {row[s] / units[s]:6.0f}x" for s in SIZES))


def peak(path: Path) -> None:
    """For a process of its own: one examination, then what it took."""
    from authn.core.config import load_settings
    from authn.core.media import open_media
    from authn.examine.opening import open_examiner

    as_held()
    examiner = open_examiner(load_settings(environ={}))
    examiner.examine(open_media(path))
    # ``getrusage`` would count what the caller's process had before it became this one.
    status = Path("/proc/self/status").read_text()
    (taken,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"peak of resident memory, {path.stem}: {taken / 1024:.0f} MB")


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--peak"]:
        peak(Path(arguments[1]))
        return
    path = Path(arguments[0]) if arguments else None
    measure(path)
    with tempfile.TemporaryDirectory() as folder:
        for size, data in pictures(path).items():
            one = Path(folder) / f"{size}.jpg"
            one.write_bytes(data)
            subprocess.run([sys.executable, "-m", "tests.bench.pixels", "--peak", str(one)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
