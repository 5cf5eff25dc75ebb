"""Observations that do not fit together are named by one table, which adds nothing up and changes neither."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from authn.cli.fail_on import FailOn, exit_code
from authn.core.contradiction_codes import ContradictionCode
from authn.core.evidence import (
    Axis,
    ClaimedAction,
    Finding,
    HeuristicEvidence,
    HeuristicOutcome,
    Outcome,
    Question,
)
from authn.core.evidence import (
    CryptographicEvidence as Proof,
)
from authn.core.likeness import LABEL, Recovered
from authn.core.report import Contradiction, Report, Severity
from authn.core.source_types import CLAIMED
from authn.examine.contradictions import ALL_ROWS, contradictions, with_recovered
from authn.examine.seen import Row, Seen
from authn.report.language import speaking, tell
from authn.report.text import render_text
from tests.conftest import ROOT
from tests.doubles.pki import TestPki
from tests.doubles.reports import axes, unsigned_report
from tests.doubles.signed import Registered, examiner_for, media, signed_photo
from tests.house.contradictions_doc import PAGE, written

END = datetime(2026, 11, 20, 14, 3, 22, tzinfo=UTC)
CAPTURED = ClaimedAction(action="c2pa.created", source_type="digitalCapture", when=END - timedelta(hours=1))
GENERATED = replace(CAPTURED, source_type="trainedAlgorithmicMedia")
CAMERA = Finding(
    code="assay.metadata.camera",
    outcome=Outcome.ESTABLISHED,
    detail="EXIF names the camera Acme One",
    facts=(("camera", "Acme One"), ("taken_at", "2026-11-20T12:00:00")),
)


def says(question: Question, kind: str = "signal", detector: str = "test") -> HeuristicEvidence:
    return HeuristicEvidence(
        detector=detector, version="1", kind=kind, question=question, outcome=HeuristicOutcome.SUPPORTS,
        reason="because the test says so",
    )  # fmt: skip


MARK = says(Question.SYNTHETIC, "metadata", "metadata")
EDITOR = says(Question.EDITED, "metadata", "metadata")
NAMED = replace(EDITOR, outcome=HeuristicOutcome.ABSTAIN, findings=(CAMERA,))
LATE = replace(CAMERA, facts=(("camera", "Acme One"), ("taken_at", "2026-11-22T12:00:00")))


def proof(*, device: bool = False, credential: bool = True, intact: bool = True) -> Proof:
    registered = Finding(
        code="assay.device.registered", outcome=Outcome.ESTABLISHED, detail="", facts=(("name", "cam1"),)
    )
    found = {
        Axis.CREDENTIAL: Outcome.ESTABLISHED if credential else Outcome.ABSENT,
        Axis.INTEGRITY: Outcome.ESTABLISHED if intact else Outcome.REFUTED,
    }
    plain = Finding(code="x", outcome=Outcome.ABSENT, detail="")
    made = {a: (found.get(a, Outcome.ABSENT), (plain,)) for a in Axis}
    if device:
        made[Axis.DEVICE] = (Outcome.ESTABLISHED, (registered,))
    return Proof(axes=axes(made), not_after=END)


RECOVERED = Recovered(
    text="This picture looks like a photo that was signed here at 1 Nov 2026.", label=LABEL, signed_at=END,
    taken_at=END, manifest_id="urn:c2pa:1", record_sha256="0" * 64, distance=0, bits=256, turn="upright",
    part=False, log_index=1, log_key="", receipt="",
)  # fmt: skip
FIRES: dict[str, Seen] = {
    "wrongSensor": Seen(proof=proof(device=True), actions=(), guesses=(says(Question.WRONG_SENSOR),)),
    "capturedButMarked": Seen(proof=proof(), actions=(CAPTURED,), guesses=(MARK,)),
    "registeredButMarked": Seen(proof=proof(device=True), actions=(CAPTURED,), guesses=(MARK,)),
    "registeredButClaimedGenerated": Seen(proof=proof(device=True), actions=(GENERATED,), guesses=()),
    "capturedButGenerated": Seen(
        proof=proof(), actions=(CAPTURED,), guesses=(says(Question.SYNTHETIC, "learned"),)
    ),
    "capturedButRecaptured": Seen(proof=proof(), actions=(CAPTURED,), guesses=(says(Question.RECAPTURED),)),
    "uneditedButDifferent": Seen(proof=proof(), actions=(CAPTURED,), guesses=(says(Question.EDITED),)),
    "uneditedButCopied": Seen(
        proof=proof(), actions=(CAPTURED,), guesses=(says(Question.EDITED, "signal", "copy_move"),)
    ),
    "uneditedButEditorNamed": Seen(
        proof=proof(), actions=(CAPTURED,), guesses=(says(Question.EDITED, "metadata", "metadata"),)
    ),
    "uneditedButOtherTables": Seen(
        proof=proof(), actions=(CAPTURED,), guesses=(says(Question.EDITED, "signal", "compression"),)
    ),
    "generatedButCamera": Seen(proof=proof(), actions=(GENERATED,), guesses=(NAMED,)),
    "markedButCamera": Seen(proof=proof(credential=False, intact=False), actions=(), guesses=(MARK, NAMED)),
    "claimedAfterStamp": Seen(
        proof=proof(), actions=(replace(CAPTURED, when=END + timedelta(hours=1)),), guesses=()
    ),
    "takenAfterStamp": Seen(
        proof=proof(), actions=(), guesses=(replace(NAMED, findings=(LATE,)),)
    ),
    "recoveredButMarked": Seen(
        proof=proof(credential=False, intact=False), actions=(), guesses=(MARK,), recovered=(RECOVERED,)
    ),
    "recoveredButGenerated": Seen(
        proof=proof(intact=False), actions=(), guesses=(says(Question.SYNTHETIC, "learned"),),
        recovered=(RECOVERED,),
    ),
    "strippedButRecovered": Seen(
        proof=proof(credential=False, intact=False), actions=(), guesses=(), recovered=(RECOVERED,)
    ),
}  # fmt: skip


def short(row: Row) -> str:
    return row.code.rpartition(".")[2]


@pytest.mark.parametrize("row", ALL_ROWS, ids=short)
def test_every_row_is_found_where_both_its_sides_are_there(row: Row) -> None:
    (found,) = row.among(FIRES[short(row)])
    assert (found.code, found.severity) == (row.code, row.severity)
    assert all(place.startswith("/") for place in found.between)
    assert "{" not in found.text
    assert not any(term in found.text for term in CLAIMED), "a term of a list is no word for people"


@pytest.mark.parametrize("row", ALL_ROWS, ids=short)
def test_no_row_is_found_where_one_side_is_missing(row: Row) -> None:
    seen = FIRES[short(row)]
    silent = tuple(replace(g, outcome=HeuristicOutcome.AGAINST, findings=()) for g in seen.guesses)
    unproven = replace(proof(intact=False), not_after=None)
    assert list(row.among(replace(seen, guesses=silent, actions=(), recovered=()))) == []
    if short(row) != "markedButCamera":  # both of its sides are metadata
        assert list(row.among(replace(seen, proof=unproven, recovered=()))) == []


@pytest.mark.parametrize("row", ALL_ROWS, ids=short)
def test_every_row_has_its_sentence_in_german(row: Row) -> None:
    (found,) = row.among(FIRES[short(row)])
    with speaking("de"):
        told = tell(found.text)
    assert told.code == "de"
    table = json.loads((ROOT / "authn/report/words/de.said.json").read_text(encoding="utf-8"))
    assert row.text in table


def test_the_page_of_codes_has_the_whole_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run: python -m tests.house.contradictions_doc"


def test_codes_are_told_apart_and_the_most_pressing_comes_first() -> None:
    assert [row.code for row in ALL_ROWS] == list(ContradictionCode)
    assert len(ALL_ROWS) == len(FIRES)
    guesses = (says(Question.EDITED, "metadata", "metadata"), says(Question.SYNTHETIC, "learned"), MARK)
    found = contradictions(proof(), (CAPTURED,), guesses)
    assert [c.severity for c in found] == [Severity.HIGH, Severity.MEDIUM, Severity.LOW]


@pytest.mark.parametrize("question", list(Question))
@pytest.mark.parametrize("kind", ["learned", "signal", "metadata"])
def test_a_warning_beside_a_claimed_capture_is_one_contradiction_whatever_it_warns_of(
    question: Question, kind: str
) -> None:
    warning = says(question, kind, "metadata" if kind == "metadata" else "test")
    for registered in (False, True):
        assert len(contradictions(proof(device=registered), (CAPTURED,), (warning,))) == 1


def test_an_edit_that_the_signer_declares_contradicts_nothing() -> None:
    edited = ClaimedAction(action="c2pa.color_adjustments")
    for kind in ("signal", "metadata"):
        warning = says(Question.EDITED, kind, kind)
        assert contradictions(proof(), (CAPTURED, edited), (warning,)) == ()


def test_that_it_was_published_is_no_edit() -> None:
    published = ClaimedAction(action="c2pa.published")
    (found,) = contradictions(proof(), (CAPTURED, published), (says(Question.EDITED),))
    assert found.code == "assay.contradiction.uneditedButDifferent"


def test_an_invisible_mark_is_a_mark_and_no_guess_about_pixels() -> None:
    invisible = says(Question.SYNTHETIC, "signal", "watermark")
    (found,) = contradictions(proof(), (CAPTURED,), (invisible,))
    assert found.code == "assay.contradiction.capturedButMarked"


def test_a_mark_beside_a_camera_in_exif_is_one_contradiction_where_a_signer_says_more() -> None:
    for registered in (False, True):
        (found,) = contradictions(proof(device=registered), (CAPTURED,), (MARK, NAMED))
        assert found.severity is Severity.HIGH


def test_a_registered_key_says_nothing_of_a_file_that_was_changed() -> None:
    assert contradictions(proof(device=True, intact=False), (GENERATED,), (MARK,)) == ()


def test_clocks_that_are_somewhat_off_contradict_nothing() -> None:
    minutes = replace(CAPTURED, when=END + timedelta(minutes=9))
    hours = replace(CAMERA, facts=(("camera", "Acme One"), ("taken_at", "2026-11-21T15:00:00")))
    assert contradictions(proof(), (minutes,), (replace(NAMED, findings=(hours,)),)) == ()


@pytest.mark.parametrize("outcome", [o for o in HeuristicOutcome if o is not HeuristicOutcome.SUPPORTS])
def test_nothing_but_a_warning_contradicts(outcome: HeuristicOutcome) -> None:
    guesses = tuple(replace(says(q), outcome=outcome) for q in Question)
    assert contradictions(proof(device=True), (CAPTURED,), guesses) == ()


class Marks:
    """A source that finds a generator's mark in every file."""

    name = "metadata"
    reads_pixels = False

    def examine(self, _media: object) -> tuple[HeuristicEvidence, ...]:
        return (MARK,)


def test_a_true_photo_of_a_registered_device_dressed_as_generated_is_named_and_stays_established() -> None:
    pki = TestPki()
    leaf = pki.leaf()
    signed, now = media(signed_photo(leaf)), datetime.now(UTC)
    plain = examiner_for(pki, registry=Registered(leaf)).examine(signed, as_of=now)
    examiner = examiner_for(pki, registry=Registered(leaf), sources=(Marks(),), policy="newsroom")
    report = examiner.examine(signed, as_of=now)
    (found,) = report.contradictions
    assert found.code == "assay.contradiction.registeredButMarked"
    assert found.between == ("/cryptographic/axes/device", "/heuristic/detectors/0")
    assert report.cryptographic.axes == plain.cryptographic.axes
    by_policy = {s.id: s.exit_code for s in report.policy_statements if s.value}
    assert by_policy["newsroom.contradiction"] == 12, "a policy meets the contradictions of its own report"
    assert "look first" in " ".join(render_text(report).split())


def test_a_stripped_photo_that_is_recognised_is_a_contradiction_beside_an_unchanged_report() -> None:
    before = unsigned_report()
    after = with_recovered(before, (RECOVERED,))
    assert [c.code for c in after.contradictions] == ["assay.contradiction.strippedButRecovered"]
    assert (after.cryptographic, after.statements) == (before.cryptographic, before.statements)
    assert with_recovered(before, ()).contradictions == ()
    signed = replace(before, cryptographic=proof(), heuristic=(says(Question.SYNTHETIC, "learned"),))
    low = Contradiction(between=("", ""), text="", code="", severity=Severity.LOW)
    found = with_recovered(replace(signed, contradictions=(low,)), (RECOVERED,)).contradictions
    assert [c.severity for c in found] == [Severity.MEDIUM, Severity.LOW]
    assert found[0].code == "assay.contradiction.recoveredButGenerated"


def failing(report: Report, asked: str) -> int:
    return exit_code(report, FailOn().convert(asked, None, None))


def test_who_asks_to_fail_on_one_contradiction_fails_on_that_one_alone() -> None:
    report = with_recovered(replace(unsigned_report(), policy_statements=()), (RECOVERED,))
    assert failing(report, "assay.contradiction.strippedButRecovered") == 1
    assert failing(report, "contradiction") == 1
    assert failing(report, "assay.contradiction.wrongSensor") == 0
