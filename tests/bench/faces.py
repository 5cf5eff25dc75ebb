"""The widest face in the middle square of every real photo of the manifest, by the face finder of the
optional extra: what taught the gate of portraits, and what the kind of a photo is counted by (decision 0042).

    python -m tests.bench.faces --manifest MANIFEST --pictures PICTURES --faces FOLDER > faces.csv

Prints digest and share of the side, 0 for none; ``xz faces.csv`` makes ``detector/data/faces.csv.xz``.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import cv2
import numpy as np

from detector.data.faces import dump_faces
from detector.data.manifest import read_manifest
from detector.forensics import faces as finder
from detector.lab.whole.kinds import kind_of
from detector.models.kinds import Kind
from detector.pixels.decode import Pixels

_SIDE = 384
_PAD = 96  # a face that is cut by the edge is found when something lies around it
_ENOUGH = 0.3


def main() -> None:
    p = argparse.ArgumentParser()
    for name in ("--manifest", "--pictures", "--faces"):
        p.add_argument(name, type=Path, required=True)
    given = p.parse_args()
    models = finder.open_faces([given.faces])
    widths = {}
    for row in read_manifest(given.manifest):
        if row.fake or row.sheet or kind_of(row) not in (Kind.PHOTO, Kind.PORTRAIT, None):
            continue
        pixels = cv2.imread(str(given.pictures / row.file), _reduced(min(row.width, row.height)))
        if pixels is not None:
            widths[row.sha256] = widest(models, _square(pixels[:, :, ::-1]))
    sys.stdout.write(dump_faces(widths))


def widest(models: finder.FaceModels, square: Pixels) -> float:
    """The width of the widest face that the mesh confirms, as a share of the square's side."""
    best = 0.0
    for pad in (0, _PAD):
        if pad and best >= _ENOUGH:
            break
        seen = cv2.copyMakeBorder(square, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        for _, box in models._boxes(seen):
            width = float(box[1, 0] - box[0, 0]) / _SIDE
            if width > best and _confirmed(models, seen, box):
                best = width
    return best


def _confirmed(models: finder.FaceModels, pixels: Pixels, box: finder.Points) -> bool:
    (x0, y0), (x1, y1), left, right = box[:4]
    around = finder._Square(
        x=(x0 + x1) / 2, y=(y0 + y1) / 2, side=1.5 * max(x1 - x0, y1 - y0),
        angle=math.atan2(right[1] - left[1], right[0] - left[0]),
    )  # fmt: skip
    crop = around.cut(pixels, finder._MESH_SIDE, mirrored=False)
    return float(finder._forward(models.mesh, crop, "conv2d_30").ravel()[0]) > 0


def _square(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    kernel = cv2.INTER_AREA if side > _SIDE else cv2.INTER_CUBIC
    found = cv2.resize(pixels[y : y + side, x : x + side], (_SIDE, _SIDE), interpolation=kernel)
    return np.ascontiguousarray(found)


def _reduced(side: int) -> int:
    if side < 1000:
        return cv2.IMREAD_COLOR
    return cv2.IMREAD_REDUCED_COLOR_2 if side < 2000 else cv2.IMREAD_REDUCED_COLOR_4


if __name__ == "__main__":
    main()
