"""What any source draws is shown with the same of an ordinary photo, called what it is, and told in words."""

from __future__ import annotations

from authn.core.overlay import Layer
from authn.core.report import report_json
from authn.core.score_map import maps_text
from authn.report.html import render_report
from authn.report.language import LANGUAGES, t
from authn.report.overlays import figures_of
from tests.authn.report.test_html import ACTIVE, Outline
from tests.authn.report.test_visible import harmless
from tests.doubles.overlays import field, overlay
from tests.doubles.score_maps import learned_report

JPEG = b"\xff\xd8\xff"
VIEW = Layer(width=8, height=4, jpeg=b"\xff\xd8\xff\xd9")


def _page(maps: str, preview: bytes | None = JPEG, language: str = "en") -> Outline:
    outline = Outline()
    outline.feed(render_report(report_json(learned_report()), preview, maps=maps, language=language))
    outline.close()
    assert outline.open == []
    return outline


def test_a_field_is_drawn_in_steps_with_frames_and_what_was_not_measured() -> None:
    (figure,) = figures_of(maps_text((overlay(),))).evidence
    drawn = figure.own
    assert drawn.steps == (
        "M0 0h2v1h-2z",
        "M2 0h2v1h-2zM3 2h1v1h-1z",
        "M0 1h1v1h-1zM3 1h1v1h-1z",
        "M0 2h3v1h-3z",
        "M1 1h1v1h-1z",
    )
    assert drawn.frames == "M1 1h1M1 2h1M1 1v1M2 1v1"
    assert drawn.unmeasured == "M2 2L3 1"
    assert drawn.lines == "M0.00 0.00L3.99 2.99"


def test_drawings_of_a_source_stand_with_its_answer_and_beside_an_ordinary_photo() -> None:
    page = _page(maps_text((overlay(reference=field()), overlay())))
    assert page.text.count("Noise level: ") == 2
    assert "One place of 12 is far above the others." in page.text
    assert "Even skies lie low" in page.text
    assert t("map.is_guess") in page.text
    assert t("views.title") not in page.text
    links = [a.get("href") for tag, a in page.tags if tag == "a"]
    assert {"#drawing-0", "#drawing-1"} <= set(links)


def test_a_view_stands_apart_and_is_called_no_evidence() -> None:
    page = _page(maps_text((overlay(view=True, own=VIEW, reference=VIEW),)))
    assert t("views.title") in page.text
    assert t("view.is") in page.text
    assert t("map.is_guess") not in page.text
    assert len([a for tag, a in page.tags if tag == "img" and a.get("class") == "over"]) == 2


def test_without_a_preview_nothing_is_drawn() -> None:
    page = _page(maps_text((overlay(),)), preview=None)
    assert "Noise level" not in page.text


def test_texts_of_a_worker_are_inert_and_marked_as_english_elsewhere() -> None:
    strange = overlay(reference=field())
    for code in LANGUAGES:
        page = _page(maps_text((strange,)), language=code)
        assert harmless(page.text)
        assert not ACTIVE & {tag for tag, _ in page.tags}
    marked = render_report(report_json(learned_report()), JPEG, maps=maps_text((strange,)), language="de")
    assert '<span lang="en">Noise level</span>' in marked
    assert 'aria-label="Noise level' not in marked
