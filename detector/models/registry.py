"""The table of detectors that come with the package. Being listed is enough to be tested and served."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from detector.core.errors import ModelUnavailable
from detector.models.card import ModelCard, parse_card

DEFAULT_MODEL = "traces-1"
SEMANTIC_MODEL = "semantic-2"

# model id -> stem of the two files in detector/models/weights_files
MODELS = {
    "traces-1": "traces-1",
    "semantic-2": "semantic-2",
}


def model_files(model_id: str) -> tuple[Traversable, Traversable]:
    """Card and weights. Raises ``ModelUnavailable`` for an id that is not in the table."""
    if model_id not in MODELS:
        raise ModelUnavailable(f"no detector is called {model_id[:60]!r}; known: {', '.join(MODELS)}")
    folder = files("detector.models") / "weights_files"
    return folder / f"{MODELS[model_id]}.json", folder / f"{MODELS[model_id]}.safetensors"


def open_card(model_id: str) -> ModelCard:
    """Raises ``ModelUnavailable`` when the card is missing or malformed."""
    path, _ = model_files(model_id)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ModelUnavailable(f"the card of {model_id} cannot be read") from e
    card = parse_card(text)
    if card.model_id != model_id:
        raise ModelUnavailable(f"the card says {card.model_id[:60]!r}, the table {model_id!r}")
    return card
