"""Where a score comes from: drawn over an answer alone, with what it does not show, never without words."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import pytest

from authn.core.evidence import HeuristicOutcome, NotExamined
from authn.core.report import report_json
from authn.core.score_map import maps_text
from authn.report import score_maps
from authn.report.html import render_report
from authn.report.language import t
from authn.report.score_maps import draw, shown_maps
from detector.models.reference import reference_photo
from detector.models.score_map import Spot
from tests.authn.report.test_html import ACTIVE, Outline
from tests.authn.report.test_visible import harmless
from tests.doubles.reports import signed_report
from tests.doubles.score_maps import learned_report, reference, score_map

JPEG = b"\xff\xd8\xff"
KEPT = maps_text((score_map(),))
SILENT = sorted(set(HeuristicOutcome) - {HeuristicOutcome.SUPPORTS})


def page_of(
    outcome: HeuristicOutcome = HeuristicOutcome.SUPPORTS,
    maps: str | None = KEPT,
    preview: bytes | None = JPEG,
) -> Outline:
    outline = Outline()
    outline.feed(render_report(report_json(learned_report(outcome)), preview, maps=maps))
    outline.close()
    assert outline.open == []
    return outline


def drawn(page: Outline) -> list[dict[str, str | None]]:
    return [a for tag, a in page.tags if tag == "figure" and "where" in (a.get("class") or "")]


def test_an_answer_that_points_to_something_is_drawn_and_called_a_guess() -> None:
    page = page_of()
    assert len(drawn(page)) == 1
    assert t("map.is_guess") in page.text
    assert page.text.count(t("map.see_below")) == 1
    assert "The score, 2.5, is the mean over the 2 framed windows (2 to 3)." in page.text
    assert "2 of 12 squares get a large disc, 3 a small one, 7 a dash; 1 more were too smooth." in page.text
    assert "Some squares of ordinary photos get discs too." in page.text


@pytest.mark.parametrize("outcome", SILENT)
def test_no_other_answer_is_drawn_and_one_line_says_why(outcome: HeuristicOutcome) -> None:
    """Also where a map was kept: the answer decides, not what happens to lie beside it."""
    page = page_of(outcome)
    assert drawn(page) == []
    assert f"No drawing of where the score comes from: {t(f'map.not.{outcome.value}')}." in page.text
    assert t("map.see_below") not in page.text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1


@pytest.mark.parametrize(
    ("maps", "preview", "why"),
    [
        (None, JPEG, "it is made while the file is at hand, and none was kept"),
        ("[]", JPEG, "it is made while the file is at hand, and none was kept"),
        ("{", JPEG, "what was kept of it cannot be read"),
        (
            maps_text((replace(score_map(), model_sha256="00" * 32),)),
            JPEG,
            "what was kept is from another model",
        ),
        (
            maps_text((replace(score_map(), detector="another"),)),
            JPEG,
            "it is made while the file is at hand, and none was kept",
        ),
        (
            maps_text((NotExamined(what="assay-small", why="too small\u202e <b>"),)),
            JPEG,
            "too small⟨U+202E⟩ <b>",
        ),
        (KEPT, None, "there is no preview of this file to draw on"),
    ],
    ids=["never-kept", "kept-empty", "unreadable", "other-model", "other-detector", "failed", "no-preview"],
)
def test_an_answer_without_a_drawing_says_why_and_the_page_stands(
    maps: str | None, preview: bytes | None, why: str
) -> None:
    page = page_of(maps=maps, preview=preview)
    assert drawn(page) == []
    assert f"No drawing of where the score comes from: {why}" in page.text
    assert harmless(page.text)
    assert "It points to a generator" in page.text


def test_sources_that_are_not_learned_have_no_line_about_places() -> None:
    report = report_json(learned_report())
    shown = shown_maps(report, KEPT, preview=True)
    kinds = [d["kind"] for d in report["heuristic"]["detectors"]]  # type: ignore[index,call-overload,union-attr]
    assert [s is not None for s in shown] == [kind == "learned" for kind in kinds]


def test_the_drawing_brings_everything_with_it_and_runs_nothing() -> None:
    page = page_of()
    assert not ACTIVE & {tag for tag, _ in page.tags}
    embedded = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    assert [a["src"] for tag, a in page.tags if tag == "img"] == [embedded, embedded]
    assert all(
        key not in {"style", "xlink:href"} and not key.startswith("on") for key, _ in page.attributes()
    )


def test_the_same_of_an_ordinary_photo_stands_beside_it_by_the_same_measure() -> None:
    page = page_of(maps=maps_text((replace(score_map(), reference=reference(strong=4)),)))
    assert f"{t('map.beside')} 4 of 18 squares get a large disc, 2 a small one, 12 a dash." in page.text
    pictures = [a["src"] or "" for tag, a in page.tags if tag == "img"]
    assert len(pictures) == 3
    assert base64.b64decode(pictures[2].partition(",")[2]) == reference_photo()
    severe = draw(replace(score_map(), point=2.75, reference=reference())).reference
    assert severe is not None
    assert severe.strong == "", "the point of the detector decides in both"


def test_a_score_that_was_taken_apart_says_so() -> None:
    (window,) = (Spot(x=0, y=0, side=384, logit=0.25),)
    drawing = draw(replace(score_map(), parts=True, windows=(window,)))
    assert drawing.score == "The score, 0.25, is the mean over all 12 squares."
    assert "if every square were like this one" in dict(drawing.legend)["strong"]
    assert "alone" not in dict(drawing.legend)["strong"]


def test_the_drawing_is_told_in_words_to_whoever_does_not_see_it() -> None:
    (label,) = [a["aria-label"] for tag, a in page_of().tags if tag == "svg" and a.get("role") == "img"
                and (a["aria-label"] or "").startswith(t("map.title"))]  # fmt: skip
    assert label is not None
    assert "2 of 12 squares get a large disc" in label
    assert "upper left" in label


def test_no_drawing_changes_the_cryptographic_column_or_the_sentence_on_top() -> None:
    document = report_json(learned_report())
    with_map, without = (render_report(document, JPEG, maps=m) for m in (KEPT, None))
    assert with_map != without
    for start, end in (("<h1>", 'id="cards-guess"'),):
        assert _between(with_map, start, end) == _between(without, start, end)


def _between(text: str, start: str, end: str) -> str:
    return text[text.index(start) : text.index(end)]


def test_every_square_gets_one_mark_by_its_own_score() -> None:
    drawing = draw(score_map(strong=2, weak=3))
    counts = [len(re.findall("M", path)) for path in (drawing.strong, drawing.weak, drawing.other)]
    assert counts == [2, 3, 7]
    assert drawing.windows.count("M") == 2
    edge = replace(score_map(), point=0.5)
    assert draw(edge).strong.count("M") == 5, "a square at the point itself counts"


@pytest.mark.parametrize(
    ("strong", "said"),
    [
        (0, "No square reaches a large disc by itself."),
        (3, "Most large discs lie at the upper left."),
        (22, "all over the picture, so no single place explains the score."),
    ],
)
def test_where_the_large_discs_lie_is_said(strong: int, said: str) -> None:
    squares = score_map(columns=6, rows=6, strong=0, weak=0).squares
    first = [i for i, s in enumerate(squares) if s.x < 256 and s.y < 256]
    chosen = set(first[:strong] if strong <= 4 else range(strong))
    found = replace(
        score_map(columns=6, rows=6, strong=0, weak=0),
        squares=tuple(replace(s, logit=9.0) if i in chosen else s for i, s in enumerate(squares)),
    )
    assert draw(found).summary.endswith(said)


def test_discs_that_lie_on_both_sides_of_a_line_are_placed_too() -> None:
    """A part of a picture keeps to no ninths; half of two of them is told as these two."""
    base = score_map(columns=8, rows=6, strong=0, weak=0)
    part = {y * 8 + x for y in (3, 4) for x in (5, 6, 7)}
    squares = tuple(replace(s, logit=9.0) if i in part else s for i, s in enumerate(base.squares))
    said = "Most large discs lie at the middle right and lower right."
    assert draw(replace(base, squares=squares)).summary.endswith(said)


def test_discs_are_round() -> None:
    """The chord of each arc is twice its radius, or it would be drawn as an egg."""
    for radius, chord in re.findall(r"a(\S+) \S+ 0 1 0 (\S+) 0a", draw(score_map()).strong):
        assert float(chord) == pytest.approx(2 * float(radius))


@pytest.mark.parametrize("lone", [{0, 5, 14, 30, 35}, set(range(0, 36, 2))], ids=["few", "every-other"])
def test_discs_that_lie_apart_are_called_scattered(lone: set[int]) -> None:
    base = score_map(columns=6, rows=6, strong=0, weak=0)
    squares = tuple(replace(s, logit=9.0) if i in lone else s for i, s in enumerate(base.squares))
    assert draw(replace(base, squares=squares)).summary.endswith("The large discs are scattered.")


def test_a_picture_of_smooth_squares_alone_is_drawn_without_marks() -> None:
    drawing = draw(replace(score_map(), squares=(), smooth=12))
    assert (drawing.strong, drawing.weak, drawing.other) == ("", "", "")
    assert "0 of 0 squares" in drawing.summary


def test_the_rates_of_ordinary_photos_are_those_of_the_model_that_ran(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(score_maps.ORDINARY, score_map().model_sha256, (2, 11))
    assert "about 2 get a large disc too and 11 a small one" in draw(score_map()).ordinary
    other = replace(score_map(), model_sha256="00" * 32)
    assert not re.search(r"\d", draw(other).ordinary)


def test_a_large_map_stays_small_in_bytes() -> None:
    large = score_map(columns=16, rows=9, strong=60, weak=60)
    kept = maps_text((large,))
    assert len(kept) < 6_000
    document = report_json(learned_report())
    marks = len(render_report(document, JPEG, maps=kept)) - len(render_report(document, JPEG, maps=None))
    assert marks < 16_000


def test_a_report_without_a_learned_answer_says_nothing_new() -> None:
    bare = replace(signed_report(), heuristic=())
    assert "No drawing of where" not in render_report(json.loads(json.dumps(report_json(bare))), JPEG)
