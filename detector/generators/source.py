"""Real pictures in memory, as families are given them, and what is made of a source before a fit: a part of
it, two as one, fewer labels. Loads no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CorpusError, OptionRefused

UNKNOWN = -1  # the label of a picture whose class nobody named


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """Real pictures in memory: uint8 (n, side, side, channels), labels (n,) or None, and the digest of what
    they were made from. The label -1 means that nobody named the class of this picture."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    digest: str = ""
    groups: NDArray[np.int64] | None = None  # which photo a picture was cut from
    mirrors: bool = False  # a picture's mirror image is as good an example as the picture

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or not len(self.images):
            raise CorpusError(f"{self.name} holds no pictures")
        if self.images.dtype != np.uint8:
            raise CorpusError(f"{self.name} holds {self.images.dtype}, not uint8 pictures")
        if self.labels is not None and len(self.labels) != len(self.images):
            raise CorpusError(f"{self.name} has {len(self.images)} pictures and {len(self.labels)} labels")
        if self.groups is not None and len(self.groups) != len(self.images):
            raise CorpusError(f"{self.name} has {len(self.images)} pictures of {len(self.groups)} photos")


def chosen_of(source: ImageSource, places: NDArray[np.intp]) -> ImageSource:
    """Some pictures of a source, with their labels and photos; the digest is not theirs."""
    return replace(
        source, images=source.images[places], digest="",
        labels=None if source.labels is None else source.labels[places],
        groups=None if source.groups is None else source.groups[places],
    )  # fmt: skip


def joined_groups(parts: Sequence[ImageSource]) -> NDArray[np.int64] | None:
    """Numbers of the photos when the parts become one source: no two parts share a photo. None where no part
    was cut from photos."""
    if all(p.groups is None for p in parts):
        return None
    out, first = [], 0
    for part in parts:
        own = np.arange(len(part.images)) if part.groups is None else part.groups
        out.append(own + first)
        first += int(own.max()) + 1
    return np.concatenate(out)


def pixels_digest(images: NDArray[np.uint8], labels: NDArray[np.int64] | None = None) -> str:
    """SHA-256 over shape, bytes and labels; does not depend on how a file was compressed."""
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(np.ascontiguousarray(images).data)
    if labels is not None:
        digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()


def digest_of(source: ImageSource) -> str:
    """The source's own digest, or that of its pictures and labels."""
    return source.digest or pixels_digest(source.images, source.labels)


def digested(source: ImageSource) -> ImageSource:
    """The same source, its digest worked out once."""
    return replace(source, digest=digest_of(source))


def joined(name: str, parts: Sequence[ImageSource]) -> ImageSource:
    """Several sources as one; no two of them share a photo, and nobody named a class."""
    return ImageSource(
        name=name, images=np.concatenate([p.images for p in parts]), groups=joined_groups(parts),
        mirrors=all(p.mirrors for p in parts),
    )  # fmt: skip


def unpaired(a: ImageSource, b: ImageSource) -> ImageSource:
    """Two sources as classes 0 and 1 of one. Raises ``CorpusError`` when their pictures differ in shape."""
    if a.images.shape[1:] != b.images.shape[1:]:
        raise CorpusError(f"{a.name} and {b.name} have pictures of different shapes")
    labels = np.repeat(np.array([0, 1], np.int64), [len(a.images), len(b.images)])
    return replace(joined(f"{a.name} and {b.name}", (a, b)), labels=labels, class_names=(a.name, b.name))


def keep_labels(source: ImageSource, part: float, seed: int) -> ImageSource:
    """The same pictures with a ``part`` of each class's labels, at least one, and -1 for the others. Raises
    ``CorpusError`` for a source without labels."""
    if source.labels is None or not 0 < part <= 1:
        raise CorpusError(f"{source.name} has no labels of which a part in 0..1 can be kept")
    rng = np.random.default_rng(seed)
    labels = np.full_like(source.labels, UNKNOWN)
    for c in np.unique(source.labels[source.labels >= 0]):
        at = rng.permutation(np.flatnonzero(source.labels == c))
        labels[at[: max(1, round(part * len(at)))]] = c
    return replace(source, name=f"{source.name}, {100 * part:g}% of the labels", labels=labels, digest="")


def few_labels(source: ImageSource, count: int, *, seed: int) -> ImageSource:
    """The same pictures with ``count`` of the labels left, equally many of each class, drawn by ``seed``; all
    others are -1. Raises ``LabError`` when that cannot be had."""
    if source.labels is None:
        raise CorpusError(f"{source.name} has no labels to draw from")
    classes = np.unique(source.labels)
    each = count // len(classes)
    places = [np.flatnonzero(source.labels == c) for c in classes]
    if count < 1 or count % len(classes) or each > min(len(p) for p in places):
        raise OptionRefused(
            f"{count} labels do not divide evenly among the {len(classes)} classes of {source.name}"
        )
    rng = np.random.default_rng(seed)
    chosen = np.sort(np.concatenate([rng.choice(p, each, replace=False) for p in places]))
    labels = np.full(len(source.labels), UNKNOWN, np.int64)
    labels[chosen] = source.labels[chosen]
    # A digest of its own: a run must not go on with other labels.
    digest = hashlib.sha256(f"{digest_of(source)} {chosen.tolist()}".encode()).hexdigest()
    return replace(source, name=f"{source.name}, {count} labels", labels=labels, digest=digest)
