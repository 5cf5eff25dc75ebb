"""Numbers that a photographed screen or print changes, and the score over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import ModelUnavailable, NotApplicable
from detector.forensics.recapture import LEAST_SIDE, NAMES, SIDE, features, squares
from detector.forensics.recapture_score import open_recapture, recapture_model
from detector.pixels.decode import Pixels, open_cv2
from tests.detector.made import photo_like
from tests.doubles.recapture import made_recapture


def named(pixels: Pixels) -> dict[str, float]:
    return dict(zip(NAMES, features(pixels).tolist(), strict=True))


def test_every_number_is_there_and_is_one_for_noise_for_stripes_and_for_a_large_picture() -> None:
    rng = np.random.default_rng(0)
    loud = rng.integers(0, 2, (LEAST_SIDE, 900, 3), dtype=np.uint8) * 255
    stripes = np.zeros((500, 400, 3), np.uint8)
    stripes[:, ::2, 0] = 255
    for pixels in (photo_like(600, 500), loud, stripes, photo_like(900, 1500)):
        found = features(pixels)
        assert found.shape == (len(NAMES),)
        assert np.isfinite(found).all()
        assert np.isfinite(made_recapture().score(found))


def test_a_fine_grid_stands_out_of_the_spectrum_and_a_blur_takes_the_finest_band() -> None:
    plain = photo_like(512, 512)
    y, x = np.mgrid[0:512, 0:512]
    grid = plain + (6 * np.cos(2 * np.pi * (0.31 * x + 0.07 * y)))[:, :, None]
    before, after = named(plain), named(np.clip(grid, 0, 255).astype(np.uint8))
    assert after["own_y_high"] > before["own_y_high"] + 1
    assert named(open_cv2().GaussianBlur(plain, (0, 0), 2))["own_y_band6"] < before["own_y_band6"]


def test_squares_lie_inside_and_along_the_longer_side() -> None:
    for height, width, count in ((512, 512, 1), (1200, 1600, 3), (1600, 1200, 3), (400, 900, 2)):
        found = squares(np.zeros((height, width, 3), np.uint8))
        assert len(found) == count
        assert all(side == min(height, width, SIDE) for _, _, side in found)
        assert all(top + side <= height and left + side <= width for top, left, side in found)
        assert len({(top, left) for top, left, _ in found}) == count


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (photo_like(300, 900), "need 320"),
        (np.full((500, 500, 3), 90, np.uint8), "flat"),
        (np.repeat(photo_like(500, 500)[:, :, :1], 3, axis=2), "no colour"),
    ],
    ids=["small", "flat", "grey"],
)
def test_of_what_nothing_is_known_the_question_is_not_asked(pixels: Pixels, why: str) -> None:
    with pytest.raises(NotApplicable, match=why):
        features(pixels)


def test_what_cannot_be_measured_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.forensics.recapture._fine", lambda spectrum: float("nan"))
    with pytest.raises(NotApplicable, match="could not be measured"):
        features(photo_like(500, 500))


def test_weights_that_are_none_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save

    tensors = made_recapture().tensors()
    assert recapture_model(save(tensors)).point == made_recapture().point
    for broken in (b"no", save({k: v for k, v in tensors.items() if k != "bias"}),
                   save(tensors | {"scale": tensors["scale"][:-1]}),
                   save(tensors | {"scale": 0 * tensors["scale"]}),
                   save(tensors | {"point": tensors["point"] * np.float32("nan")})):  # fmt: skip
        with pytest.raises(ModelUnavailable):
            recapture_model(broken)
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        open_recapture(tmp_path / "none")
