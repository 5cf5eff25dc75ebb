"""A sensor's fingerprint is found in its own photos, and missing in those of another one."""

from __future__ import annotations

import io
import json

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.forensics.sensor import look_at, peak_energy, residual
from detector.forensics.sensor_match import Fit, least_shown, match
from detector.forensics.sensor_print import (
    SensorPrint,
    build,
    look_in,
    print_bytes,
    read_print,
    why_unfit,
)
from tests.doubles.sensors import Sensor

OURS, OTHER = Sensor(1), Sensor(2)


@pytest.fixture(scope="module")
def known() -> SensorPrint:
    return read_print(print_bytes(build([look_in(OURS.exposure(n)) for n in range(10)])))


def turned(pixels: NDArray[np.uint8], turns: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rot90(pixels, turns))


def test_its_own_photo_shows_it_and_another_sensor_s_does_not(known: SensorPrint) -> None:
    assert match(look_in(OURS.exposure(50)), known).fit is Fit.FITS
    found = match(look_in(OTHER.exposure(50)), known)
    assert (found.fit, found.why) == (Fit.MISSING, "")
    assert found.energy < 10 < found.bound == least_shown(known)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_it_is_found_however_the_photo_is_turned(known: SensorPrint, turns: int) -> None:
    found = match(look_in(turned(OURS.exposure(51), turns)), known)
    assert (found.fit, found.turn) == (Fit.FITS, turns)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_square_photo_that_was_turned_is_not_taken_for_another_sensor_s(turns: int) -> None:
    square = Sensor(3, size=(512, 512))
    taught = build([look_in(square.exposure(n)) for n in range(8)])
    found = match(look_in(turned(square.exposure(60), turns)), taught)
    assert (found.fit, found.turn) == (Fit.FITS, turns)


def test_it_is_found_in_a_crop_and_in_a_smaller_copy() -> None:
    big = Sensor(3, size=(1024, 1024))
    taught = build([look_in(big.exposure(n)) for n in range(8)])
    photo = big.exposure(60)
    assert match(look_in(np.ascontiguousarray(photo[100:900, 37:700])), taught).fit is Fit.FITS
    smaller = np.asarray(cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    found = match(look_in(smaller), taught)
    assert (found.fit, found.scale) == (Fit.FITS, 0.5)


def test_what_a_search_does_not_find_says_nothing(known: SensorPrint) -> None:
    found = match(look_in(np.ascontiguousarray(OTHER.exposure(52)[:, :600])), known)
    assert found.fit is Fit.UNFIT
    assert "no turn, scale or crop of it was found" in found.why
    assert found.energy is None


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (OURS.exposure(53, light=0.05), "more than half of it is dark"),
        (OURS.exposure(53, light=6), "more than half of it is blown out"),
        (np.full((512, 640, 3), 128, np.uint8), "hardly any noise is left"),
        (np.zeros((512, 640, 3), np.uint8), "more than half of it is dark"),
    ],
)
def test_a_photo_that_carries_none_is_not_judged(
    known: SensorPrint, pixels: NDArray[np.uint8], why: str
) -> None:
    look = look_in(pixels)
    assert why in str(why_unfit(look))
    found = match(look, known)
    assert found.fit is Fit.UNFIT
    assert found.energy is None
    assert found.bound == least_shown(known)


def test_a_photo_beyond_what_calibrated_is_not_accused(known: SensorPrint) -> None:
    """Another sensor's photos, so that nothing is found: each lacks what would let that mean something."""
    soft = OTHER.exposure(54).astype(np.float32)
    weaker = cv2.addWeighted(soft, 0.45, cv2.GaussianBlur(soft, (0, 0), 2), 0.55, 0)
    draw = np.random.default_rng(0).normal(0, 25, weaker.shape[:2])[:, :, None]
    for pixels, why in (
        (weaker, "smoothed or compressed more"),
        (soft + draw, "more detail"),
        (soft * 0.4, "darker"),
    ):
        found = match(look_in(np.clip(pixels, 0, 255).astype(np.uint8)), known)
        assert found.fit is Fit.UNFIT
        assert why in found.why


def test_few_photos_of_several_sizes_or_cameras_make_no_fingerprint() -> None:
    looks = [look_in(OURS.exposure(n)) for n in range(8)]
    with pytest.raises(NotApplicable, match="needs 8 photos"):
        build(looks[:7])
    with pytest.raises(NotApplicable, match="several sizes"):
        build([*looks[:7], look_in(turned(OURS.exposure(7), 1))])
    with pytest.raises(NotApplicable, match="share no fingerprint"):
        build([look_in(Sensor(n + 10).exposure(n)) for n in range(8)])


def test_more_photos_make_it_stronger(known: SensorPrint) -> None:
    more = build([look_in(OURS.exposure(n)) for n in range(10, 18)], known)
    assert (more.photos, len(more.held)) == (18, 18)
    look = look_in(OURS.exposure(55))
    assert match(look, more).energy > match(look, known).energy


def test_a_small_picture_is_refused_and_nothing_divides_by_zero() -> None:
    with pytest.raises(NotApplicable, match="fewer than 512"):
        look_in(np.zeros((64, 640, 3), np.uint8))
    assert not residual(np.zeros((64, 80), np.float32)).any()
    assert peak_energy(np.zeros((64, 64), np.float32)) == 0.0
    assert look_at(np.zeros((70, 65), np.uint8)).strength == 0.0


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"x" * 4000])
def test_what_is_no_fingerprint_is_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_print(data)


@pytest.mark.parametrize(
    "changed",
    [
        {"plane": np.zeros((64, 64), np.int8)},
        {"plane": np.zeros(9, np.int8)},
        {"light": np.zeros(9, np.float16)},
        {"spread": float("nan")},
        {"spread": float("inf")},
        {"frame": [0, 0]},
        {"held": []},
    ],
    ids=str,
)
def test_from_a_fingerprint_that_was_damaged_nothing_follows(changed: dict[str, object]) -> None:
    with np.load(io.BytesIO(print_bytes(build([look_in(OURS.exposure(n)) for n in range(8)])))) as archive:
        parts = dict(archive)
    head = json.loads(bytes(parts["head"]))
    head |= {k: v for k, v in changed.items() if k in head}
    parts |= {k: v for k, v in changed.items() if k in parts}
    out = io.BytesIO()
    np.savez(out, **{**parts, "head": np.frombuffer(json.dumps(head).encode(), np.uint8)})
    with pytest.raises(ValueError, match=r".+"):
        read_print(out.getvalue())
