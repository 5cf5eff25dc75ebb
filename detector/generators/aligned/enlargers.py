"""Published upscalers of any make from local ncnn files, run by the package ``ncnn``, which is optional.

``upscalers`` understands the two networks of Real-ESRGAN by itself; here a file of any architecture runs
(SPAN, Real-CUGAN, waifu2x and others come as Python packages): the more differ, the less a detector learns
the trace of one. No code from a file is run, and no weights are shipped.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.errors import FileDamaged, FileFailed
from detector.pixels.decode import Pixels, open_cv2

_BORDER = 24  # more than any of these networks cuts off or sees beyond the edge; divisible by 8


class Enlarger:
    """One network. ``factor`` is how many times longer the sides become; ``digest`` is over both files, of
    ``bytes`` together."""

    def __init__(self, name: str, files: bytes, net: Any, ends: tuple[str, str]) -> None:
        self.name = name
        self.factor = 1
        self.digest = hashlib.sha256(files).hexdigest()
        self.bytes = len(files)
        self._net = net
        self._ends = ends

    def __call__(self, pixels: Pixels) -> Pixels:
        """uint8 H x W x 3 to uint8 of ``factor`` times the sides; H and W divisible by 4."""
        raw = self._raw(pixels)
        height, width = (s * self.factor for s in pixels.shape[:2])
        top, left = (raw.shape[0] - height) // 2, (raw.shape[1] - width) // 2
        if top < 0 or left < 0:
            raise FileDamaged(f"{self.name} enlarges to {raw.shape[1]} x {raw.shape[0]} pixels")
        middle = raw[top : top + height, left : left + width]
        out: Pixels = np.clip(middle * 255 + 0.5, 0, 255).astype(np.uint8)
        return out

    def _raw(self, pixels: Pixels) -> np.ndarray[Any, np.dtype[np.float32]]:
        import ncnn

        cv2 = open_cv2()
        wide = cv2.copyMakeBorder(pixels, *(_BORDER,) * 4, cv2.BORDER_REFLECT_101)
        planes = np.ascontiguousarray(wide.transpose(2, 0, 1), np.float32) / 255
        run = self._net.create_extractor()
        run.input(self._ends[0], ncnn.Mat(planes))
        code, found = run.extract(self._ends[1])
        out = np.array(found)
        if code or out.ndim != 3 or out.shape[0] != 3:
            raise FileDamaged(f"{self.name} does not give a colour picture")
        return out.transpose(1, 2, 0)


def open_enlarger(param: Path) -> Enlarger:
    """Read ``NAME.param`` and ``NAME.bin`` beside it. Raises ``FileFailed`` for a missing file or runtime,
    ``FileDamaged`` for what is no network that enlarges colour pictures two to four times."""
    try:
        import ncnn
    except ImportError as e:
        raise FileFailed("the package ncnn, which runs upscalers, is not installed here") from e
    binary = param.with_suffix(".bin")
    for path in (param, binary):
        if not path.is_file():
            raise FileFailed(f"{path.name} is missing in {param.parent.name}")
    files = param.read_bytes() + binary.read_bytes()
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    if net.load_param(str(param)) or net.load_model(str(binary)):
        raise FileDamaged(f"{param.name} and {binary.name} are no network that is understood")
    made = Enlarger(param.stem, files, net, _ends(param))
    raw = made._raw(np.full((64, 64, 3), 127, np.uint8))
    made.factor = round(raw.shape[0] / (64 + 2 * _BORDER) + 0.3)  # some cut their own border off
    if made.factor not in (2, 3, 4):
        raise FileDamaged(f"{param.stem} enlarges {made.factor} times")
    return made


def _ends(param: Path) -> tuple[str, str]:
    """Name of the input, and of the last value that no layer takes."""
    taken: set[str] = set()
    given: list[str] = []
    first = ""
    for line in param.read_text(encoding="utf-8").splitlines()[2:]:
        kind, _, n_in, n_out, *rest = line.split()
        middle = int(n_in)
        taken.update(rest[:middle])
        given += rest[middle : middle + int(n_out)]
        first = first or (rest[middle] if kind == "Input" else "")
    free = [name for name in given if name not in taken]
    if not first or not free:
        raise FileDamaged(f"{param.name} has no input or no output")
    return first, free[-1]
