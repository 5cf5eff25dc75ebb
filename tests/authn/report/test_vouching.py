"""What vouches for an answer, and one answer for one question: on paper, on the page, in an audit."""

from __future__ import annotations

import copy
import json

import jsonschema
import pytest

from authn.audit.summary import gather
from authn.core.report import report_json
from authn.report.cards import guess_cards, place
from authn.report.drawings import stability_strip
from authn.report.headline import heuristic_sentence
from authn.report.html import render_report
from authn.report.likelihood import band_sentence
from authn.report.text import render_text
from authn.report.vouching import guarantee_sentence, read_as
from detector.models.score import Answer
from tests.conftest import ROOT
from tests.doubles.reports import joint_report, signed_report

VOUCHED = (
    "At most 2 in 100 photos that no generator made get this answer, 95 % sure, n = 1,411 of 56 sources."
)


def test_an_answer_says_what_vouches_for_it_in_text_and_on_the_page() -> None:
    said = " ".join(render_text(joint_report()).split())
    assert VOUCHED in said
    assert "Read as: photo, shorter side 1024 pixels, JPEG quality about 87, as stored." in said
    page = render_report(report_json(joint_report()))
    assert VOUCHED in page


@pytest.mark.parametrize("answer", list(Answer))
def test_what_vouches_for_an_answer_is_part_of_the_schema(answer: Answer) -> None:
    schema = json.loads((ROOT / "docs" / "formats" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(report_json(joint_report(answer)), schema)


def test_against_says_how_much_rarer_it_is_on_generated_pictures() -> None:
    said = guarantee_sentence(report_json(joint_report(Answer.AGAINST))["heuristic"]["detectors"][3])  # type: ignore[index,call-overload]
    assert said == (
        "Generated pictures of this kind and size get this answer at most a third as often as photos that no "
        "generator made, 95 % sure, n = 1,411 of 56 sources and 812 generated."
    )


@pytest.mark.parametrize("answer", [Answer.INCONCLUSIVE, Answer.ABSTAIN])
def test_without_an_answer_nothing_vouches(answer: Answer) -> None:
    text = render_text(joint_report(answer))
    assert "At most" not in text
    assert ("No answer that anything vouches for" in text) is (answer is Answer.ABSTAIN)


@pytest.mark.parametrize(
    ("bound", "shown"), [(0.02, "2"), (0.0153, "1.6"), (0.1, "10"), (0.0201, "2.1"), (0.05, "5")]
)
def test_a_bound_is_rounded_upwards(bound: float, shown: str) -> None:
    d = {
        "guarantee": {
            "answer": "supports",
            "kind": None,
            "bound": bound,
            "sure": 0.95,
            "pictures": 9,
            "sources": 1,
        }
    }
    said = guarantee_sentence(d)
    assert said is not None
    assert said.startswith(f"At most {shown} in 100 pictures of any kind that was measured")
    assert said.endswith("n = 9 of 1 source.")


def test_what_is_joined_counts_once() -> None:
    report = report_json(joint_report())
    detectors = report["heuristic"]["detectors"]  # type: ignore[index,call-overload]
    said = heuristic_sentence(detectors)  # type: ignore[arg-type]
    assert said.startswith(
        "Hints, which prove nothing: assay-joint points to “made by a generator” (at most 2 in 100 photos"
    )
    assert "undecided" not in said
    counted = dict(gather([report]).counts.tally().detectors)
    assert "assay-joint (synthetic)" in counted
    assert not [name for name in counted if "small" in name or "large" in name]
    (row,) = gather([report]).files
    assert "assay-joint: It points to a generator. At most 2 in 100" in row.guess
    assert "assay-small" not in row.guess
    assert row.warned


def test_parts_are_shown_as_parts_and_without_an_answer_of_their_own() -> None:
    cards = {c.title: c for c in guess_cards(report_json(joint_report()))}
    for name in ("assay-small", "assay-large"):
        assert cards[name].badge == "Part of an answer"
        assert cards[name].answer == "Read together with another, in assay-joint"
    assert cards["assay-joint"].badge == "Points to it"
    assert "assay-joint" in place("/heuristic/detectors/3", report_json(joint_report()))


def test_the_band_takes_no_answer_back() -> None:
    d = report_json(joint_report())["heuristic"]["detectors"][1]  # type: ignore[index,call-overload]
    assert band_sentence(d) == (
        "Encoded again in 6 ways its score lies from -1.1 to 0.7; 1 of these copies would get another answer "
        "than the file as it is."
    )
    assert stability_strip(d) is not None


def test_reports_of_an_earlier_release_read_as_they_did() -> None:
    earlier = copy.deepcopy(report_json(signed_report()))
    for d in earlier["heuristic"]["detectors"]:  # type: ignore[index,call-overload]
        for name in ("read_as", "guarantee", "part_of"):
            del d[name]  # type: ignore[union-attr,arg-type]
        assert guarantee_sentence(d) is None  # type: ignore[arg-type]
        assert read_as(d) is None  # type: ignore[arg-type]
    assert "The answer flipped in 1 of 6 re-encodings" in render_report(earlier)
    assert "1 could not decide" in heuristic_sentence(earlier["heuristic"]["detectors"])  # type: ignore[index,call-overload,arg-type]


def test_one_copy_is_not_called_one_ways() -> None:
    d = report_json(joint_report())["heuristic"]["detectors"][1]  # type: ignore[index,call-overload]
    one = d | {"stability": d["stability"] | {"variants": 1, "flips": 0}}
    assert band_sentence(one).startswith("Encoded again its score lies from -1.1 to 0.7;")
