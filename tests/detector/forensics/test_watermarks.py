"""The reading of public invisible marks, against what the library that writes them reads of the same."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.core.errors import NotApplicable
from detector.forensics.watermarks import (
    ALPHA,
    PAYLOADS,
    READINGS,
    Carrier,
    Reading,
    beyond_chance,
    block_bits,
    low_band,
    majority,
    matches,
    needed,
)
from detector.pixels.decode import Pixels, decode
from tests.conftest import ROOT
from tests.detector.made import encoded, photo_like

VECTORS = ROOT / "tests" / "vectors" / "watermarks"
EXPECTED = json.loads((VECTORS / "expected.json").read_text(encoding="utf-8"))["pictures"]


def picture(name: str) -> Pixels:
    return decode((VECTORS / name).read_bytes(), "image/png")


@pytest.mark.parametrize("row", EXPECTED, ids=lambda r: Path(r["file"]).stem)
def test_every_bit_is_read_as_the_library_reads_it(row: dict) -> None:
    pixels = picture(row["file"])
    for read in row["reads"]:
        votes = block_bits(low_band(pixels, Reading(read["read_as"])), Carrier(read["carrier"]))
        ours = majority(votes, len(read["bits"]))
        assert "".join(str(int(b)) for b in ours) == read["bits"], (read["carrier"], read["read_as"])


@pytest.mark.parametrize("row", EXPECTED, ids=lambda r: Path(r["file"]).stem)
def test_the_payload_that_was_put_in_is_named_and_no_other(row: dict) -> None:
    best = matches(picture(row["file"]))[0]
    assert (best.payload.name if best.found else None) == row["payload"]


def test_a_mark_that_was_put_in_as_floats_is_read_better_as_floats() -> None:
    found = {m.reading: m.agreeing for m in matches(picture("floats.png")) if m.payload.name == "SDXL"}
    assert found[Reading.FLOATS] == 48 > found[Reading.BYTES]


def test_a_mark_does_not_survive_half_its_size_and_one_by_the_singular_value_survives_jpeg() -> None:
    small = cv2.resize(np.tile(picture("bytes.png"), (2, 2, 1)), None, fx=0.5, fy=0.5)
    assert not matches(small)[0].found
    saved = decode(encoded(picture("svd.png"), "JPEG", quality=90), "image/jpeg")
    assert matches(saved)[0].found


def test_fair_coins_reach_a_payload_in_fewer_pictures_than_promised() -> None:
    rng = np.random.default_rng(0)
    tests = len(READINGS) * len(PAYLOADS)
    for payload in PAYLOADS:
        length = len(payload.bits)
        coins = rng.integers(0, 2, (20_000, length))
        reached = (coins == np.array(payload.bits)).sum(axis=1) >= beyond_chance(length)
        assert reached.mean() <= max(10 * ALPHA / tests, 1e-5)
        assert beyond_chance(length) <= needed(payload) <= length


def test_somebody_elses_mark_that_is_a_text_too_is_none_of_those_that_are_known() -> None:
    """Texts share the upper bits of their letters: by chance alone one in four was taken for a known one."""
    rng = np.random.default_rng(0)
    for payload in (p for p in PAYLOADS if p.is_text):
        length = len(payload.bits)
        letters = rng.integers(97, 123, (5000, length // 8), dtype=np.uint8)
        letters[:, 0] -= 32
        agreeing = (np.unpackbits(letters, axis=1) == np.array(payload.bits)).sum(axis=1)
        assert agreeing.mean() > 0.55 * length
        assert not (agreeing >= needed(payload)).any()


def test_pictures_that_hold_no_mark_have_none() -> None:
    for seed in range(5):
        assert not matches(photo_like(300, 400, seed))[0].found


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (np.zeros((255, 256, 3), np.uint8), "fewer than 256 x 256"),
        (np.zeros((1, 100_000, 3), np.uint8), "fewer than 256 x 256"),
        (np.full((300, 300, 3), 255, np.uint8), "no colour"),
        (np.repeat(photo_like(300, 300)[:, :, :1], 3, axis=2), "no colour"),
    ],
    ids=["small", "one line", "white", "grey"],
)
def test_what_can_hold_no_mark_is_not_asked(pixels: Pixels, why: str) -> None:
    with pytest.raises(NotApplicable, match=why):
        matches(pixels)


def test_odd_shapes_and_full_saturation_give_an_answer_and_no_number_that_is_none() -> None:
    rng = np.random.default_rng(1)
    for shape in ((9, 30_000), (30_000, 9), (257, 263)):
        loud = rng.integers(0, 2, (*shape, 3), dtype=np.uint8) * 255
        assert all(np.isfinite(m.log10_by_chance) for m in matches(loud))
