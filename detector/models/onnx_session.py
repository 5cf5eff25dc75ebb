"""ONNX graphs, run by onnxruntime on one thread."""

from __future__ import annotations

from typing import Any

from detector.core.errors import ModelUnavailable
from detector.core.onnx_runtime import onnx_runtime


def open_session(model: bytes, what: str) -> Any:
    """An ``InferenceSession`` of a graph in bytes. ``what`` it is goes into ``ModelUnavailable``, where
    onnxruntime is not installed."""
    try:
        onnxruntime = onnx_runtime()
    except ImportError as e:
        raise ModelUnavailable(f"onnxruntime, which runs the {what}, is not installed here") from e
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
