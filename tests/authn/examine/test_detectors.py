"""Which learned detectors a service says that it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from authn.core.config import load_settings
from authn.examine.detectors import INSTALLED_SINCE, detectors_json, learned_detectors
from authn.examine.opening import sources
from authn.sources.absent import AbsentSource

pytest.importorskip("cv2", reason="needs the extra detect")


def test_a_detector_that_was_installed_after_the_start_is_not_called_there(tmp_path: Path) -> None:
    settings = load_settings(
        environ={"ASSAY_SEMANTIC_ENCODER": str(tmp_path / "encoder.onnx")}, home=tmp_path
    )
    now = learned_detectors(settings)
    assert [d["lacks"] for d in detectors_json(settings, now)] == ["", ""]
    _, whole = now
    then = (now[0], replace(whole, lacks="its image encoder: not installed here"))
    assert [d["lacks"] for d in detectors_json(settings, then)] == ["", INSTALLED_SINCE]


def test_an_examiner_that_is_started_anew_has_the_detectors_that_the_others_have(tmp_path: Path) -> None:
    settings = load_settings(
        environ={"ASSAY_SEMANTIC_ENCODER": str(tmp_path / "encoder.onnx")}, home=tmp_path
    )
    traces, whole = learned_detectors(settings)
    then = (traces, replace(whole, lacks="its image encoder: not installed here"))
    assert not any(isinstance(s, AbsentSource) and s.name == whole.name for s in sources(settings))
    (lacking,) = (s for s in sources(settings, None, then) if s.name == whole.name)
    assert isinstance(lacking, AbsentSource)
