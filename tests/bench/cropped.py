"""What a comparison with an original calls copies that were cropped and then scaled, and copies only scaled.

Usage: python -m tests.bench.cropped FOLDER [COUNT] [SEED]

Of COUNT photos drawn from FOLDER (400 to 4,500 pixels a side) each loses nothing to 40 % of its sides at a
random place, is scaled to 40, 50 and 75 % by three kernels, of the original's size or of what is left, and
saved as JPEG of quality 75; half of them are edited after that. Each is laid over the photo that it comes
from, and each photo over another.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from authn.examine.laid_over import Laid, laid_over

LOST = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4)
SCALES = ((0.5, cv2.INTER_AREA), (0.75, cv2.INTER_CUBIC), (0.4, cv2.INTER_LINEAR))
Picture = Any


def saved(picture: Picture) -> Picture:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)


def copied(photo: Picture, lost: float, scale: float, kernel: int) -> Picture:
    height, width = photo.shape[:2]
    h, w = round(height * (1 - lost)), round(width * (1 - lost))
    y, x = random.randint(0, height - h), random.randint(0, width - w)
    side = random.choice(((width, height), (w, h)))
    size = (round(side[0] * scale), round(side[1] * scale))
    made = saved(cv2.resize(photo[y : y + h, x : x + w], size, interpolation=kernel))
    if random.random() < 0.5:
        a, b = made.shape[:2]
        made[a // 3 : a // 2, b // 3 : b // 2] = made[: a // 2 - a // 3, : b // 2 - b // 3]
    return made


def called(one: Picture, photo: Picture) -> str:
    found = laid_over(one, photo)
    if isinstance(found, Laid):
        return "scaled" if found.reduced else "crop"
    return "part, scaled" if "a part of" in found else "neither"


def photos(folder: Path, count: int) -> list[Picture]:
    files = sorted(folder.rglob("*.jpg"))
    random.shuffle(files)
    found: list[Picture] = []
    for file in files:
        photo = cv2.imread(str(file))
        if photo is not None and min(photo.shape[:2]) >= 400 and max(photo.shape[:2]) <= 4500:
            found.append(photo)
        if len(found) == count:
            break
    return found


def _named(lost: float) -> str:
    return f"{lost:.0%} lost"


def main(folder: Path, count: int, seed: int) -> None:
    random.seed(seed)
    cv2.setNumThreads(1)
    said: dict[str, Counter[str]] = {what: Counter() for what in (*map(_named, LOST), "another")}
    took: list[float] = []
    chosen = photos(folder, count)
    for i, photo in enumerate(chosen):
        for lost in LOST:
            for scale, kernel in SCALES:
                one, began = copied(photo, lost, scale, kernel), time.process_time()
                said[_named(lost)][called(one, photo)] += 1
                took.append(time.process_time() - began)
        height, width = photo.shape[:2]
        other = np.ascontiguousarray(cv2.resize(chosen[i - 1], (width // 2, height // 2)))
        said["another"][called(other, photo)] += 1
    for what, counts in said.items():
        print(f"{what:10} {dict(counts)}")
    print(f"CPU ms of a comparison: median {statistics.median(took) * 1e3:.0f}, most {max(took) * 1e3:.0f}")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]) if sys.argv[2:] else 40,
        int(sys.argv[3]) if sys.argv[3:] else 1,
    )
