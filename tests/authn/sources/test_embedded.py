from __future__ import annotations

import numpy as np
import pytest

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import media_of
from authn.core.overlay import UNMEASURED
from authn.sources.embedded import EmbeddedSource
from detector.forensics.embedded import MAX_EMBEDDED, embedded_pictures
from detector.pixels.jpeg import parse_jpeg
from tests.detector.forensics.small_pictures import (
    scene,
    shrunk,
    thumbnail_block,
    with_preview,
    with_thumbnail,
)
from tests.detector.made import encoded, jpeg_with

SCENE, OTHER = scene(1), scene(2)
SMALL = shrunk(SCENE)


def examine(data: bytes, name: str = "a.jpg") -> HeuristicEvidence:
    (evidence,) = EmbeddedSource().examine(media_of(data, name))
    assert evidence.llr is None
    return evidence


@pytest.mark.parametrize("write", [with_thumbnail, with_preview])
def test_a_small_picture_of_the_same_scene_says_nothing(write) -> None:
    evidence = examine(write(SCENE, SMALL))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "nothing follows" in evidence.reason


@pytest.mark.parametrize("write", [with_thumbnail, with_preview])
def test_a_small_picture_of_another_scene_points_to_an_edit_and_calls_it_innocent(write) -> None:
    evidence = examine(write(SCENE, shrunk(OTHER)))
    assert evidence.outcome is HeuristicOutcome.SUPPORTS
    assert "innocent" in evidence.reason


def test_other_light_and_a_quarter_turn_are_no_difference() -> None:
    brighter = np.clip(SCENE.astype(float) * 0.8 + 40, 0, 255).astype(np.uint8)
    turned = np.ascontiguousarray(np.rot90(brighter))
    evidence = examine(with_thumbnail(turned, SMALL))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    assert "degrees" in evidence.reason


def test_black_bars_beside_a_thumbnail_are_no_difference() -> None:
    barred = np.zeros((480, 480, 3), np.uint8)
    barred[60:420] = SCENE
    assert examine(with_thumbnail(SCENE, shrunk(barred))).outcome is HeuristicOutcome.INCONCLUSIVE


def test_a_picture_that_was_cropped_is_found_in_its_thumbnail() -> None:
    evidence = examine(with_thumbnail(np.ascontiguousarray(SCENE[100:300, 60:300]), SMALL))
    assert evidence.outcome is HeuristicOutcome.SUPPORTS
    assert "cropped" in evidence.reason
    assert 0.2 < dict(evidence.findings[0].facts)["picture_is_share"] < 0.4


def test_the_drawing_lies_where_something_was_pasted() -> None:
    edited = SCENE.copy()
    edited[40:160, 300:440] = OTHER[40:160, 20:160]
    media, source = media_of(with_thumbnail(edited, SMALL), "a.jpg"), EmbeddedSource()
    found = source.examine(media)
    assert found[0].outcome is HeuristicOutcome.SUPPORTS
    (drawn,) = source.overlays(media, found)
    own, columns = drawn.own, drawn.own.columns
    strong = [i for i, c in enumerate(own.cells) if c != UNMEASURED and int(c) >= 5]
    places = [((i % columns + 0.5) / columns * 480, (i // columns + 0.5) / own.rows * 360) for i in strong]
    assert places
    assert all(270 < x < 470 and 10 < y < 190 for x, y in places)
    assert drawn.reference is not None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encoded(SCENE), "carries no small picture"),
        (with_thumbnail(SCENE, b"nothing", at=2**32 - 1), "carries no small picture"),
        (with_thumbnail(SCENE, b"nothing", length=2**32 - 1), "no JPEG"),
        (with_thumbnail(SCENE, SMALL[:40]), "no JPEG"),
        (with_thumbnail(SCENE, SMALL[: len(SMALL) // 2]), "does not decode"),
        (with_thumbnail(SCENE, encoded(SCENE[:30, :30])), "smaller than"),
        (with_thumbnail(SCENE, encoded(np.full((120, 160, 3), 90, np.uint8))), "too flat"),
        (with_thumbnail(np.full((240, 320, 3), 90, np.uint8), SMALL), "too flat"),
        (with_preview(SCENE, shrunk(OTHER), offset=2**32 - 16), "carries no small picture"),
        (with_preview(SCENE, shrunk(OTHER), kind=0), "carries no small picture"),
    ],
)
def test_what_cannot_be_compared_is_an_abstention_with_its_reason(data: bytes, why: str) -> None:
    evidence = examine(data)
    assert (evidence.outcome, evidence.applicable) == (HeuristicOutcome.ABSTAIN, False)
    assert why in evidence.reason


def test_a_thumbnail_is_found_where_its_directory_points_elsewhere() -> None:
    assert examine(with_thumbnail(SCENE, SMALL, at=2**32 - 1)).outcome is HeuristicOutcome.INCONCLUSIVE


def test_a_small_picture_that_cannot_be_compared_is_named_beside_one_that_can() -> None:
    cut = shrunk(SCENE, width=200)
    both = thumbnail_block(SMALL) + cut[: len(cut) // 2]
    evidence = examine(jpeg_with((0xE1, both), pixels=SCENE, quality=90))
    assert evidence.outcome is HeuristicOutcome.INCONCLUSIVE
    compared, left_out = evidence.findings
    assert compared.outcome is Outcome.ESTABLISHED
    assert left_out.outcome is Outcome.NOT_EXAMINED
    assert "the preview in the maker's note does not decode" in left_out.detail


def test_a_picture_of_another_format_is_not_looked_at() -> None:
    assert "image/png" in examine(encoded(SCENE, "PNG"), "a.png").reason


def test_a_thumbnail_that_declares_a_huge_picture_is_not_decoded() -> None:
    at = SMALL.find(b"\xff\xc0") + 5
    huge = SMALL[:at] + b"\xff\xff\xff\xff" + SMALL[at + 4 :]
    assert "more than" in examine(with_thumbnail(SCENE, huge)).reason


def test_so_many_small_pictures_are_looked_at_and_no_more() -> None:
    note = b"".join(shrunk(scene(i), width=64 + i) for i in range(3, 15))
    block = thumbnail_block(SMALL) + note
    assert len(block) < 65_000
    found, _ = embedded_pictures(parse_jpeg(jpeg_with((0xE1, block), pixels=SCENE)), b"")
    assert 1 < len(found) <= MAX_EMBEDDED
