"""The preview shows the picture upright and small, carries nothing along, and never fails."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image, PngImagePlugin

from authn.core.media import media_of
from authn.report.preview import make_preview

ORIENTATION = 0x0112


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def two_tone(size: tuple[int, int] = (800, 400)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, (220, 20, 20))
    image.paste((20, 20, 220), (size[0] // 2, 0, size[0], size[1]))
    return image


def shown(data: bytes, name: str = "photo") -> Image.Image:
    made = make_preview(media_of(data, name))
    assert made is not None
    return Image.open(io.BytesIO(made))


def test_a_preview_is_a_small_jpeg_of_the_same_picture() -> None:
    image = shown(encoded(two_tone((3000, 1500)), "JPEG"))
    assert image.format == "JPEG"
    assert image.size == (640, 320)
    assert image.getpixel((40, 160))[0] > 150
    assert image.getpixel((600, 160))[2] > 150


@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [
        (1, (640, 320), (40, 160)),
        (2, (640, 320), (600, 160)),
        (3, (640, 320), (600, 160)),
        (6, (320, 640), (160, 40)),
        (8, (320, 640), (160, 600)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_the_orientation_in_the_metadata_is_applied(
    kind: str, orientation: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = shown(encoded(two_tone(), kind, exif=exif))
    assert image.size == size
    assert image.getpixel(red_at)[0] > 150


def test_no_metadata_comes_along() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret maker"
    data = encoded(two_tone(), "JPEG", exif=exif, comment=b"secret comment", icc_profile=b"\0" * 200)
    made = make_preview(media_of(data, "photo.jpg"))
    assert made is not None
    assert b"Secret" not in made
    assert b"secret" not in made
    assert not Image.open(io.BytesIO(made)).getexif()
    assert "icc_profile" not in Image.open(io.BytesIO(made)).info


def test_text_chunks_of_a_png_do_not_come_along() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a secret prompt")
    made = make_preview(media_of(encoded(two_tone(), "PNG", pnginfo=text), "x.png"))
    assert made is not None
    assert b"prompt" not in made


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "PNG"),
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("P", "GIF"),
        ("1", "PNG"),
        ("CMYK", "JPEG"),
        ("RGB", "WEBP"),
    ],
)
def test_every_usual_pixel_mode_has_a_preview(mode: str, kind: str) -> None:
    assert shown(encoded(two_tone().convert(mode), kind)).mode == "RGB"


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = Image.new("I;16", (50, 50), 0x4000)
    assert abs(shown(encoded(grey, "PNG")).getpixel((25, 25))[0] - 0x40) <= 2


def test_transparent_pixels_show_a_neutral_grey() -> None:
    assert shown(encoded(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG")).getpixel((25, 25)) == (
        128,
        128,
        128,
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_a_truncated_picture_has_no_preview(kind: str) -> None:
    data = encoded(Image.effect_noise((300, 300), 80).convert("RGB"), kind)
    whole = media_of(data, "cut")
    assert make_preview(whole) is not None
    assert make_preview(replace(whole, data=data[: len(data) * 2 // 3])) is None


def test_media_that_are_no_pictures_have_no_preview() -> None:
    wav = b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 40
    assert make_preview(media_of(wav, "sound.wav")) is None
    assert make_preview(media_of(b"%PDF-1.7\n", "paper.pdf")) is None


def test_a_picture_over_the_pixel_limit_is_not_decoded() -> None:
    png = media_of(encoded(two_tone(), "PNG"), "big.png")
    assert make_preview(png, max_pixels=800 * 400) is not None
    assert make_preview(png, max_pixels=800 * 400 - 1) is None


def test_a_jpeg_may_be_larger_because_it_is_decoded_at_a_fraction() -> None:
    jpeg = media_of(encoded(two_tone(), "JPEG"), "big.jpg")
    assert make_preview(jpeg, max_pixels=200 * 400) is not None
    assert make_preview(jpeg, max_pixels=200 * 400 - 1) is None
