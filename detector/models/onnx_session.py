"""ONNX graphs, run by onnxruntime on one thread, and reported to nobody.

Its wheels (1.32 at least) count what is computed, keep an id in ``~/.cache/Microsoft`` and send both to
``mobile.events.data.microsoft.com``, from the first session on. Its function that switches this off comes too
late: only the variable does, and only before the library is loaded.
"""

from __future__ import annotations

import os
from typing import Any

from detector.core.errors import ModelUnavailable

QUIET = {"ORT_DISABLE_TELEMETRY": "1"}


def open_session(model: bytes, what: str) -> Any:
    """An ``InferenceSession`` of a graph in bytes. ``what`` it is goes into ``ModelUnavailable``, where
    onnxruntime is not installed."""
    os.environ.update(QUIET)
    try:
        import onnxruntime
    except ImportError as e:
        raise ModelUnavailable(f"onnxruntime, which runs the {what}, is not installed here") from e
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
