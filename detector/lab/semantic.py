"""From corpus to the card of the semantic branch: embed, fit, calibrate on left-out scores, measure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from detector.core.files import write_whole
from detector.core.metrics import Array, auc, bootstrap, cllr, proportion, true_positives
from detector.core.progress import Report
from detector.data.corpus import Item
from detector.data.splits import Split
from detector.lab.corpus.material import CorpusMaterial
from detector.lab.recipe import judge
from detector.lab.steps.calibrate import AGAINST_MIN_SIDE, domain_limit, drawn_of, operating_point
from detector.models.calibration import Calibration, fit
from detector.models.card import FamilyLeftOut, ModelCard, OperatingPoint, Preprocessing
from detector.models.semantic import FEATURES, MIN_SIDE, Encoder, SemanticDetector, open_encoder
from detector.models.semantic_head import Embedded, Head, fit_head, left_out_scores


def run_semantic(data: Path, encoder_file: Path, run: Path, *, model_id: str, report: Report) -> ModelCard:
    """Raises ``ModelUnavailable``, ``LabError`` and ``CalibrationError``."""
    run.mkdir(parents=True, exist_ok=True)
    encoder = open_encoder(encoder_file)
    material = CorpusMaterial(root=data, run=run, seed=0, report=report)
    sets = embed_sets(encoder, data, [i for i in material.items if i.split is not Split.TEST], report)
    head = fit_head(sets)
    left_out = left_out_scores(sets)
    real = {s.name: left_out[s.name] for s in sets if not s.fake}
    fake = {s.name: left_out[s.name] for s in sets if s.fake}
    photos = np.concatenate(list(real.values()))
    calibration = replace(fit(photos, list(fake.values())), unknown=1 / (len(fake) + 2))
    point = replace(operating_point(real, fake), against_min_side=AGAINST_MIN_SIDE)
    away = np.concatenate([head.distances(s.embeddings).ravel() for s in sets])
    card = ModelCard(
        model_id=model_id, question="synthetic", weights_sha256=_save(head, run / f"{model_id}.safetensors"),
        families=tuple(s.name for s in sets if s.fake), width=FEATURES,
        preprocessing=Preprocessing(min_side=MIN_SIDE, crop_side=224, max_crops=1, min_texture=0.0),
        calibration=calibration, operating_point=point, sets=material.sets(), corpus_sha256=material.digest(),
        seed=0, epochs=0, network="clip-linear", domain_limit=domain_limit(away),
        left_out=tuple(_left_out(name, photos, scores, calibration, point) for name, scores in fake.items()),
    )  # fmt: skip
    return judge(SemanticDetector(card=card, encoder=encoder, head=head), material, run)


def _left_out(
    name: str, photos: Array, fake: Array, calibration: Calibration, point: OperatingPoint
) -> FamilyLeftOut:
    """What heads that never saw this generator make of it; the first draw of every picture."""
    real, own = photos[:, 0], fake[:, 0]
    return FamilyLeftOut(
        family=name, auc=bootstrap(auc, real, own), true_positives=bootstrap(true_positives, real, own),
        cllr=cllr(calibration.llr(real), calibration.llr(own)),
        supports=proportion(int((own >= point.supports_logit).sum()), len(own)),
        against=proportion(int((own <= point.against_logit).sum()), len(own)),
    )  # fmt: skip


def embed_sets(encoder: Encoder, root: Path, items: Sequence[Item], report: Report) -> tuple[Embedded, ...]:
    """Every picture after ``CALIBRATION_DRAWS`` draws of ``codec_match``, set by set."""
    found = drawn_of(root, items, encoder.embed, "embedding", report)
    return tuple(Embedded(name=name, fake=fake, embeddings=v) for (name, fake), v in sorted(found.items()))


def _save(head: Head, path: Path) -> str:
    arrays = {
        "mean": head.mean, "scale": head.scale, "weight": head.weight, "bias": np.array([head.bias]),
    }  # fmt: skip
    data = save({k: v.astype(np.float32) for k, v in arrays.items()})
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()
