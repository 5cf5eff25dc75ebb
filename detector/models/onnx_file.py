"""Just enough of the ONNX format to write a small network as a graph.

A model is a protocol buffer (onnx.proto of ONNX 1.12, opset 13): messages of numbered fields, each a varint
or bytes with their length in front. The package that usually writes them is larger than all networks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_IR_VERSION, _OPSET = 8, 13
_FLOAT, _INT64 = 1, 7
_VARINT, _BYTES = 0, 2
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(key: int, value: int) -> bytes:
    """A field with a number that is not negative."""
    return _varint(key << 3 | _VARINT) + _varint(value)


def piece(key: int, content: bytes | str) -> bytes:
    """A field with a text, bytes or another message."""
    data = content.encode() if isinstance(content, str) else content
    return _varint(key << 3 | _BYTES) + _varint(len(data)) + data


def _tensor(name: str, array: NDArray[np.float32]) -> bytes:
    dims = b"".join(number(1, n) for n in array.shape)
    raw = np.ascontiguousarray(array, "<f4").tobytes()
    return dims + number(2, _FLOAT) + piece(8, name) + piece(9, raw)


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return piece(1, name) + number(3, value) + number(20, _ATTRIBUTE_INT)
    return piece(1, name) + b"".join(number(8, v) for v in value) + number(20, _ATTRIBUTE_INTS)


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    """A float input or output; sides that are free have a name."""
    dims = b"".join(piece(1, number(1, d) if isinstance(d, int) else piece(2, d)) for d in shape)
    return piece(1, name) + piece(2, piece(1, number(1, _FLOAT) + piece(2, dims)))


@dataclass(slots=True)
class Graph:
    """Nodes in the order in which they run. Values are called by the names that the methods return."""

    name: str
    _nodes: list[bytes] = field(default_factory=list)
    _constants: list[bytes] = field(default_factory=list)
    _count: int = 0

    def constant(self, array: NDArray[np.float32]) -> str:
        name = f"w{len(self._constants)}"
        self._constants.append(piece(5, _tensor(name, np.asarray(array, np.float32))))
        return name

    def add(self, operator: str, *inputs: str, **attributes: int | Sequence[int]) -> str:
        """One node with one output, whose name is returned."""
        self._count += 1
        output = f"v{self._count}"
        self._append(operator, inputs, output, attributes)
        return output

    def model(
        self, inputs: dict[str, Sequence[int | str]], outputs: dict[str, tuple[str, Sequence[int | str]]]
    ) -> bytes:
        """The whole file. ``outputs``: name outside -> (value inside, shape)."""
        for outside, (inside, _shape) in outputs.items():
            self._append("Identity", (inside,), outside, {})
        graph = b"".join(self._nodes) + piece(2, self.name) + b"".join(self._constants)
        graph += b"".join(piece(11, _value(n, s)) for n, s in inputs.items())
        graph += b"".join(piece(12, _value(n, s)) for n, (_, s) in outputs.items())
        opset = piece(8, piece(1, "") + number(2, _OPSET))
        return number(1, _IR_VERSION) + piece(2, "assay") + piece(7, graph) + opset

    def _append(
        self, operator: str, inputs: Sequence[str], output: str, attributes: dict[str, int | Sequence[int]]
    ) -> None:
        body = b"".join(piece(1, i) for i in inputs) + piece(2, output) + piece(4, operator)
        body += b"".join(piece(5, _attribute(n, v)) for n, v in attributes.items())
        self._nodes.append(piece(1, body))
