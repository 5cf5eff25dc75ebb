"""In which condition a file is: its own size and compression, whatever was done with it before."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from detector.models.condition import Condition, condition_of
from detector.models.kinds import Kind


def encoded(form: str, **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("quality", [1, 30, 50, 75, 90, 100])
def test_the_quality_is_read_from_the_luminance_table(quality: int) -> None:
    found = condition_of(encoded("JPEG", quality=quality), "image/jpeg", side=48)
    assert found == Condition(side=48, quality=quality, media_type="image/jpeg")


def test_a_table_of_nobody_s_rule_gets_the_nearest_quality() -> None:
    table = [
        min(255, v + 1 + i % 2)
        for i, v in enumerate(Image.open(io.BytesIO(encoded("JPEG", quality=80))).quantization[0])
    ]
    found = condition_of(encoded("JPEG", qtables=[table, table]), "image/jpeg", side=48)
    assert found.quality is not None
    assert 70 <= found.quality < 80, "coarser than 80"


@pytest.mark.parametrize(("form", "media_type"), [("PNG", "image/png"), ("WEBP", "image/webp")])
def test_what_is_no_jpeg_has_no_quality(form: str, media_type: str) -> None:
    assert condition_of(encoded(form), media_type, side=48).quality is None


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xdb\x00\x05\x00\x01\x02", b"no picture at all"]
)
def test_a_file_without_a_table_has_no_quality_and_no_error(data: bytes) -> None:
    assert condition_of(data, "image/jpeg", side=1).quality is None


def test_the_kinds_are_these_and_no_others() -> None:
    assert [k.value for k in Kind] == ["photo", "art", "render", "screenshot", "scan"]
