"""Published upscalers of any make from local files: ncnn, run by the package ``ncnn``, or ONNX, run by
``onnxruntime``. Both are optional.

``upscalers`` understands the two networks of Real-ESRGAN by itself; here a file of any architecture runs
(SPAN, Real-CUGAN, waifu2x and others come as Python packages; those of PyTorch can be written as ONNX): the
more differ, the less a detector learns the trace of one. No code from a file is run, and no weights are
shipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import FileDamaged, FileFailed
from detector.core.files import read_file
from detector.core.onnx_runtime import onnx_runtime
from detector.pixels.decode import Pixels, open_cv2

_BORDER = 24  # more than any of the ncnn networks cuts off or sees beyond the edge; divisible by 8
_THIN = 8  # what networks need that cut nothing off: only their edge is spoilt
_TRIED = 64  # side of the picture that a network shows its factor with
_FACTORS = (2, 3, 4)

Planes = NDArray[np.float32]  # (3, h, w) from 0 to 1, in the order of ``Pixels``
_Run = Callable[[Planes], Any]  # what a network makes of them


class Enlarger:
    """One network. ``factor`` is how many times longer the sides become; ``digest`` is over all its files, of
    ``bytes`` together. Raises ``FileDamaged`` for what does not enlarge colour pictures two to four times."""

    def __init__(self, name: str, files: bytes, run: _Run, border: int) -> None:
        self.name = name
        self.digest = hashlib.sha256(files).hexdigest()
        self.bytes = len(files)
        self._run, self._border = run, border
        raw = self._raw(np.full((_TRIED, _TRIED, 3), 127, np.uint8))
        self.factor = round(raw.shape[0] / (_TRIED + 2 * border) + 0.3)  # some cut their own border off
        if self.factor not in _FACTORS:
            raise FileDamaged(f"{name} enlarges {self.factor} times")

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

    def _raw(self, pixels: Pixels) -> NDArray[np.float32]:
        cv2 = open_cv2()
        wide = cv2.copyMakeBorder(pixels, *(self._border,) * 4, cv2.BORDER_REFLECT_101)
        planes = np.ascontiguousarray(wide.transpose(2, 0, 1), np.float32)
        out = np.asarray(self._run(planes / np.float32(255)))
        if out.ndim != 3 or out.shape[0] != 3 or not np.isfinite(out).all():
            raise FileDamaged(f"{self.name} does not give a colour picture")
        return out.transpose(1, 2, 0)


def open_enlarger(path: Path) -> Enlarger:
    """Read ``NAME.onnx``, or ``NAME.param`` and ``NAME.bin`` beside it. Raises ``FileFailed`` for a missing
    file or runtime, ``FileDamaged`` for what is no network that enlarges colour pictures two to four
    times."""
    return _of_onnx(path) if path.suffix == ".onnx" else _of_ncnn(path)


def _of_ncnn(param: Path) -> Enlarger:
    try:
        import ncnn
    except ImportError as e:
        raise FileFailed("the package ncnn, which runs upscalers, is not installed here") from e
    binary = param.with_suffix(".bin")
    for path in (param, binary):
        if not path.is_file():
            raise FileFailed(f"{path.name} is missing in {param.parent.name}")
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    if net.load_param(str(param)) or net.load_model(str(binary)):
        raise FileDamaged(f"{param.name} and {binary.name} are no network that is understood")
    first, last = _ends(param)

    def run(planes: Planes) -> Any:
        extractor = net.create_extractor()
        extractor.input(first, ncnn.Mat(planes))
        code, found = extractor.extract(last)
        if code:
            raise FileDamaged(f"{param.stem} does not run on a colour picture")
        return found

    return Enlarger(param.stem, param.read_bytes() + binary.read_bytes(), run, _BORDER)


def _of_onnx(path: Path) -> Enlarger:
    """The graph takes (1, 3, h, w) and gives (1, 3, h * factor, w * factor), both from 0 to 1."""
    try:
        onnxruntime = onnx_runtime()
    except ImportError as e:
        raise FileFailed("onnxruntime, which runs upscalers, is not installed here") from e
    state = onnxruntime.capi.onnxruntime_pybind11_state
    data = read_file(path, path.name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    refused = (
        state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented,
        state.RuntimeException,
    )  # fmt: skip
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except refused as e:
        raise FileDamaged(f"{path.name} is no network that is understood") from e
    name = session.get_inputs()[0].name

    def run(planes: Planes) -> Any:
        try:
            return session.run(None, {name: planes[None]})[0][0]
        except refused as e:
            raise FileDamaged(f"{path.stem} does not run on a colour picture") from e

    return Enlarger(path.stem, data, run, _THIN)


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
