"""Pictures in memory: what may not be one source, and what is made of sources."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from detector.core.errors import CorpusError, OptionRefused
from detector.generators.source import (
    UNKNOWN,
    ImageSource,
    chosen_of,
    digest_of,
    digested,
    few_labels,
    joined,
    keep_labels,
    pixels_digest,
    unpaired,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"images": IMAGES[0]}, "holds no pictures"),
        ({"images": IMAGES[:0]}, "holds no pictures"),
        ({"images": IMAGES.astype(float)}, "float64, not uint8"),
        ({"labels": LABELS[:2]}, "6 pictures and 2 labels"),
        ({"groups": LABELS[:2]}, "6 pictures of 2 photos"),
    ],
    ids=["one picture", "none", "floats", "few labels", "few photos"],
)
def test_what_is_no_source_is_refused(wrong, said):
    with pytest.raises(CorpusError, match=said):
        ImageSource(**{"name": "x", "images": IMAGES, **wrong})


def test_a_digest_is_that_of_shape_bytes_and_labels():
    by_hand = hashlib.sha256(repr(IMAGES.shape).encode() + IMAGES.tobytes())
    assert pixels_digest(IMAGES) == by_hand.hexdigest()
    by_hand.update(LABELS.astype("<i8").tobytes())
    source = ImageSource(name="x", images=IMAGES, labels=LABELS)
    assert digest_of(source) == digested(source).digest == by_hand.hexdigest()
    assert digest_of(replace(source, digest="its own")) == "its own"


def test_a_digest_does_not_depend_on_how_the_pictures_lie_in_memory():
    turned = np.asfortranarray(IMAGES)
    assert not turned.flags.c_contiguous
    assert pixels_digest(turned) == pixels_digest(IMAGES)
    assert pixels_digest(IMAGES.reshape(6, 2, 8, 3)) != pixels_digest(IMAGES)


def test_a_part_keeps_its_labels_and_no_digest():
    source = digested(ImageSource(name="x", images=IMAGES, labels=LABELS))
    part = chosen_of(source, np.array([3, 0]))
    assert (part.images == IMAGES[[3, 0]]).all()
    assert part.labels.tolist() == [1, 0]
    assert (part.groups, part.digest) == (None, "")


def test_a_mirror_is_an_example_of_the_whole_only_if_it_is_one_of_every_part():
    plain, mirrored = (ImageSource(name="x", images=IMAGES, mirrors=m) for m in (False, True))
    assert joined("both", (mirrored, mirrored)).mirrors
    assert not joined("both", (mirrored, plain)).mirrors
    assert len(joined("three", (plain, plain, plain)).images) == 18


def test_two_sources_become_two_classes_with_their_names():
    both = unpaired(ImageSource(name="a", images=IMAGES[:2]), ImageSource(name="b", images=IMAGES[2:]))
    assert (both.name, both.class_names) == ("a and b", ("a", "b"))
    assert both.labels.tolist() == [0, 0, 1, 1, 1, 1]
    assert (both.images == IMAGES).all()


@pytest.mark.parametrize(("part", "left"), [(1.0, 6), (0.5, 4), (0.01, 2)], ids=str)
def test_of_every_class_a_part_of_the_labels_is_kept_and_at_least_one(part, left):
    kept = keep_labels(ImageSource(name="x", images=IMAGES, labels=LABELS), part, 0)
    known = kept.labels != UNKNOWN
    assert known.sum() == left
    assert (kept.labels[known] == LABELS[known]).all()
    assert kept.name == f"x, {100 * part:g}% of the labels"


def test_labels_that_are_not_there_cannot_be_kept():
    bare = ImageSource(name="x", images=IMAGES)
    for part in (0.0, 1.5):
        with pytest.raises(CorpusError, match=r"a part in 0\.\.1"):
            keep_labels(replace(bare, labels=LABELS), part, 0)
    with pytest.raises(CorpusError, match="has no labels of which"):
        keep_labels(bare, 0.5, 0)
    with pytest.raises(CorpusError, match="no labels to draw from"):
        few_labels(bare, 2, seed=0)
    with pytest.raises(OptionRefused, match="do not divide evenly among the 2 classes"):
        few_labels(replace(bare, labels=LABELS), 3, seed=0)


def test_no_two_parts_share_a_photo_and_a_picture_without_one_is_its_own():
    tiles = ImageSource(name="tiles", images=IMAGES[:3], groups=np.array([0, 0, 2]))
    bare = ImageSource(name="bare", images=IMAGES[:2])
    assert joined("all", (tiles, bare, tiles)).groups.tolist() == [0, 0, 2, 3, 4, 5, 5, 7]
    assert joined("bare", (bare, bare)).groups is None
