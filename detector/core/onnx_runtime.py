"""onnxruntime, told before it is loaded to report to nobody.

Its wheels (1.32 at least) count what is computed, keep an id in ``~/.cache/Microsoft`` and send both to
``mobile.events.data.microsoft.com``, from the first session on. Its function that switches this off comes too
late: only the variable does, and only before the library is loaded.
"""

from __future__ import annotations

import os
from typing import Any

QUIET = {"ORT_DISABLE_TELEMETRY": "1"}


def onnx_runtime() -> Any:
    """The module. Raises ``ImportError`` where it is not installed."""
    os.environ.update(QUIET)
    import onnxruntime

    return onnxruntime
