"""Measures of two sets of pictures, as functions of their features: values in, estimates out.

``real`` and ``fake`` are (n, d). Nothing here is called FID: that name belongs to one network, one resizing
and 50,000 pictures. The measures and their papers: KID, Binkowski et al. 2018; Frechet distance, Heusel et
al. 2017; precision and recall, Kynkaanniemi et al. 2019; classifier two-sample test, Lopez-Paz and Oquab
2017; copying, Meehan et al. 2020 and, for single pictures, the ratio of Carlini et al. 2023.

Pictures that were cut from one photo are alike, so they are split, paired and resampled as one: ``groups``
names the photo of each picture, real and fake. Without it, two sets of real tiles are "told apart" by their
photos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.core.logistic import fit_logistic
from detector.core.metrics import (
    APART,
    Array,
    Estimate,
    Groups,
    auc,
    bootstrap,
    halves,
    proportion,
    resampler,
)

MIN_FRECHET = 10_000
NEIGHBOURS = 3
NEAR_COPY_RATIO = 0.5
_RATIO_NEIGHBOURS = 50
_COMPONENTS = 64
_RIDGE = 1.0
_CHUNK = 1024
_ROUNDS = 500


def kid(
    real: Array, fake: Array, *, seed: int = 0, rounds: int = 500, groups: tuple[Groups, Groups] = APART
) -> Estimate:
    """Kernel distance: unbiased squared MMD with the kernel (x.y/d + 1)^3; may be negative near zero.

    The interval resamples photos; pairs within one photo are left out, since their likeness is that of the
    photo and not of the set, and so are those of a picture with its own repetition. Raises ``NotApplicable``
    below two photos a side.
    """
    _need(real, fake, 2, groups)
    within_real = _by_photo(_kernel(real, real), groups[0], groups[0])
    within_fake = _by_photo(_kernel(fake, fake), groups[1], groups[1])
    across = _by_photo(_kernel(real, fake), *groups)
    np.fill_diagonal(within_real, 0)
    np.fill_diagonal(within_fake, 0)
    sizes_a, sizes_b = (
        np.ones(len(x)) if g is None else np.unique(g, return_counts=True)[1].astype(float)
        for x, g in zip((real, fake), groups, strict=True)
    )

    def distances(a: Array, b: Array) -> Array:
        between = ((a @ across) * b).sum(1) / ((a @ sizes_a) * (b @ sizes_b))
        out: Array = _pair_mean(within_real, sizes_a, a) + _pair_mean(within_fake, sizes_b, b) - 2 * between
        return out

    rng = np.random.default_rng(seed)
    a, b = (rng.multinomial(n, np.full(n, 1 / n), size=rounds).astype(float) for n in across.shape)
    value = float(distances(np.ones((1, len(sizes_a))), np.ones((1, len(sizes_b))))[0])
    return _estimate(value, distances(a, b), len(real) + len(fake))


def _by_photo(kernel: Array, rows: Groups, columns: Groups) -> Array:
    """Sums of the kernel over the pictures of each photo."""
    for axis, groups in enumerate((rows, columns)):
        if groups is not None:
            order = np.argsort(groups, kind="stable")
            starts = np.unique(groups[order], return_index=True)[1]
            kernel = np.add.reduceat(np.take(kernel, order, axis), starts, axis)
    return kernel


def _kernel(x: Array, y: Array) -> Array:
    out: Array = (x @ y.T / x.shape[1] + 1) ** 3
    return out


def _pair_mean(kernel: Array, sizes: Array, counts: Array) -> Array:
    """Mean over pairs from different photos of so many pictures, each photo as often as it was drawn; the
    diagonal is zero. Not a number for a draw that holds one photo only."""
    pairs = (counts @ sizes) ** 2 - (counts**2) @ (sizes**2)
    pairs[pairs == 0] = np.nan
    out: Array = ((counts @ kernel) * counts).sum(1) / pairs
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class FrechetDistance:
    """``biased``: from too few pictures, so too large by an unknown amount, and comparable with nothing."""

    value: float
    n: int
    biased: bool


def frechet_distance(real: Array, fake: Array, *, accept_bias: bool = False) -> FrechetDistance:
    """Frechet distance of two Gaussians with the means and covariances of the features. Raises
    ``NotApplicable`` below 10,000 pictures a side, unless the bias is accepted."""
    n = min(len(real), len(fake))
    _need(real, fake, 2)
    if n < MIN_FRECHET and not accept_bias:
        raise NotApplicable(f"FD of {n} pictures is biased; it needs {MIN_FRECHET} a side")
    a, b = np.atleast_2d(np.cov(real, rowvar=False)), np.atleast_2d(np.cov(fake, rowvar=False))
    root = _root(a)
    # tr sqrt(a b) = tr sqrt(sqrt(a) b sqrt(a)), and the latter is symmetric: no complex residue to discard
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ b @ root), 0, None)).sum()
    value = ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * cross
    return FrechetDistance(value=float(value), n=n, biased=n < MIN_FRECHET)


def _root(symmetric: Array) -> Array:
    values, vectors = np.linalg.eigh(symmetric)
    out: Array = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return out


def precision(
    real: Array, fake: Array, *, k: int = NEIGHBOURS, groups: tuple[Groups, Groups] = APART
) -> Estimate:
    """Share of generated pictures inside the real manifold: nearer to some real picture than that one's
    k-th real neighbour from another photo."""
    return _covered(real, fake, k, groups)


def recall(
    real: Array, fake: Array, *, k: int = NEIGHBOURS, groups: tuple[Groups, Groups] = APART
) -> Estimate:
    """Share of real pictures inside the generated manifold."""
    return _covered(fake, real, k, groups[::-1])


def _covered(manifold: Array, points: Array, k: int, groups: tuple[Groups, Groups]) -> Estimate:
    _need(manifold, points, k + 1, (groups[0], None))
    radius = _radii(manifold, k, groups[0])
    hits = np.empty(len(points))
    for at in range(0, len(points), _CHUNK):
        hits[at : at + _CHUNK] = (_distances(points[at : at + _CHUNK], manifold) <= radius).any(1)
    if groups[1] is None:
        return proportion(int(hits.sum()), len(points))
    draw, rng = resampler(hits, groups[1]), np.random.default_rng(0)
    return _estimate(float(hits.mean()), np.array([draw(rng).mean() for _ in range(_ROUNDS)]), len(hits))


def _radii(manifold: Array, k: int, groups: Groups) -> Array:
    """Each picture's distance to its k-th neighbour, itself and others of its photo not counted."""
    if groups is None:
        return nearest(manifold, manifold, k + 1)[0][:, k]  # the nearest is the picture itself
    out = np.empty(len(manifold))
    for at in range(0, len(manifold), _CHUNK):
        d = _distances(manifold[at : at + _CHUNK], manifold)
        d[groups[at : at + _CHUNK, None] == groups[None]] = np.inf
        out[at : at + _CHUNK] = np.partition(d, k - 1, axis=1)[:, k - 1]
    return out


def nearest(points: Array, among: Array, k: int) -> tuple[Array, NDArray[np.int64]]:
    """Distances to the ``k`` nearest of ``among``, ascending, and which they are: (n, k) each."""
    distances, places = [], []
    for at in range(0, len(points), _CHUNK):
        d = _distances(points[at : at + _CHUNK], among)
        order = np.argsort(d, axis=1, kind="stable")[:, :k]
        distances.append(np.take_along_axis(d, order, 1))
        places.append(order)
    return np.concatenate(distances), np.concatenate(places)


def _distances(x: Array, y: Array) -> Array:
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
    out: Array = np.sqrt(np.clip(squares, 0, None))
    return out


def two_sample_auc(
    real: Array, fake: Array, *, seed: int = 0, rounds: int = 500, groups: tuple[Groups, Groups] = APART
) -> Estimate:
    """AUC on held-out halves of a logistic regression that learned on the other halves: 0.5 when the sets
    cannot be told apart. No photo has tiles in both halves. Never mirrored. Raises ``NotApplicable`` below 20
    pictures or 4 photos a side."""
    _need(real, fake, 20)
    _need(real, fake, 4, groups)
    rng = np.random.default_rng(seed)
    parts = [halves(len(x), g, rng) for x, g in zip((real, fake), groups, strict=True)]
    (real_a, real_b), (fake_a, fake_b) = (
        (x[first], x[second]) for x, (first, second) in zip((real, fake), parts, strict=True)
    )
    held = tuple(None if g is None else g[part[1]] for g, part in zip(groups, parts, strict=True))
    project = _projection(np.concatenate([real_a, fake_a]))
    labels = np.concatenate([np.zeros(len(real_a)), np.ones(len(fake_a))])
    learned = np.concatenate([project(real_a), project(fake_a)])
    penalty = np.append(0.0, np.full(learned.shape[1], _RIDGE))
    weights = fit_logistic(np.column_stack([np.ones(len(learned)), learned]), labels, penalty)
    scores = [project(x) @ weights[1:] + weights[0] for x in (real_b, fake_b)]
    return bootstrap(auc, scores[0], scores[1], seed=seed, rounds=rounds, groups=(held[0], held[1]))


class _projection:  # noqa: N801  used as a function
    """Onto the leading components of the training halves, each at unit variance."""

    def __init__(self, x: Array) -> None:
        self._mean = x.mean(0)
        _, values, rows = np.linalg.svd(x - self._mean, full_matrices=False)
        kept = min(_COMPONENTS, int((values > 1e-9 * values[0]).sum()))
        self._rows = rows[:kept] / np.maximum(values[:kept, None] / np.sqrt(len(x)), 1e-12)

    def __call__(self, x: Array) -> Array:
        out: Array = (x - self._mean) @ self._rows.T
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class NearCopy:
    """A generated picture, the training picture it resembles, their distance, and that distance as a part
    of the mean distance to the 50 nearest training pictures."""

    sample: int
    train: int
    distance: float
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memorisation:
    """``nearer``: probability that a generated picture lies nearer to the training pictures than a held-out
    real one does; 0.5 says nothing was copied, and blur alone pushes it up. ``near_copies``: single pictures
    under the ratio, the worst first; as many held-out real ones are under it by nature."""

    nearer: Estimate
    near_copies: tuple[NearCopy, ...]
    held_out_near_copies: int
    examined: int


def memorisation(
    train: Array, held_out: Array, fake: Array, *, seed: int = 0, groups: tuple[Groups, Groups] = APART
) -> Memorisation:
    """Nearest neighbours of generated and of held-out real pictures among the training pictures; ``groups``
    of the held-out and the generated ones."""
    _need(held_out, fake, 2)
    _need(train, train, 2)
    copies, fake_distances = _near_copies(fake, train)
    natural, real_distances = _near_copies(held_out, train)
    return Memorisation(
        nearer=bootstrap(auc, -real_distances, -fake_distances, seed=seed, rounds=_ROUNDS, groups=groups),
        near_copies=copies,
        held_out_near_copies=len(natural),
        examined=len(fake),
    )


def _near_copies(points: Array, train: Array) -> tuple[tuple[NearCopy, ...], Array]:
    distances, places = nearest(points, train, min(_RATIO_NEIGHBOURS, len(train)))
    ratios = distances[:, 0] / np.maximum(distances.mean(1), 1e-12)
    found = [
        NearCopy(
            sample=int(i), train=int(places[i, 0]), distance=float(distances[i, 0]), ratio=float(ratios[i])
        )
        for i in np.flatnonzero(ratios < NEAR_COPY_RATIO)
    ]
    return tuple(sorted(found, key=lambda c: c.ratio)), distances[:, 0]


def class_coverage(real: Array, labels: NDArray[np.int64], fake: Array) -> Estimate:
    """Share of the real classes that occur, by the class of the nearest real picture, at least a fifth as
    often as if all were equally frequent."""
    _need(real, fake, 1)
    of_fake = labels[nearest(fake, real, 1)[1][:, 0]]
    classes = np.unique(labels)
    counts = np.array([(of_fake == c).sum() for c in classes])
    return proportion(int((counts >= 0.2 * len(fake) / len(classes)).sum()), len(classes))


def _estimate(value: float, drawn: Array, n: int) -> Estimate:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(value=value, low=float(low), high=float(high), n=n)


def _need(a: Array, b: Array, least: int, groups: tuple[Groups, Groups] = APART) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise NotApplicable("the two sets have features of different kinds")
    if min(len(a), len(b)) < least:
        raise NotApplicable(f"{min(len(a), len(b))} pictures; at least {least} a side are needed")
    photos = [len(np.unique(g)) for g in groups if g is not None]
    if photos and min(photos) < least:
        raise NotApplicable(f"pictures of {min(photos)} photos; at least {least} photos a side are needed")
