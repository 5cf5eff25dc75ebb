"""Views as they leave the held process: beside an ordinary photo, labelled, or with the reason why not."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from authn.core.errors import ExaminationFailed
from authn.core.media import MediaLimits, media_of
from authn.core.views import NAMES, DrawnView, ViewsAsked
from authn.examine.pool import _refuse_other_views
from authn.examine.views import draw_views
from authn.report.language import words
from tests.doubles.photos import photo

pytest.importorskip("cv2", reason="the extra detect is not installed")


def image_of(drawn: DrawnView) -> Image.Image:
    assert drawn.picture is not None, drawn.why
    return Image.open(io.BytesIO(drawn.picture))


def test_every_view_stands_beside_that_of_the_ordinary_photo() -> None:
    drawn = draw_views(
        media_of(photo(width=400, height=300), "a.jpg"), ViewsAsked(names=NAMES, language="en")
    )
    assert tuple(d.name for d in drawn) == NAMES
    for d in drawn:
        image = image_of(d)
        assert image.format == "PNG"
        assert image.width > 400 + 300


def test_a_turned_photo_is_shown_upright_and_its_view_is_that_of_the_pixels_as_stored() -> None:
    image = Image.open(io.BytesIO(photo(width=400, height=300)))
    exif = Image.Exif()
    exif[0x112] = 6
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    asked = ViewsAsked(names=("noise",), language="en")
    (lying,) = draw_views(media_of(out.getvalue(), "a.jpg"), asked)
    (plain,) = draw_views(media_of(photo(width=400, height=300), "a.jpg"), asked)
    upright, stored = (np.asarray(image_of(d)) for d in (lying, plain))
    assert upright.shape[0] > stored.shape[0] - 80
    assert np.asarray(upright)[30:430, 12:312].shape == (400, 300, 3)


@pytest.mark.parametrize("width", [320, 3000])
def test_what_is_written_in_a_view_for_a_page_can_be_read_where_the_page_is_narrowest(width: int) -> None:
    """A page shows a view 640 pixels wide at least; letters of 12 pixels have capitals of 8."""
    asked = ViewsAsked(names=("ela",), language="de", small=True)
    (drawn,) = draw_views(media_of(photo(width=width, height=240), "a.jpg"), asked)
    image = image_of(drawn)
    assert image.format == "JPEG"
    assert image.width <= 1400
    below = np.asarray(image.convert("L"))[-20 * image.width // 640 :]
    inked = (below < 128).any(axis=1)
    assert inked.any()
    assert not below[:, -4:].min() < 128, "a line is cut"
    rows = np.flatnonzero(inked)
    assert (rows[-1] - rows[0] + 1) * 640 / image.width >= 8


def test_what_cannot_be_decoded_says_why_for_every_view() -> None:
    cmyk = io.BytesIO()
    Image.new("CMYK", (64, 64)).save(cmyk, "JPEG")
    asked = ViewsAsked(names=("ela", "noise"), language="en")
    for data, name, why in (
        (cmyk.getvalue(), "a.jpg", "CMYK"),
        (photo("TIFF"), "a.tif", "not decoded here"),
        (photo("JPEG")[:900], "a.jpg", "ends before"),
    ):
        drawn = draw_views(media_of(data, name), asked)
        assert [d.picture for d in drawn] == [None, None]
        assert all(why in d.why for d in drawn)
    closed = media_of(photo(width=400, height=300), "a.jpg", MediaLimits(max_pixels=1000))
    assert "the limit is 1000" in draw_views(closed, asked)[0].why


def test_the_words_in_the_picture_can_be_written_with_the_font_that_is_there() -> None:
    for code in ("en", "de"):
        drawn = [v for k, v in words(code).items() if k.startswith("view.drawn.") or k.endswith(".scale")]
        assert all(text.isascii() for text in drawn)
    assert "not evidence" in words("en")["view.drawn.label"]
    assert "kein Beleg" in words("de")["view.drawn.label"]


def test_an_answer_that_is_no_such_view_is_not_believed() -> None:
    asked = ViewsAsked(names=("ela",), language="en")
    good = DrawnView(name="ela", picture=photo("PNG"))
    _refuse_other_views((good,), asked)
    _refuse_other_views((), None)
    for drawn in ((), (good, good), (replace(good, name="noise"),), (replace(good, picture=photo()),)):
        with pytest.raises(ExaminationFailed):
            _refuse_other_views(drawn, asked)
    with pytest.raises(ExaminationFailed):
        _refuse_other_views((good,), None)
