"""Whether maps point at what scores rest on, by deletion and insertion: the figures of decision 0026.

    python -m tests.bench.pointing FOLDER MODEL

Pictures are those of FOLDER whose score reaches the point from which the detector answers, at most ``MOST``
of a sub-folder, ``ALL`` in all.
"""

from __future__ import annotations

import sys
from pathlib import Path

from detector.core.errors import DetectorError
from detector.lab.steps.pointing import Followed, followed, pointing
from detector.models.encoder_file import installed_encoder
from detector.models.inference import open_detector
from detector.models.registry import SEMANTIC_MODEL
from detector.models.semantic import open_semantic
from detector.pixels.decode import decode
from detector.zoo.sources.photos import named_as_photos, read_encoded

MOST, ALL = 6, 60


def main(folder: Path, model: str) -> None:
    encoder = installed_encoder()
    detector = open_semantic(model, encoder) if model == SEMANTIC_MODEL and encoder else open_detector(model)
    found: list[Followed] = []
    taken: dict[Path, int] = {}
    paths, _ = named_as_photos(folder)
    for n, path in enumerate(sorted(paths, key=lambda p: p.name)):
        if taken.get(path.parent, 0) >= MOST or len(found) >= ALL:
            continue
        try:
            data, media_type = read_encoded(path)
            pixels = decode(data, media_type)
            if detector.raw(pixels) < detector.card.operating_point.supports_logit:
                continue
            places = detector.score_map(data, media_type)
            found.append(followed(detector.raw, pixels, places.squares, seed=n))
        except DetectorError:
            continue
        taken[path.parent] = taken.get(path.parent, 0) + 1
    print(detector.card.weights_sha256, len(taken), "sub-folders", pointing(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
