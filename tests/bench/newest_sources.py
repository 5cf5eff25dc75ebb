"""What the shipped detectors say of the sources of the shipped manifest that came last and taught nothing
(decisions 0048 and 0049).

``python -m tests.bench.newest_sources PICTURES FIRST [FEATURES]``: the rows of the manifest from FIRST on,
counted from 0; ``PICTURES`` is where ``assay lab corpus bring`` has put them. Both shipped detectors, each
alone, laundered and as stored: counts of answers by source and kind, real pictures with the one-sided 95 %
bound on false "supports" of those that were examined; areas of the laundered scores of each family of
generators against the real pictures and the photos among these rows. With ``FEATURES``, the folder where
``assay lab semantic`` kept what the encoder said, only the detector of whole pictures is asked, and no
picture is looked at again.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.core.bounds import at_most
from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.core.files import read_file
from detector.core.metrics import auc
from detector.data.families import family_of
from detector.data.manifest import Row, shipped_manifest
from detector.lab.whole.features import load_embeddings, read_picture
from detector.lab.whole.views import View, condition_of_view, view_of
from detector.models.condition import condition_of
from detector.models.encoder_file import installed_encoder
from detector.models.inference import open_detector
from detector.models.registry import SEMANTIC_MODEL
from detector.models.score import Answer, Score
from detector.models.scorer import Reading, Scorer
from detector.models.semantic import SemanticDetector, open_semantic

UNSEEN = "not examined"
VIEWS = (View.LAUNDERED, View.STORED)
Said = tuple[str, View, Row, str, str, float]  # detector, view, picture, answer, kind, score


def looked_at(detector: Scorer, row: Row, folder: Path, view: View) -> Score:
    if view is View.STORED:
        return detector.score(read_file(folder / row.file, row.file), row.media_type, band=False)
    pixels = read_picture(row, folder)
    condition = condition_of_view(min(pixels.shape[:2]), view, row.sha256)
    return detector.score_pixels(view_of(pixels, view, row.sha256), condition, band=False)


def by_looking(folder: Path, rows: tuple[Row, ...], detectors: tuple[Scorer, ...]) -> Iterator[Said]:
    for row in rows:
        for detector in detectors:
            for view in VIEWS:
                name = detector.card.model_id
                try:
                    score = looked_at(detector, row, folder, view)
                except (NotApplicable, PixelsUnreadable) as e:
                    yield name, view, row, f"{UNSEEN}: {e.detail}", "", float("nan")
                else:
                    yield name, view, row, score.answer.value, str(score.kind), score.logit


def by_features(
    folder: Path, rows: tuple[Row, ...], detector: SemanticDetector, cache: Path
) -> Iterator[Said]:
    for view in VIEWS:
        for row, numbers in zip(*load_embeddings(rows, cache, view), strict=True):
            standard = detector.heads.standard(numbers.astype(np.float32))
            kind, probability = detector.heads.kind(standard)
            reading = Reading(
                logit=float(detector.heads.logits(standard)), kind=kind, kind_probability=probability,
                distance=float(detector.heads.distances(standard)),
            )  # fmt: skip
            side = min(row.width, row.height)
            condition = (
                condition_of(read_file(folder / row.file, row.file), row.media_type, side=side)
                if view is View.STORED
                else condition_of_view(side, view, row.sha256)
            )
            answer = detector._decided(reading, condition).answer.value
            yield detector.card.model_id, view, row, answer, str(detector._kind(reading)), reading.logit


def tell(all_said: list[Said]) -> None:
    answers: Counter[tuple[str, str, str, str]] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for model, view, row, answer, kind, logit in all_said:
        own = f"generated {family_of(row.generator)}" if row.fake else f"kind {row.kind}"
        for group in (row.source, own, "all generated" if row.fake else "all real"):
            answers[model, view.value, group, answer] += 1
        if view is View.LAUNDERED and kind:
            kinds[row.source, kind] += model == SEMANTIC_MODEL
            scores[model, own].append(logit)
            scores[model, "all generated" if row.fake else "all real"].append(logit)
    for model, seen, group in sorted({key[:3] for key in answers}):
        said = {key[3]: n for key, n in answers.items() if key[:3] == (model, seen, group)}
        pictures = sum(n for answer, n in said.items() if not answer.startswith(UNSEEN))
        positive = said.get(Answer.SUPPORTS.value, 0)
        print(model, seen, group, f"n={pictures}", f"bound {100 * at_most(positive, pictures):.2f} %", said)
    for (model, group), made in sorted(scores.items()):
        if "generated" in group:
            real, photos = scores[model, "all real"], scores[model, "kind photo"]
            areas = [auc(np.array(other), np.array(made)) for other in (real, photos)]
            print(
                "area",
                model,
                group,
                len(made),
                f"{areas[0]:.3f} of {len(real)} real, {areas[1]:.3f} of photos",
            )
    for (source, kind), count in sorted(kinds.items()):
        print("taken for", source, kind, count)


def main(folder: Path, first: int, features: Path | None) -> None:
    encoder = installed_encoder()
    assert encoder is not None, "the image encoder is not installed"
    rows, semantic = shipped_manifest()[first:], open_semantic(SEMANTIC_MODEL, encoder)
    if features is not None:
        tell(list(by_features(folder, rows, semantic, features)))
    else:
        tell(list(by_looking(folder, rows, (semantic, open_detector("traces-2")))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
