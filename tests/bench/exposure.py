"""Whether photos of one scene at different exposure tell a scene from a flat reproduction: decision 0051.

    python -m tests.bench.exposure BRACKETS CORPUS PHOTOS

BRACKETS has a folder for each real set, whose ``times.txt`` names its files with their time of exposure in
seconds. Against them stand sets made of PHOTOS photos of the corpus, one of a source: as a screen in the
dark, one in a lit room and a print would show it (white 1,000, 200 and 60 times as bright as black), exposed
two stops apart, and as a program would brighten one file. A response of gamma 2.2 is assumed throughout.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.metrics import auc
from detector.pixels.decode import Pixels, open_cv2
from detector.pixels.within import reduced
from tests.bench.copy_move import pictures

Plane = NDArray[np.float64]
GAMMA, SIDE = 2.2, 500
DARK, BRIGHT = 20, 235  # levels between which the response is taken for gamma
SHOWN = {"screen in the dark": 1000.0, "screen in a lit room": 200.0, "print": 60.0}
NOISE = 1.5  # levels of a photo of the reproduction
NEAR_TOP = 0.15  # stops


@dataclass(frozen=True)
class Told:
    """``follows``: stops found between neighbouring frames, by those claimed (median). ``scatter``: stops by
    which pixels lie off that. ``stops``: from the darkest to the brightest 1 in 200 of all; ``own`` the
    same by the camera's curve, as far as ``follows`` tells it. ``plateau``: share of the pixels within
    ``NEAR_TOP`` of the brightest 1 in 1,000. ``lost``: share of pixels that no frame shows."""

    follows: float
    scatter: float
    stops: float
    plateau: float
    lost: float
    own: float


def told(frames: Sequence[Plane], times: Sequence[float]) -> Told:
    """Of grey levels (height, width each), the shortest exposure first."""
    ratios, scatters = [], []
    for (one, two), (first, second) in zip(pairwise(frames), pairwise(times), strict=True):
        both = (one > DARK) & (one < BRIGHT) & (two > DARK) & (two < BRIGHT)
        if both.mean() > 0.01:
            apart = GAMMA * np.log2(two[both] / one[both])
            ratios.append(float(np.median(apart)) / np.log2(second / first))
            scatters.append(1.4826 * float(np.median(np.abs(apart - np.median(apart)))))
    weights = [np.minimum(f - 2, 253 - f).clip(0) for f in frames]
    logs = [GAMMA * np.log2(np.maximum(f, 1)) - np.log2(t) for f, t in zip(frames, times, strict=True)]
    weight = sum(weights, np.zeros_like(frames[0]))
    seen = weight > 0
    mean = sum((w * v for w, v in zip(weights, logs, strict=True)), np.zeros_like(frames[0]))
    radiance = mean[seen] / weight[seen]
    top = np.quantile(radiance, 0.999)
    follows = float(np.median(ratios)) if ratios else float("nan")
    stops = float(np.quantile(radiance, 0.995) - np.quantile(radiance, 0.005))
    return Told(
        follows=follows,
        scatter=float(np.median(scatters)) if scatters else float("nan"),
        stops=stops,
        plateau=float((radiance > top - NEAR_TOP).mean()),
        lost=float(1 - seen.mean()),
        own=stops / follows,
    )


def real(folder: Path) -> Iterator[tuple[str, Told]]:
    cv2 = open_cv2()
    for scene in sorted(p for p in folder.iterdir() if (p / "times.txt").is_file()):
        listed = [line.split() for line in (scene / "times.txt").read_text().splitlines()]
        frames = [
            cv2.imread(str(scene / name), cv2.IMREAD_GRAYSCALE).astype(np.float64) for name, _ in listed
        ]
        yield scene.name, told(frames, [float(t) for _, t in listed])


def shown(photo: Pixels, contrast: float, rng: np.random.Generator) -> Told:
    """Photographed off a screen or paper at five exposures, the middle one as the photo is; each from the
    level of light up: paper and screens give their black a little of it."""
    cv2 = open_cv2()
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float64)
    light = 1 / contrast + (1 - 1 / contrast) * (grey / 255) ** GAMMA
    light = cv2.GaussianBlur(light, (0, 0), 0.8)
    times = [2.0**stops for stops in (-6, -4, -2, 0, 2, 4)]
    frames = [_levels(light * t, rng) for t in times]
    return told(frames, times)


def brightened(photo: Pixels) -> Told:
    """One file, made darker and brighter by a program."""
    cv2 = open_cv2()
    light = (cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) / 255.0) ** GAMMA
    times = [2.0**stops for stops in (-6, -4, -2, 0, 2, 4)]
    return told([np.rint(255 * np.clip(light * t, 0, 1) ** (1 / GAMMA)) for t in times], times)


def _levels(light: Plane, rng: np.random.Generator) -> Plane:
    levels = 255 * np.clip(light, 0, 1) ** (1 / GAMMA) + rng.normal(0, NOISE, light.shape)
    return np.clip(np.rint(levels), 0, 255)


def photos(corpus: Path, most: int) -> list[Pixels]:
    found = (
        reduced(p, SIDE)
        for side in ("choose", "report")
        for row, p in pictures(corpus, side, 1)
        if row.kind in ("", "photo")
    )
    return [p for _, p in zip(range(most), found, strict=False)]


def main(brackets: Path, corpus: Path, most: int) -> None:
    scenes = dict(real(brackets))
    for name, one in scenes.items():
        print(f"{name:26} {one}")
    sets = {"real": list(scenes.values())}
    every, rng = photos(corpus, most), np.random.default_rng(0)
    sets |= {name: [shown(p, contrast, rng) for p in every] for name, contrast in SHOWN.items()}
    sets["one file brightened"] = [brightened(p) for p in every]
    print("\n| set | n |", " | ".join(Told.__annotations__), "| area, stops | area, plateau |")
    for name, of in sets.items():
        said = []
        for what in Told.__annotations__:
            low, middle, high = np.nanquantile([getattr(t, what) for t in of], (0, 0.5, 1))
            said.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
        areas = [
            auc(*(np.array([getattr(t, what) for t in sets[s]]) for s in (a, b)))
            for what, a, b in (("stops", name, "real"), ("plateau", "real", name))
        ]
        print(f"| {name} | {len(of)} |", " | ".join(said), "|", " | ".join(f"{a:.2f}" for a in areas), "|")
    for limit in (6.0, 8.0, 10.0):
        beyond = {n: f"{sum(t.own > limit for t in of)} of {len(of)}" for n, of in sets.items()}
        print(f"more than {limit:g} stops:", beyond)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
