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
from authn.report.language import speaking
from authn.report.preview import make_preview
from tests.doubles.photos import photo
from tests.doubles.reports import altered_report
from tests.programs import printed

pytest.importorskip("cv2", reason="the extra detect is not installed")
PLAIN = photo(width=800, height=600)


def edited(*, patch: tuple[int, int, int, int] | None = None, side: tuple[int, int] | None = None) -> bytes:
    image = Image.open(io.BytesIO(PLAIN)).convert("RGB")
    if patch:
        image.paste((255, 0, 255), patch)
    out = io.BytesIO()
    (image.resize(side) if side else image).save(out, "PNG")
    return out.getvalue()


def scaled_part(box: tuple[int, int, int, int], side: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(PLAIN)).crop(box).resize(side).save(out, "JPEG", quality=80)
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


def test_a_scaled_copy_is_compared_at_the_size_of_the_smaller_and_an_edit_in_it_is_found() -> None:
    for one, other in (((400, 300), (800, 600)), ((1600, 1200), (800, 600)), ((533, 400), (800, 600))):
        same = compared(edited(side=one), edited(side=other))
        assert isinstance(same, ScoreMap)
        assert same.reduced
        assert (same.width, same.height) == min(one, other)
        assert not [s for s in same.squares if s.logit > same.point]
    changed = compared(edited(patch=(300, 200, 360, 260), side=(400, 300)), edited())
    assert isinstance(changed, ScoreMap)
    clear = [s for s in changed.squares if s.logit > changed.point]
    assert clear
    assert all(140 - s.side <= s.x <= 190 and 90 - s.side <= s.y <= 140 for s in clear)
    shown = differences_of(maps_text((changed,)))
    assert shown is not None
    assert "reduced to 400 × 300 pixels" in shown.text
    assert parse_maps(maps_text((changed,))) == (changed,)


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 500, 400),
        (123, 77, 640, 590),
        (300, 200, 800, 600),
        (40, 30, 440, 330),
        pytest.param((8, 6, 792, 594), id="a margin in proportion: it looks like a scaled copy too"),
    ],
)
def test_a_crop_is_laid_over_the_place_that_it_comes_from(box: tuple[int, int, int, int]) -> None:
    image = Image.open(io.BytesIO(edited())).crop(box)
    image.paste((255, 0, 255), (20, 30, 40, 50))
    out = io.BytesIO()
    image.save(out, "PNG")
    found = compared(out.getvalue(), edited())
    assert isinstance(found, ScoreMap)
    assert found.place == box[:2]
    assert found.smooth == 400, "the patch and nothing else"
    shown = differences_of(maps_text((found,)))
    assert shown is not None
    assert f"from pixel {box[0]}, {box[1]} on" in shown.text
    assert parse_maps(maps_text((found,))) == (found,)


def test_what_is_neither_a_scaled_copy_nor_a_crop_is_not_compared_and_the_reason_is_told() -> None:
    for other, why in (
        (photo(seed=9, width=400, height=300), "no place of the original at full size looks like it"),
        (
            photo(seed=9, width=900, height=300),
            "800 × 600 pixels, and one is not the other scaled",
        ),
        (edited(side=(300, 300)), "no place of the original"),
        (scaled_part((8, 6, 792, 594), (400, 300)), "and one looks like a part of the other scaled"),
        (scaled_part((100, 75, 700, 525), (1200, 900)), "and one looks like a part of the other scaled"),
        (photo(seed=9, width=20, height=15), "and as a crop it is too small to be looked for"),
    ):
        found = compared(other)
        assert isinstance(found, NotExamined)
        shown = differences_of(maps_text((found,)))
        assert shown is not None
        assert shown.text.startswith("Not compared: the two pictures have different sizes: ")
        assert why in shown.text
        with speaking("de"):
            told = differences_of(maps_text((found,)))
            assert told is not None
            assert told.text.startswith("Nicht verglichen: die beiden Bilder sind verschieden groß: ")


def test_a_crop_that_is_small_beside_its_original_is_not_said_to_be_none() -> None:
    original = photo(width=4000, height=300)
    image, out = Image.open(io.BytesIO(original)), io.BytesIO()
    image.crop((100, 50, 180, 130)).save(out, "PNG")
    found = compared(out.getvalue(), original)
    assert isinstance(found, NotExamined)
    assert found.why.endswith("too small to be looked for")


def test_where_memory_is_short_the_comparison_is_lacking_and_not_the_report() -> None:
    """OpenCV raises an error of its own there, which is no ``MemoryError``."""
    program = (
        "import resource, numpy as np\n"
        "from authn.examine.laid_over import laid_over\n"
        "from detector.core.errors import DetectorError\n"
        "noise = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)\n"
        "large = np.kron(noise, np.ones((40, 40, 1), np.uint8))\n"
        "small = np.ascontiguousarray(large[::2, ::2])\n"
        "laid_over(noise[:64, :64].copy(), noise)\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, used + 2**20))\n"
        "try:\n    laid_over(small, large)\n"
        "except DetectorError as e:\n    print(e.detail)\n"
    )
    assert "could not be compared" in printed(program)


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
    offer = page[page.index('<p class="soft offer">') :].partition("</p>")[0] + "</p>"
    page = page.replace(offer, "")
    start, end = page.index("<h1>"), page.index('<div class="about">')
    assert page[start:end] == bare[bare.index("<h1>") : bare.index('<div class="about">')]
