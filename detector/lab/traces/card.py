"""The card of the trace detector that learned from a manifest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.data.manifest import Row
from detector.lab.steps.calibrate import domain_limit
from detector.lab.steps.calibrate_table import calibrate_table
from detector.lab.whole.card import Tables, sets_of, tested
from detector.models.card import MANIFEST, ModelCard, Preprocessing
from detector.models.trace_network import Tensors
from detector.pixels.preprocess import CROP_SIDE, MAX_CROPS, MIN_SIDE, MIN_TEXTURE

FAMILIES = ("generated",)
_SEEN = Preprocessing(
    min_side=MIN_SIDE, crop_side=CROP_SIDE, max_crops=MAX_CROPS, min_texture=MIN_TEXTURE
)  # fmt: skip


def card_of(
    model_id: str, weights_sha256: str, tensors: Tensors, taught: Sequence[Row], aside: Sequence[Row],
    tables: Tables, digest: str, *, seed: int, epochs: int, backbone: str = "", seen: Sequence[str] = (),
) -> ModelCard:  # fmt: skip
    """It tells no kinds apart: one line and one point hold for all. Raises ``CalibrationError``."""
    parts = calibrate_table(tables.left_out, None)
    card = ModelCard(
        model_id=model_id, question="synthetic", weights_sha256=weights_sha256, families=FAMILIES,
        width=int(tensors["stem.weight"].shape[0]), preprocessing=_SEEN, calibration=parts.calibration,
        operating_point=parts.operating_point, sets=sets_of(taught, aside), corpus_sha256=digest, seed=seed,
        epochs=epochs, recipe=MANIFEST,
        domain_limit=domain_limit(np.array([r.distance for r in tables.left_out])),
        tested=tested(tables, None) if tables.test else (), backbone=backbone, seen=tuple(sorted(seen)),
    )  # fmt: skip
    return parts.into(card)
