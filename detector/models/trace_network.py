"""The trace network without the library it was trained with: an ONNX graph, run by onnxruntime.

The graph is built from the tensors that ship (``detector.networks.traces`` says what they mean): there is
one file of weights and nothing to keep in step; a test compares the features of both. Normalisations are
folded into the convolutions before them. One thread, so that the same file and runtime give the same
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable
from detector.models.onnx_file import Graph
from detector.models.onnx_session import open_session
from detector.pixels.residual import HIGH_SCALE, NEAR_SCALE, high_pass_kernels, planes_of

_BLOCKS = 3
_MAPS = 15
_EPSILON = 1e-5  # of batch normalisation, and under the root of a deviation
_FAR = 8.0  # deviations beyond which a feature is no farther away

Array = NDArray[np.float32]
Tensors = Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceNetwork:
    """``family_weight`` (1 + families, d), class 0 the camera. ``domain_mean`` and ``domain_scale`` (d,) say
    where the calibration pictures lie."""

    session: Any
    family_weight: Array
    family_bias: Array
    domain_mean: Array
    domain_scale: Array

    def features(self, crops: NDArray[np.uint8]) -> Array:
        """(n, d) of crops (n, h, w, 3), one at a time: so their maps fit the processor's cache."""
        found = [
            self.session.run(["features"], {"planes": planes_of(crops[n : n + 1])})[0]
            for n in range(len(crops))
        ]
        out: Array = np.concatenate(found)
        return out

    def logits(self, features: Array) -> Array:
        """(n,): log-odds of "any family of fakes" against "camera"."""
        families = features @ self.family_weight.T + self.family_bias
        fakes = families[:, 1:]
        most = fakes.max(1)
        out: Array = most + np.log(np.exp(fakes - most[:, None]).sum(1)) - families[:, 0]
        return out

    def distance(self, features: Array) -> Array:
        """How far features (n, d) lie from those of the calibration pictures, in deviations per feature."""
        away = np.clip((features - self.domain_mean) / self.domain_scale, -_FAR, _FAR)
        out: Array = np.sqrt(np.square(away).mean(1))
        return out


def network_of(tensors: Tensors) -> TraceNetwork:
    """Raises ``ModelUnavailable`` where onnxruntime is not installed, or the tensors are not those of a trace
    network."""
    _require_shapes(tensors)
    session = open_session(trace_graph(tensors), "trace network")
    return TraceNetwork(
        session=session, family_weight=tensors["family.weight"], family_bias=tensors["family.bias"],
        domain_mean=tensors["domain_mean"], domain_scale=tensors["domain_scale"],
    )  # fmt: skip


def _require_shapes(tensors: Tensors) -> None:
    width, families = (
        tensors[name].shape[0] if name in tensors and tensors[name].ndim else 0
        for name in ("stem.weight", "family.bias")
    )
    for name, shape in _shapes(width, families).items():
        if name not in tensors or tensors[name].shape != shape or tensors[name].dtype != np.float32:
            raise ModelUnavailable(f"the tensors are not those of a trace network: {name}")


def _shapes(width: int, families: int) -> dict[str, tuple[int, ...]]:
    """Of everything that is read, as ``detector.networks.traces`` makes them."""
    wide = (width, width * 3 // 2, width * 3, width * 4)
    size = 2 * sum(wide)
    out: dict[str, tuple[int, ...]] = {"stem.weight": (width, _MAPS, 3, 3)}
    norms = {"norm": width, "pool_norm": size}
    for n in range(_BLOCKS):
        at, (before, after) = f"blocks.{n}.", wide[n : n + 2]
        out[at + "conv1.weight"], out[at + "conv2.weight"] = (after, before, 3, 3), (after, after, 3, 3)
        out[at + "skip.weight"] = (after, before, 1, 1)
        norms |= {at + "norm1": after, at + "norm2": after}
    for name, count in norms.items():
        out |= {f"{name}.{part}": (count,) for part in ("weight", "bias", "running_mean", "running_var")}
    out |= {"family.weight": (families, size), "family.bias": (families,)}
    return out | {"domain_mean": (size,), "domain_scale": (size,)}


def trace_graph(tensors: Tensors) -> bytes:
    """The network as an ONNX file: ``planes`` (1, 3, h, w) in, ``features`` (1, d) out."""
    graph = Graph("traces")
    y = graph.add("Tanh", graph.add("Conv", "planes", graph.constant(_filters()), pads=(2, 2, 2, 2)))
    y = graph.add("Relu", _normed(graph, y, tensors, "stem", "norm", stride=2))
    pooled = _statistics(graph, y)
    for n in range(_BLOCKS):
        at = f"blocks.{n}."
        z = graph.add("Relu", _normed(graph, y, tensors, at + "conv1", at + "norm1", stride=2))
        z = _normed(graph, z, tensors, at + "conv2", at + "norm2", stride=1)
        skip = graph.add("Conv", y, graph.constant(tensors[at + "skip.weight"]), strides=(2, 2))
        y = graph.add("Relu", graph.add("Add", z, skip))
        pooled += _statistics(graph, y)
    joined = graph.add("Flatten", graph.add("Concat", *pooled, axis=1), axis=1)
    scale, shift = _line(tensors, "pool_norm")
    features = graph.add("Add", graph.add("Mul", joined, graph.constant(scale)), graph.constant(shift))
    return graph.model({"planes": (1, 3, "h", "w")}, {"features": (features, (1, len(scale)))})


def _filters() -> Array:
    """(15, 3, 5, 5): the seven filters on luma, on red less blue, and the third plane as it is."""
    kernels = high_pass_kernels()
    out = np.zeros((_MAPS, 3, 5, 5), np.float32)
    out[:7, 0] = out[7:14, 1] = kernels / HIGH_SCALE
    out[14, 2, 2, 2] = 1 / NEAR_SCALE
    return out


def _line(tensors: Tensors, norm: str) -> tuple[Array, Array]:
    """What batch normalisation does to a value when it no longer learns: a scale and a shift."""
    scale = tensors[norm + ".weight"] / np.sqrt(tensors[norm + ".running_var"] + _EPSILON)
    return scale, tensors[norm + ".bias"] - tensors[norm + ".running_mean"] * scale


def _normed(graph: Graph, x: str, tensors: Tensors, conv: str, norm: str, *, stride: int) -> str:
    scale, shift = _line(tensors, norm)
    kernel = graph.constant(tensors[conv + ".weight"] * scale[:, None, None, None])
    return graph.add("Conv", x, kernel, graph.constant(shift), strides=(stride, stride), pads=(1, 1, 1, 1))


def _statistics(graph: Graph, x: str) -> list[str]:
    """Mean and deviation of every channel, (1, c, 1, 1)."""
    mean = graph.add("GlobalAveragePool", x)
    away = graph.add("Sub", x, mean)
    variance = graph.add("GlobalAveragePool", graph.add("Mul", away, away))
    floor = graph.constant(np.array(_EPSILON, np.float32))
    return [mean, graph.add("Sqrt", graph.add("Add", variance, floor))]
