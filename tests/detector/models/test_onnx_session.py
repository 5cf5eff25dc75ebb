"""The runtime of the learned detectors tells nobody that it runs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import detector

ROOT = Path(detector.__file__).parents[1]
PICTURE = "np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)"


@pytest.mark.parametrize("said", [None, "0"])
def test_a_score_leaves_nothing_in_the_home_of_whoever_asks_and_reports_nothing(
    tmp_path: Path, said: str | None
):
    """Where it reports, the library makes a file of what it will send, and an id, before it sends."""
    elsewhere = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    environment = elsewhere | {"HOME": str(tmp_path)} | ({"ORT_DISABLE_TELEMETRY": said} if said else {})
    code = (
        f"import numpy as np; from detector import open_detector; print(open_detector().raw({PICTURE}) < 99)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    assert done.stdout.split() == ["True"]
    assert "elemetry" not in done.stderr
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == []


def test_nothing_loads_the_runtime_by_another_way():
    loading = {
        str(path.relative_to(ROOT))
        for room in ("authn", "detector", "signer", "tests")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if "onnxruntime" in _loaded(node)
    }
    assert loading == {"detector/core/onnx_runtime.py"}


def _loaded(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return {str(node.module).partition(".")[0]} if isinstance(node, ast.ImportFrom) else set()
