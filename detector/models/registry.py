"""The table of detectors that come with the package. Being listed is enough to be tested and served."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from detector.core.errors import ModelUnavailable

DEFAULT_MODEL = "traces-2"
SEMANTIC_MODEL = "semantic-3"
JOINT_MODEL = "joint-1"  # a card alone; where its file is missing, detectors answer for themselves

# model id -> stem of the two files in detector/models/weights_files
MODELS = {
    "traces-1": "traces-1",
    "traces-2": "traces-2",
    "semantic-3": "semantic-3",
}


def model_files(model_id: str) -> tuple[Traversable, Traversable]:
    """Card and weights. Raises ``ModelUnavailable`` for an id that is not in the table."""
    if model_id not in MODELS:
        raise ModelUnavailable(f"no detector is called {model_id[:60]!r}; known: {', '.join(MODELS)}")
    folder = files("detector.models") / "weights_files"
    return folder / f"{MODELS[model_id]}.json", folder / f"{MODELS[model_id]}.safetensors"
