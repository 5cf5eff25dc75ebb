"""The discipline of the training data: nothing but the traces of a generator may tell the classes apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.core.metrics import auc
from detector.data.corpus import load_index, pictures
from detector.data.splits import Split
from detector.lab.corpus.material import add_whole
from detector.lab.steps.regions import random_regions
from detector.lab.steps.training import train
from detector.lab.steps.training_set import Collector, TrainingOptions
from detector.models.inference import read
from detector.pixels.augment import Encoding, codec_match, draw_codec, through
from tests.detector.made import runnable

OPTIONS = TrainingOptions(
    epochs=1, steps_per_epoch=110, pairs_per_batch=10, crop_side=64, width=16, reversal=0.0
)


def regions_of(corpus_dir, split: Split, count: int, rng) -> list:
    """Regions of real photos that may be used for anything."""
    out = []
    for item in load_index(corpus_dir):
        if (
            item.split is split
            and not item.fake
            and item.set_name in {"openimages", "pexels", "camera_crops"}
        ):
            for picture in pictures(corpus_dir, item):
                out += random_regions(picture, count, rng)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("equal", [True, False], ids=["one-history", "two-histories"])
def test_real_photos_from_the_pipelines_of_both_classes_cannot_be_told_apart(corpus_dir, tmp_path, equal):
    """A network is trained to tell real photos that came the way of generated sheets (stored as WebP) from
    real photos that came the way of photos. What it learns must not carry over to other photos; without the
    step that gives both one history it does, so this can fail."""
    rng = np.random.default_rng(0)
    regions = regions_of(corpus_dir, Split.TRAIN, 6, rng)
    order = rng.permutation(len(regions))
    photos, posing = order[: len(order) // 2], order[len(order) // 2 :]
    collector = Collector()
    for n in photos:
        collector.add_real(regions[n], "photos", single=False)
    add_whole(collector, {"posing": [as_sheet(regions[n], rng) for n in posing]}, 0)
    data = collector.done()
    if not equal:
        twice = np.stack([as_sheet(as_sheet(regions[n], rng), rng) for n in posing])
        data = replace(data, single=~data.single, fake=twice)
    net = runnable(train(data, OPTIONS, tmp_path))

    held_out = regions_of(corpus_dir, Split.CALIBRATION, 8, rng)
    assert len(held_out) > 200
    scores: tuple[list[float], list[float]] = ([], [])
    for n, region in enumerate(held_out):
        for side, picture in enumerate(both_ways(region, rng, equal)):
            draw = draw_codec(np.random.default_rng([n, side]), min_scale=0.8)
            scores[side].append(read(net, codec_match(picture, draw)[None, :128, :128]).logit)
    found = auc(*map(np.array, scores))
    assert found == pytest.approx(0.5, abs=0.03) if equal else found > 0.56


def both_ways(region, rng, equal: bool):
    """The region as a photo and as a sheet reach the network."""
    if not equal:
        return region, as_sheet(as_sheet(region, rng), rng)
    jpeg = Encoding(media_type="image/jpeg", quality=90)
    webp = Encoding(media_type="image/webp", quality=85)
    return through(through(region, webp), jpeg), through(as_sheet(region, rng), jpeg)


def as_sheet(region, rng):
    return through(region, Encoding(media_type="image/webp", quality=int(rng.integers(75, 96))))


def test_no_real_photo_is_in_two_splits(corpus_dir):
    """By digest, and by source: two files of one camera model count as one."""
    seen: dict[str, Split] = {}
    for item in load_index(corpus_dir):
        for key in (item.sha256, item.unit):
            assert seen.setdefault(key, item.split) is item.split, item.path
