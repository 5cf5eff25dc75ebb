"""What a page shows beside a report: made from the media by the real network, and no part of the report."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, NotExamined
from authn.core.media import Media, media_of
from authn.core.overlay import Overlay
from authn.core.report import report_json
from authn.core.score_map import ScoreMap, maps_text
from authn.examine.examiner import Examiner
from authn.examine.illustrate import illustrate
from authn.report.html import render_report
from authn.report.language import t
from authn.sources.learned import LearnedSource
from detector.core.errors import NotApplicable
from detector.models.inference import Detector, open_detector
from tests.detector.made import encoded, photo_like
from tests.detector.models.test_models import certain
from tests.doubles.overlays import overlay
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for


class Certain(LearnedSource):
    """The shipped detector with an operating point that every picture passes."""

    def _open(self) -> Detector:
        made: Detector = certain(open_detector())
        return made


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return examiner_for(TestPki(), sources=(Certain(),))


def photo(height: int = 300, width: int = 600, orientation: int = 1) -> Media:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return media_of(encoded(photo_like(height, width), quality=92, exif=exif), "photo.jpg")


def test_an_answer_of_the_real_network_is_drawn_upright(examiner: Examiner) -> None:
    media = photo(orientation=6)
    report = examiner.examine(media)
    assert report.heuristic[0].outcome is HeuristicOutcome.SUPPORTS
    shown = illustrate(examiner, media, report)
    (found,) = shown.maps
    assert isinstance(found, ScoreMap)
    size = Image.open(io.BytesIO(shown.preview_jpeg or b"")).size
    assert (found.width, found.height) == size == (300, 600)
    text = render_report(report_json(report), shown.preview_jpeg, maps=maps_text(shown.maps))
    assert t("map.is_guess") in text
    assert f"{len(found.squares)} of {len(found.squares)} squares get a large disc" in text


def test_the_report_is_the_same_with_and_without_a_drawing(examiner: Examiner) -> None:
    media = photo()
    before = examiner.examine(media)
    told = json.dumps(report_json(before))
    illustrate(examiner, media, before)
    assert json.dumps(report_json(before)) == told
    again = examiner.examine(media, as_of=before.evaluated_as_of)
    assert report_json(replace(again, run=before.run)) == report_json(before)


def test_the_same_file_gives_the_same_drawing(examiner: Examiner) -> None:
    media = photo()
    report = examiner.examine(media)
    assert illustrate(examiner, media, report) == illustrate(examiner, media, report)


def test_a_picture_too_small_to_say_where_is_told_in_a_line(examiner: Examiner) -> None:
    media = photo(200, 200)
    report = examiner.examine(media)
    shown = illustrate(examiner, media, report)
    text = render_report(report_json(report), shown.preview_jpeg, maps=maps_text(shown.maps))
    assert t("map.is_guess") not in text
    assert "200 x 200 pixels have room for fewer than 4 squares of 128, too few to say where." in text


def test_a_picture_that_gets_no_score_gets_no_drawing(examiner: Examiner) -> None:
    media = media_of(encoded(photo_like(300, 300), "GIF"), "photo.gif")
    report = examiner.examine(media)
    shown = illustrate(examiner, media, report)
    assert shown.preview_jpeg is not None
    assert shown.maps == ()
    text = render_report(report_json(report), shown.preview_jpeg, maps=maps_text(shown.maps))
    assert "No drawing of where the score comes from: there is no score." in text


def test_without_a_preview_nothing_is_asked_for(examiner: Examiner) -> None:
    report = examiner.examine(photo())
    broken = replace(photo(), data=b"\xff\xd8\xff")
    shown = illustrate(examiner, broken, report)
    assert (shown.preview_jpeg, shown.maps) == (None, ())


class Drawing:
    """A source that draws, or fails to."""

    reads_pixels = True

    def __init__(self, name: str, drawn: tuple[Overlay, ...] | None) -> None:
        self.name = name
        self._drawn = drawn

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        return ()

    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        assert found == ()
        if self._drawn is None:
            raise NotApplicable("nothing here can be compared")
        return self._drawn


def test_what_any_source_draws_is_turned_and_a_failure_costs_the_others_nothing() -> None:
    sources = (Drawing("broken", None), Drawing("whole", (overlay(), overlay(view=True))))
    drawing = examiner_for(TestPki(), sources=sources)
    media = photo(orientation=6)
    broken, *drawn = illustrate(drawing, media, drawing.examine(media)).maps
    assert broken == NotExamined(what="broken", why="nothing here can be compared")
    assert [m.own.columns for m in drawn if isinstance(m, Overlay)] == [3, 3]
