"""Classes for pictures that nobody labelled: groups of like pictures, so that a family that learns classes
can be fitted on any folder.

k-means (Lloyd 1982, seeded as in k-means++, Arthur and Vassilvitskii 2007) on the pixels of the shrunk
picture: what a group means is nobody's claim; it only has to be the same every time.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import TooFewPictures
from detector.core.metrics import Array
from detector.generators.source import ImageSource
from detector.zoo.judging.features import pixel_extractor
from detector.zoo.judging.quality import nearest

_ROUNDS = 50


def clustered(source: ImageSource, classes: int, *, seed: int) -> ImageSource:
    """The source with labels 0 to ``classes - 1``; a source with labels stays as it is. Raises
    ``TooFewPictures`` for fewer pictures than classes."""
    if source.labels is not None:
        return source
    if len(source.images) < classes:
        raise TooFewPictures(
            f"{source.name} has {len(source.images)} pictures; {classes} groups need as many"
        )
    features = pixel_extractor().of(source.images, lambda _done, _total: None)
    labels = kmeans(features, classes, np.random.default_rng([seed, 11]))
    names = tuple(f"group {n}" for n in range(classes))
    digest = hashlib.sha256(source.digest.encode() + labels.astype("<i8").tobytes()).hexdigest()
    return replace(source, labels=labels, class_names=names, digest=digest)


def kmeans(points: Array, groups: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The group of each point (n,); every group keeps at least one point."""
    centres = _spread_centres(points, groups, rng)
    labels = np.full(len(points), -1, np.int64)
    for _ in range(_ROUNDS):
        distances, found = nearest(points, centres, 1)
        found = found[:, 0]
        _fill(found, distances[:, 0], groups)
        if (found == labels).all():
            break
        labels = found
        centres = np.stack([points[labels == g].mean(0) for g in range(groups)])
    return labels


def _fill(labels: NDArray[np.int64], distances: Array, groups: int) -> None:
    """An empty group takes the point that its own centre describes worst, from a group that has others."""
    for group in range(groups):
        sizes = np.bincount(labels, minlength=groups)
        if not sizes[group]:
            labels[np.argmax(np.where(sizes[labels] > 1, distances, -1.0))] = group


def _spread_centres(points: Array, groups: int, rng: np.random.Generator) -> Array:
    chosen = [int(rng.integers(len(points)))]
    squares = ((points - points[chosen[0]]) ** 2).sum(1)
    while len(chosen) < groups:
        total = squares.sum()
        part = squares / total if total else np.full(len(points), 1 / len(points))
        chosen.append(int(rng.choice(len(points), p=part)))
        squares = np.minimum(squares, ((points - points[chosen[-1]]) ** 2).sum(1))
    return points[chosen]
