"""Whether a second look at a picture says anything new (decision 0044).

The shipped whole-picture detector on the middle square as it is and mirrored, and on the squares at both ends
of a picture that is not square.

``python -m tests.bench.second_look PICTURES [COUNT]``, where ``assay lab corpus bring`` has put them. The
pictures are the 1,099 of the shipped manifest that came first after the weights were fitted, in the order of
their digests, laundered.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.data.manifest import shipped_manifest
from detector.lab.whole.features import read_picture
from detector.lab.whole.views import View, view_of
from detector.models.encoder_file import installed_encoder
from detector.models.registry import SEMANTIC_MODEL
from detector.models.semantic import open_semantic
from detector.pixels.decode import Pixels

TAUGHT = 12_551  # rows of the manifest that were there when the weights were fitted
LOOKED_AT = 13_650  # rows that were there when decision 0044 looked
NOT_SQUARE = 1.1  # the longer side by the shorter


def looks(pixels: Pixels) -> dict[str, Pixels]:
    height, width = pixels.shape[:2]
    side = min(height, width)
    found = {"middle": pixels, "mirror": pixels[:, ::-1]}
    if max(height, width) > NOT_SQUARE * side:
        found |= {"first": pixels[:side, :side], "last": pixels[height - side :, width - side :]}
    return {name: np.ascontiguousarray(look) for name, look in found.items()}


def main(folder: Path, count: int) -> None:
    encoder = installed_encoder()
    assert encoder is not None, "the image encoder is not installed"
    detector = open_semantic(SEMANTIC_MODEL, encoder)
    pairs: dict[tuple[str, bool], list[tuple[float, float]]] = defaultdict(list)
    for row in sorted(shipped_manifest()[TAUGHT:LOOKED_AT], key=lambda r: r.sha256)[:count]:
        try:
            found = looks(view_of(read_picture(row, folder), View.LAUNDERED, row.sha256))
            logits = {name: detector.raw(look) for name, look in found.items()}
        except (NotApplicable, PixelsUnreadable) as e:
            print(row.sha256[:12], e.detail)
            continue
        for name, logit in logits.items():
            pairs[name, row.fake].append((logits["middle"], logit))
    for (name, fake), both in sorted(pairs.items()):
        middle, other = np.array(both).T
        print(
            name, "generated" if fake else "real", f"n={len(both)}",
            f"correlation {np.corrcoef(middle, other)[0, 1]:.3f}",
            f"deviation of the difference {(other - middle).std():.2f}, of scores {middle.std():.2f}",
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 400)
