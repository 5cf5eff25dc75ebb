"""What an outside user imports: every public name is there, explained, and costs nothing until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import detector
from tests.conftest import ROOT

# Values whose meaning is said in a comment beside them: a table, an alias of a type.
PLAIN = {"MODELS", "Pixels"}


@pytest.mark.parametrize("name", detector.__all__)
def test_a_public_name_is_there_and_explained(name: str) -> None:
    assert name in dir(detector)
    said = getattr(detector, name).__doc__
    assert name in PLAIN or (said and not said.startswith(f"{name}(")), "a dataclass writes only its fields"


def test_what_a_type_checker_sees_is_what_is_there() -> None:
    tree = ast.parse(Path(detector.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (alias.name, node.module)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(name for name, _ in seen) == sorted(detector.__all__)
    for name, module in seen:
        assert getattr(sys.modules[str(module)], name) is getattr(detector, name), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'verdict'"):
        getattr(detector, "verdict")  # noqa: B009  a type checker would refuse the attribute


def test_nothing_but_the_standard_library_is_loaded_before_a_name_is_asked_for() -> None:
    program = "import sys, detector, detector.core.errors; print(*{m.partition('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "PIL", "cv2", "torch", "onnxruntime"} & set(done.stdout.split())


def test_a_picture_is_scored_by_public_names_alone() -> None:
    from detector import Answer, NotApplicable, Score, open_detector

    with pytest.raises(NotApplicable):
        open_detector().score(b"GIF89a", "image/gif")
    assert Answer.SUPPORTS in Answer
    assert Score.__module__ == "detector.models.score"
