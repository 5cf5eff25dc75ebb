"""Each variant is what its name says and nothing more."""

from __future__ import annotations

import io
from importlib.resources import files

import pytest
from PIL import Image, ImageChops

from authn.core.errors import UnreadableMedia
from authn.demo import variants as made

PHOTO = files("matplotlib").joinpath("mpl-data", "sample_data", "grace_hopper.jpg").read_bytes()


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def same(one: bytes, two: bytes) -> bool:
    return ImageChops.difference(pixels(one), pixels(two)).getbbox() is None


def encoded(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    pixels(PHOTO).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "jpeg",
    [PHOTO, encoded("JPEG", progressive=True), encoded("JPEG", restart_marker_blocks=8)],
    ids=["baseline", "progressive", "restart markers"],
)
def test_the_changed_photo_differs_in_one_bit_of_the_file_and_a_few_of_its_pixels(jpeg: bytes) -> None:
    changed, count = made.change_one_bit(jpeg)
    assert len(changed) == len(jpeg)
    differing = [(a, b) for a, b in zip(jpeg, changed, strict=True) if a != b]
    assert len(differing) == 1
    assert (differing[0][0] ^ differing[0][1]).bit_count() == 1
    assert not same(jpeg, changed)
    assert 0 < count <= 512 * 600


def test_the_stripped_photo_has_the_same_pixels_and_no_metadata() -> None:
    marked = made.mark_jpeg(PHOTO)
    assert b"trainedAlgorithmicMedia" in marked
    stripped = made.strip_metadata(marked)
    assert same(stripped, PHOTO)
    assert b"trainedAlgorithmicMedia" not in stripped
    assert not Image.open(io.BytesIO(stripped)).getexif()
    assert b"http://ns.adobe.com" not in stripped


def test_a_marked_photo_still_has_the_same_pixels() -> None:
    assert same(made.mark_jpeg(PHOTO), PHOTO)
    assert made.mark_jpeg(made.mark_jpeg(PHOTO)) == made.mark_jpeg(PHOTO)
    png = made.mark_as_generated(PHOTO)
    assert same(png, PHOTO)
    found = Image.open(io.BytesIO(png))
    assert "Steps: 30" in found.text["parameters"]  # type: ignore[attr-defined]
    assert "trainedAlgorithmicMedia" in found.text["XML:com.adobe.xmp"]  # type: ignore[attr-defined]


def test_the_cropped_photo_is_smaller() -> None:
    width, height = pixels(PHOTO).size
    cropped = pixels(made.crop(PHOTO)).size
    assert cropped[0] < width
    assert cropped[1] < height


def test_other_formats_become_jpeg_and_a_jpeg_stays_as_it_is() -> None:
    assert made.as_jpeg(PHOTO) is PHOTO
    assert made.as_jpeg(encoded("PNG")).startswith(b"\xff\xd8")
    with pytest.raises(UnreadableMedia):
        made.as_jpeg(b"no picture")


@pytest.mark.parametrize("damaged", [b"\xff\xd8", PHOTO[:100], b"\xff\xd8\xff\xe0\x00\x04ab\xff"])
def test_a_damaged_jpeg_is_an_error(damaged: bytes) -> None:
    with pytest.raises(UnreadableMedia):
        made.variants(damaged, damaged)
