"""Maps travel as they are, stand as the preview stands, and anything else is refused when it is read."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from authn.confinement.codec import decode, dump, encode, load
from authn.core.errors import Unavailable
from authn.core.evidence import NotExamined
from authn.core.media import media_of
from authn.core.score_map import MAX_MAPS, MAX_SPOTS, MAX_TEXT_CHARS, ScoreMap, maps_text, parse_maps
from authn.examine.request import Examined
from authn.report.preview import make_preview, orientation_of
from detector.models.score_map import Spot
from tests.doubles.reports import signed_report
from tests.doubles.score_maps import reference, score_map

REASON = NotExamined(what="semantic-3", why="it looks at the picture as a whole")


def test_what_was_kept_is_read_again_as_it_was() -> None:
    kept = (score_map(), REASON)
    assert parse_maps(maps_text(kept)) == kept
    assert parse_maps(maps_text(())) == ()


def test_a_map_from_before_there_was_a_photo_beside_it_is_still_read() -> None:
    (made,) = json.loads(maps_text((score_map(),)))
    del made["parts"], made["reference"]
    assert parse_maps(json.dumps([made])) == (score_map(),)


def test_the_photo_beside_a_map_travels_with_it_and_is_never_turned() -> None:
    beside = replace(score_map(), parts=True, reference=reference())
    assert parse_maps(maps_text((beside,))) == (beside,)
    assert beside.upright(6).reference == reference()


def test_a_map_comes_out_of_the_confined_process_whole() -> None:
    maps = (score_map(), replace(score_map(), reference=reference()), REASON)
    examined = Examined(report=signed_report(), preview_jpeg=b"\xff\xd8", maps=maps)
    blobs: list[bytes] = []
    text = dump(encode(Examined, examined, blobs))
    assert decode(Examined, load(text), blobs) == examined


def entry(**changed: Any) -> str:
    (made,) = json.loads(maps_text((score_map(),)))
    return json.dumps([{**made, **changed}])


MALFORMED = {
    "no-json": "{",
    "no-list": "{}",
    "no-object": "[1]",
    "deep": "[" * 100_000,
    "too-long": json.dumps(["x" * MAX_TEXT_CHARS]),
    "too-many": json.dumps([{"detector": "a", "reason": "b"}] * (MAX_MAPS + 1)),
    "nothing-in-it": "[{}]",
    "reason-no-text": json.dumps([{"detector": "a", "reason": 1}]),
    "no-detector": entry(detector=None),
    "no-width": entry(width=0),
    "half-a-pixel": entry(width=512.5),
    "true-is-no-number": entry(smooth=True),
    "point-is-no-number": entry(point="1.5"),
    "not-finite": entry(point=float("nan")),
    "outside": entry(squares=[[500, 0, 128, 1.0]]),
    "before-the-edge": entry(squares=[[-1, 0, 128, 1.0]]),
    "too-few-numbers": entry(squares=[[0, 0, 128]]),
    "a-text-among-them": entry(squares=[[0, 0, 128, '"/><script>']]),
    "too-many-places": entry(squares=[[0, 0, 128, 1.0]] * (MAX_SPOTS + 1)),
    "neither-parts-nor-not": entry(parts=1),
    "no-reference": entry(reference="photo"),
    "a-reference-outside": entry(
        reference={"width": 1, "height": 1, "smooth": 0, "windows": [], "squares": [[0, 0, 2, 1.0]]}
    ),
    "endless-score": entry(windows=[[0, 0, 128, 1e300]]),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_anything_that_is_no_map_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        parse_maps(text)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_map_is_turned_as_the_preview_is(orientation: int) -> None:
    """A white square on black, and its place: both must end up at the same spot."""
    size, spot = (400, 240), Spot(x=240, y=40, side=80, logit=1.0)
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), (spot.x, spot.y, spot.x + spot.side, spot.y + spot.side))
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    media = media_of(out.getvalue(), "a.jpg")
    preview = Image.open(io.BytesIO(make_preview(media) or b"")).convert("L")
    found = replace(score_map(), width=size[0], height=size[1], windows=(spot,), squares=(spot,))
    turned = found.upright(orientation_of(media))
    assert (turned.width, turned.height) == preview.size
    assert turned.windows == turned.squares
    (s,) = turned.squares
    inside = preview.crop((s.x + 8, s.y + 8, s.x + s.side - 8, s.y + s.side - 8))
    assert inside.getextrema()[0] > 200
    outside = preview.copy()
    outside.paste(0, (s.x - 8, s.y - 8, s.x + s.side + 8, s.y + s.side + 8))
    assert outside.getextrema()[1] < 60


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xe0\x00\x10JFIF", b"RIFF\x00\x00\x00\x00WEBPVP8 "])
def test_a_damaged_picture_stands_as_it_is(data: bytes) -> None:
    assert orientation_of(replace(media_of(SMALL, "a.gif"), data=data, media_type="image/jpeg")) == 1


SMALL = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")


def test_turning_four_times_by_a_quarter_changes_nothing() -> None:
    found: ScoreMap = score_map()
    assert found.upright(6).upright(6).upright(6).upright(6) == found
    assert found.upright(6).upright(8) == found
