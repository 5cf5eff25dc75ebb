"""Sources in, report out: a failing source costs only itself, and no guess moves a sentence about proof."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from authn.core.errors import SettingsError
from authn.core.evidence import Axis, HeuristicEvidence, HeuristicOutcome, NotExamined, Outcome, Question
from authn.core.media import Media
from authn.core.report import refusal_json, report_json
from authn.core.score_map import ScoreMap
from authn.examine.illustrate import illustrate
from authn.policies.judging import conclude
from authn.policies.reading import parse_policy
from authn.policies.shelf import default_policy
from authn.report.html import render_report
from authn.report.text import render_document
from detector.core.errors import ModelUnavailable, NotApplicable
from tests.conftest import ROOT
from tests.doubles.oversized import OVERSIZED
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.score_maps import score_map
from tests.doubles.signed import Registered, examiner_for, media, signed_photo, stamped_photo

SCHEMA = json.loads((ROOT / "docs/formats/report.schema.json").read_text())


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def guess(outcome: HeuristicOutcome) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector="test",
        version="1",
        kind="metadata",
        question=Question.SYNTHETIC,
        outcome=outcome,
        reason="because the test says so",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """A source with a fixed answer, or a fixed failure."""

    answer: HeuristicEvidence | Exception
    name: str = "test"
    reads_pixels: bool = True

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return (self.answer,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows:
    """A learned source with a fixed answer, and a fixed map or failure to draw one."""

    outcome: HeuristicOutcome
    places: ScoreMap | Exception
    name: str = "assay-small"
    reads_pixels: bool = True

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        return (replace(guess(self.outcome), kind="learned", detector=self.name),)

    def score_map(self, media: Media) -> ScoreMap:
        if isinstance(self.places, Exception):
            raise self.places
        return self.places


def mapped(pki: TestPki, *sources: Says | Shows) -> tuple[ScoreMap | NotExamined, ...]:
    examiner = examiner_for(pki, sources=sources)
    return examiner.maps(media(photo()), examiner.examine(media(photo())))


@pytest.mark.parametrize("outcome", list(HeuristicOutcome))
def test_only_an_answer_that_points_to_something_has_a_place(pki: TestPki, outcome: HeuristicOutcome) -> None:
    found = mapped(pki, Shows(outcome=outcome, places=score_map()), Says(answer=guess(outcome)))
    assert found == ((score_map(),) if outcome is HeuristicOutcome.SUPPORTS else ())


def test_detectors_that_contradict_each_other_have_no_place(pki: TestPki) -> None:
    yes = Shows(outcome=HeuristicOutcome.SUPPORTS, places=score_map())
    no = Shows(outcome=HeuristicOutcome.AGAINST, places=score_map(), name="other")
    assert mapped(pki, yes, no) == ()


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (NotApplicable("room for too few squares"), "room for too few squares"),
        (RuntimeError("a bug"), "the source failed (RuntimeError)"),
        (MemoryError(), "the source failed (MemoryError)"),
    ],
    ids=["too-small", "bug", "memory"],
)
def test_a_map_that_cannot_be_made_is_its_reason(pki: TestPki, failure: Exception, why: str) -> None:
    found = mapped(pki, Shows(outcome=HeuristicOutcome.SUPPORTS, places=failure))
    assert found == (NotExamined(what="assay-small", why=why),)


def test_every_report_and_refusal_is_as_the_published_schema_says(pki: TestPki) -> None:
    leaf = pki.leaf()
    signed = stamped_photo(signed_photo(leaf), pki.tsa_leaf())
    examiner = examiner_for(
        pki, registry=Registered(leaf), sources=(Says(answer=guess(HeuristicOutcome.SUPPORTS)),)
    )
    for data in (photo(), signed, signed[:-9], signed_photo(TestPki("Stranger").leaf())):
        jsonschema.validate(report_json(examiner.examine(media(data))), SCHEMA)
    jsonschema.validate(refusal_json("a", "assay.media.unreadable", "a is empty"), SCHEMA)


def test_the_packaged_schema_is_the_documented_one() -> None:
    packaged = Path(ROOT / "authn/report/report.schema.json").read_bytes()
    assert packaged == (ROOT / "docs/formats/report.schema.json").read_bytes()


@dataclass(slots=True, kw_only=True)
class Counts:
    """A source that writes down whom it was shown."""

    name: str
    reads_pixels: bool
    shown: list[str] = field(default_factory=list)

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        self.shown.append(media.name)
        return (replace(guess(HeuristicOutcome.SUPPORTS), kind="learned", detector=self.name),)

    def score_map(self, media: Media) -> ScoreMap:
        self.shown.append(f"where of {media.name}")
        return score_map()


@pytest.mark.parametrize("name", OVERSIZED)
def test_a_picture_over_the_limit_is_shown_to_nobody_who_decodes(pki: TestPki, name: str) -> None:
    eyes, reader = Counts(name="eyes", reads_pixels=True), Counts(name="reader", reads_pixels=False)
    examiner, photo = examiner_for(pki, sources=(eyes, reader)), media(OVERSIZED[name](), name)
    report = examiner.examine(photo)
    assert (eyes.shown, reader.shown) == ([], [name])
    assert report.not_examined[-2:] == (
        NotExamined(what="pixels", why=photo.not_decoded),
        NotExamined(what="eyes", why=photo.not_decoded),
    )
    pointed = replace(report, heuristic=(replace(report.heuristic[0], detector="eyes"),))
    assert examiner.maps(photo, pointed) == (NotExamined(what="eyes", why=photo.not_decoded),)
    assert eyes.shown == []
    shown = illustrate(examiner, photo, report)
    assert (shown.preview_jpeg, shown.maps) == (None, ())
    told = report_json(report)
    jsonschema.validate(told, SCHEMA)
    assert {"what": "pixels", "why": photo.not_decoded} in told["not_examined"]
    assert f"No preview, not examined: {photo.not_decoded}" in render_report(told)
    assert f"pixels: {photo.not_decoded}" in " ".join(render_document(told).split())


@pytest.mark.parametrize("name", ["wide.webp", "wide.heic", "wide.avif"])
def test_where_no_reader_reads_the_file_either_it_is_still_reported(pki: TestPki, name: str) -> None:
    """Its pixels are declared, so it is no unreadable file; only nobody looks at them."""
    cut = OVERSIZED[name]()
    report = examiner_for(pki).examine(media(cut[: len(cut) // 2], name))
    assert report.cryptographic.axis(Axis.CREDENTIAL).outcome is Outcome.NOT_EXAMINED
    assert [n.what for n in report.not_examined][-1] == "pixels"


def test_what_costs_more_runs_only_where_it_is_asked_for_and_the_run_says_what_each_took(
    pki: TestPki,
) -> None:
    usual, more = Counts(name="usual", reads_pixels=False), Counts(name="more", reads_pixels=True)
    by_default = examiner_for(pki, sources=(usual,), on_request=(more,))
    run = by_default.examine(media(photo(), "a.jpg")).run
    assert [(c.source, c.on_request) for c in run.sources] == [("usual", False)]
    assert (run.left_out, more.shown) == (("more",), [])
    told = report_json(by_default.examine(media(photo(), "b.jpg"), forensics=True))
    jsonschema.validate(told, SCHEMA)
    assert [(c["source"], c["on_request"]) for c in told["run"]["sources"]] == [
        ("usual", False),
        ("more", True),
    ]
    assert (told["run"]["sources_left_out"], more.shown) == ([], ["b.jpg"])
    always = examiner_for(pki, sources=(usual,), on_request=(more,), forensics=True)
    assert always.examine(media(photo(), "c.jpg")).run.left_out == ()
    assert always.examine(media(photo(), "d.jpg"), forensics=False).run.left_out == ("more",)


@pytest.mark.parametrize("failure", [ModelUnavailable("no such model"), RuntimeError("a bug")])
def test_a_source_that_fails_is_not_examined_and_the_rest_stands(pki: TestPki, failure: Exception) -> None:
    sources = (Says(answer=failure, name="broken"), Says(answer=guess(HeuristicOutcome.SUPPORTS)))
    report = examiner_for(pki, sources=sources).examine(media(photo()))
    assert [h.detector for h in report.heuristic] == ["test"]
    assert "broken" in [n.what for n in report.not_examined]


@pytest.mark.parametrize("outcome", list(HeuristicOutcome))
def test_no_guess_changes_a_sentence_or_an_axis(pki: TestPki, outcome: HeuristicOutcome) -> None:
    data, as_of = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf()), datetime.now(UTC)
    plain = examiner_for(pki).examine(media(data), as_of=as_of)
    guessed = examiner_for(pki, sources=(Says(answer=guess(outcome)),)).examine(media(data), as_of=as_of)
    assert guessed.statements == plain.statements
    assert guessed.cryptographic == plain.cryptographic


def test_a_signed_capture_beside_a_warning_is_a_contradiction_that_decides_nothing(pki: TestPki) -> None:
    sources = (Says(answer=guess(HeuristicOutcome.SUPPORTS)),)
    report = examiner_for(pki, sources=sources).examine(media(signed_photo(pki.leaf())))
    assert len(report.contradictions) == 1
    assert report.cryptographic.axis(Axis.INTEGRITY).outcome is Outcome.ESTABLISHED


def test_a_warning_on_an_unsigned_photo_contradicts_nobody(pki: TestPki) -> None:
    sources = (Says(answer=guess(HeuristicOutcome.SUPPORTS)),)
    assert examiner_for(pki, sources=sources).examine(media(photo())).contradictions == ()


def test_a_sentence_is_without_value_where_an_axis_was_not_examined(pki: TestPki) -> None:
    report = examiner_for(pki).examine(media(signed_photo(pki.leaf())))
    by_id = {s.id: s.value for s in report.statements}
    assert by_id["assay.statement.signedAndUnchanged"] is True
    assert by_id["assay.statement.registeredDevice"] is None
    assert by_id["assay.statement.signedBefore"] is False


def test_names_from_certificates_cannot_fill_in_other_placeholders(pki: TestPki) -> None:
    report = examiner_for(pki).examine(media(signed_photo(pki.leaf("{not_after} {device}"))))
    text = next(s.text for s in report.statements if s.id == "assay.statement.signedAndUnchanged")
    assert "(not_after) (device)" in text


def test_a_sentence_names_the_signer_as_people_do(pki: TestPki) -> None:
    report = examiner_for(pki).examine(media(signed_photo(pki.leaf("Harbour camera, north"))))
    text = next(s.text for s in report.statements if s.id == "assay.statement.signedAndUnchanged")
    assert text.startswith("The holder of the key of Harbour camera, north (Assay Tests) signed")


def test_a_refuted_axis_makes_a_sentence_false_and_not_silent(pki: TestPki) -> None:
    proof = examiner_for(pki).examine(media(signed_photo(pki.leaf()))).cryptographic
    axes = tuple(replace(a, outcome=Outcome.REFUTED) if a.axis is Axis.INTEGRITY else a for a in proof.axes)
    statements = conclude(replace(proof, axes=axes), default_policy(), datetime.now(UTC))
    assert next(s.value for s in statements if s.id == "assay.statement.registeredDevice") is False


@pytest.mark.parametrize(
    "text",
    ["", "name = 'x'", "name='x'\nversion='1'\nstatement=[]", "[[statement]]\nid='a'\nrequires={}",
     "name='x'\nversion='1'\nextra=1\n[[statement]]\nid='a'\nrequires={time='established'}\ntrue='a'\nfalse='b'\nnull='c'",
     "name='x'\nversion='1'\n[[statement]]\nid='a'\nrequires={colour='red'}\ntrue='a'\nfalse='b'\nnull='c'",
     "\x00"],
)  # fmt: skip
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_policy(text.encode(), "test")
