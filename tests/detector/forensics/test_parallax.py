"""How frames move against each other: as one flat thing, as a scene with depth, or as by a camera's turn."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.errors import NotApplicable
from detector.forensics.parallax import MOST_FRAMES, FramePair, Motion, examine_parallax, said_of_set
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels, open_cv2
from tests.detector.made import photo_like
from tests.doubles.bursts import frame

FIRST = frame()


def said(*frames: Pixels) -> list[Motion]:
    return [pair.said for pair in examine_parallax(frames)]


def test_a_flat_thing_seen_from_two_places_is_flat_also_after_saving() -> None:
    saved = [through(f, Encoding(media_type="image/jpeg", quality=80))
             for f in (FIRST, frame(moved=(0.12, 0.0, 0.0)))]  # fmt: skip
    assert said(*saved) == [Motion.FLAT]


def test_a_camera_that_only_turned_or_stood_still_says_nothing_about_depth() -> None:
    assert said(FIRST, frame(turn=(0.02, 0.12, 0.03)), FIRST) == [
        Motion.TURNED, Motion.UNKNOWN, Motion.TURNED,
    ]  # fmt: skip
    assert said(frame(near=0.6), frame(turn=(0.0, 0.1, 0.0), near=0.6)) == [Motion.TURNED]


def test_zoom_is_no_motion_of_the_camera_however_far_it_goes() -> None:
    scene = frame(near=0.6)
    height, width = scene.shape[:2]
    for part in (0.8, 0.5):
        y, x = (round(side * (1 - part) / 2) for side in (height, width))
        nearer = open_cv2().resize(scene[y : height - y, x : width - x], (width, height))
        assert said(scene, nearer) == [Motion.TURNED]


def test_one_thing_before_another_moves_otherwise_when_the_camera_moves() -> None:
    assert said(frame(near=0.6), frame(moved=(0.08, 0.0, 0.0), near=0.6)) == [Motion.DEPTH]


def test_frames_in_which_nothing_is_found_again_give_no_number() -> None:
    flat = np.full(FIRST.shape, 77, np.uint8)
    for other in (flat, photo_like(*FIRST.shape[:2])):
        (pair,) = examine_parallax([FIRST, other])
        assert (pair.said, pair.shift) == (Motion.UNKNOWN, 0.0)


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([FIRST], "1 frames"),
        ([FIRST] * (MOST_FRAMES + 1), "2 to"),
        ([FIRST, FIRST[:-1]], "one size"),
        ([FIRST[:100], FIRST[:100]], "240 pixels"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(frames: list[Pixels], why: str) -> None:
    with pytest.raises(NotApplicable, match=why):
        examine_parallax(frames)


def said_by(*told: tuple[int, int, Motion | None]) -> Motion:
    """Of frames that are named; None: the camera stood still between them."""
    return said_of_set(
        [
            FramePair(first=i, second=j, matches=200, said=said or Motion.UNKNOWN, stood=said is None)
            for i, j, said in told
        ]
    )


def test_a_set_is_flat_where_two_movements_and_most_of_the_pairs_with_an_answer_say_so() -> None:
    flat, deep, turned, unknown = Motion.FLAT, Motion.DEPTH, Motion.TURNED, Motion.UNKNOWN
    for of_pairs, of_set in (
        ((flat, flat, unknown), flat),
        ((flat, unknown, unknown), Motion.BETWEEN),
        ((flat, flat, turned, turned), Motion.BETWEEN),
        ((flat, flat, flat, deep), deep),
        ((turned, unknown), turned),
        ((unknown,), unknown),
        ((), unknown),
    ):
        assert said_by(*((n, n + 1, said) for n, said in enumerate(of_pairs))) is of_set


def test_one_movement_that_several_frames_show_is_counted_once() -> None:
    flat, stood = Motion.FLAT, None
    assert said_by((0, 1, stood), (0, 2, flat), (1, 2, flat)) is Motion.BETWEEN
    back = ((0, 1, flat), (1, 2, flat), (0, 2, stood), (0, 3, stood), (1, 3, flat), (2, 3, stood))
    assert said_by(*back) is Motion.BETWEEN
    assert said_by((0, 1, flat), (1, 2, flat), (0, 2, flat)) is flat


def test_a_camera_that_stood_still_is_told_from_one_that_nothing_is_found_for() -> None:
    assert examine_parallax((FIRST, FIRST))[0].stood
    assert not examine_parallax((FIRST, np.full(FIRST.shape, 77, np.uint8)))[0].stood
