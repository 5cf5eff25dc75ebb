"""Where a picture differs from an original that was named: which squares, how much, or why it is not said."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from authn.core.evidence import NotExamined
from authn.core.media import media_of
from authn.core.report import report_json
from authn.core.score_map import MAX_SPOTS, ScoreMap, maps_text, parse_maps
from authn.examine.difference import difference
from authn.report.differences import differences_of
from authn.report.html import render_report
from authn.report.preview import make_preview
from tests.doubles.photos import photo
from tests.doubles.reports import altered_report

pytest.importorskip("cv2", reason="the extra detect is not installed")
PLAIN = photo(width=800, height=600)


def edited(*, patch: tuple[int, int, int, int] | None = None, side: tuple[int, int] | None = None) -> bytes:
    image = Image.open(io.BytesIO(PLAIN)).convert("RGB")
    if patch:
        image.paste((255, 0, 255), patch)
    out = io.BytesIO()
    (image.resize(side) if side else image).save(out, "PNG")
    return out.getvalue()


def compared(one: bytes, other: bytes = PLAIN) -> ScoreMap | NotExamined:
    return difference(media_of(one, "one"), media_of(other, "other"))


def test_a_patch_is_found_where_it_lies_and_nowhere_else() -> None:
    found = compared(edited(patch=(300, 200, 340, 240)), edited())
    assert isinstance(found, ScoreMap)
    assert found.squares
    assert len(found.squares) <= MAX_SPOTS
    for s in found.squares:
        assert s.x < 340
        assert s.x + s.side > 300
        assert s.y < 240
        assert s.y + s.side > 200
    assert found.smooth <= 1600
    assert max(s.logit for s in found.squares) > found.point


def test_the_same_picture_in_another_container_does_not_differ() -> None:
    found = compared(edited(), edited())
    assert isinstance(found, ScoreMap)
    assert found.squares == ()
    shown = differences_of(maps_text((found,)))
    assert shown is not None
    assert shown.text.startswith("Not one pixel differs")


def test_pictures_of_two_sizes_are_not_compared_and_the_reason_is_told() -> None:
    found = compared(edited(side=(400, 300)))
    assert isinstance(found, NotExamined)
    shown = differences_of(maps_text((found,)))
    assert shown is not None
    assert (
        shown.text == "Not compared: the two pictures have different sizes: 400 × 300 and 800 × 600 pixels."
    )


def test_a_file_that_no_decoder_reads_is_not_compared() -> None:
    assert isinstance(difference(media_of(PLAIN, "a"), media_of(b"%PDF-1.4 nothing", "b")), NotExamined)


def test_what_differs_is_drawn_and_told_and_changes_no_word_of_the_evidence() -> None:
    found = compared(edited(patch=(300, 200, 340, 240)), edited())
    kept = maps_text((found,))
    assert parse_maps(kept) == (found,)
    document, preview = report_json(altered_report()), make_preview(media_of(PLAIN, "photo.jpg"))
    page, bare = (render_report(document, preview, maps=m) for m in (kept, None))
    assert "Where it differs from the original" in page
    assert 'class="differs" d="M' in page
    assert "Where it differs" not in bare
    start, end = page.index("<h1>"), page.index('<div class="about">')
    assert page[start:end] == bare[bare.index("<h1>") : bare.index('<div class="about">')]
