"""False alarms on the sources of the shipped manifest that came last and taught nothing (decision 0049).

``python -m tests.bench.newest_sources PICTURES FIRST``: the rows of the manifest from FIRST on, counted from
0; ``PICTURES`` is where ``assay lab corpus bring`` has put them. Both shipped detectors, each alone,
laundered and as stored: counts of answers by source and kind, with the one-sided 95 % bound on false
"supports" of the pictures that were examined.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from detector.core.bounds import at_most
from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.core.files import read_file
from detector.data.manifest import Row, shipped_manifest
from detector.lab.whole.features import read_picture
from detector.lab.whole.views import View, condition_of_view, view_of
from detector.models.encoder_file import installed_encoder
from detector.models.inference import open_detector
from detector.models.registry import SEMANTIC_MODEL
from detector.models.score import Answer, Score
from detector.models.scorer import Scorer
from detector.models.semantic import open_semantic

UNSEEN = "not examined"


def looked_at(detector: Scorer, row: Row, folder: Path, view: View) -> Score:
    if view is View.STORED:
        return detector.score(read_file(folder / row.file, row.file), row.media_type, band=False)
    pixels = read_picture(row, folder)
    condition = condition_of_view(min(pixels.shape[:2]), view, row.sha256)
    return detector.score_pixels(view_of(pixels, view, row.sha256), condition, band=False)


def main(folder: Path, first: int) -> None:
    encoder = installed_encoder()
    assert encoder is not None, "the image encoder is not installed"
    detectors: tuple[Scorer, ...] = (open_semantic(SEMANTIC_MODEL, encoder), open_detector("traces-2"))
    answers: Counter[tuple[str, str, str, str]] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for row in shipped_manifest()[first:]:
        for detector in detectors:
            for view in (View.LAUNDERED, View.STORED):
                try:
                    score = looked_at(detector, row, folder, view)
                    answer = score.answer.value
                except (NotApplicable, PixelsUnreadable) as e:
                    answer = f"{UNSEEN}: {e.detail}"
                else:
                    if view is View.LAUNDERED and detector is detectors[0]:
                        kinds[row.source, str(score.kind)] += 1
                for group in (row.source, f"kind {row.kind}"):
                    answers[detector.card.model_id, view.value, group, answer] += 1
    for model, view, group in sorted({key[:3] for key in answers}):
        said = {key[3]: n for key, n in answers.items() if key[:3] == (model, view, group)}
        pictures = sum(n for answer, n in said.items() if not answer.startswith(UNSEEN))
        false = said.get(Answer.SUPPORTS.value, 0)
        print(model, view, group, f"n={pictures}", f"bound {100 * at_most(false, pictures):.2f} %", said)
    for (source, kind), count in sorted(kinds.items()):
        print("taken for", source, kind, count)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
