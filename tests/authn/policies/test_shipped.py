"""The policies that ship, the commands around them, and the page that explains them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import jsonschema
import pytest

from authn.core.contradiction_codes import FOUND_LATER, OF_PROOF, ContradictionCode, could_show
from authn.core.errors import PolicyError
from authn.core.evidence import (
    AssertedClaim,
    Axis,
    HeuristicEvidence,
    HeuristicOutcome,
    Outcome,
    Question,
)
from authn.core.report import (
    Contradiction,
    Level,
    PolicyStatement,
    Severity,
    StatementKind,
    report_json,
)
from authn.policies.judging import judge
from authn.policies.reading import parse_policy
from authn.policies.shelf import open_policy, shipped
from authn.report.headline import policy_hints
from authn.report.language import speaking
from authn.report.text import render_text
from tests.authn.policies.made import AS_OF, evidence, guess, policy_file
from tests.conftest import ROOT
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for, media, signed_photo

PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
TOML_BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SCHEMA = json.loads((ROOT / "docs/formats/report.schema.json").read_text())
E, R, X = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.OUTSIDE_LISTS
GENERATED = guess(Question.SYNTHETIC, HeuristicOutcome.SUPPORTS, "metadata")


def exits(name: str, outcomes: dict[Axis, Outcome], *guesses: object) -> int:
    said = judge(evidence(outcomes), guesses, open_policy(name), AS_OF)  # type: ignore[arg-type]
    return max(s.exit_code for s in said)


@pytest.mark.parametrize("name", shipped())
def test_a_policy_that_ships_speaks_two_languages_and_never_the_same_sentence_twice(name: str) -> None:
    policy = open_policy(name)
    assert policy.languages == ("en", "de")
    assert policy.description
    assert len({r.id for r in policy.rules}) == len(policy.rules)
    assert f"`{name}`" in PAGE
    for rule in policy.rules:
        texts = getattr(rule, "true", {"en": "en", "de": "de"})
        assert texts["en"] != texts["de"]


def test_what_follows_from_the_newsrooms_policy() -> None:
    signed = {Axis.CREDENTIAL: E, Axis.INTEGRITY: E, Axis.SIGNER: E}
    assert exits("newsroom", signed) == 0
    assert exits("newsroom", {}, GENERATED) == 10
    assert exits("newsroom", signed, GENERATED) == 11
    assert exits("newsroom", {**signed, Axis.INTEGRITY: R}) == 1


def test_what_follows_from_the_insurers_policy() -> None:
    taken = dict.fromkeys((Axis.CREDENTIAL, Axis.INTEGRITY, Axis.SIGNER, Axis.DEVICE, Axis.REVOCATION), E)
    assert exits("insurer", {**taken, Axis.TIME: E}) == 0
    assert exits("insurer", taken) == 11
    assert exits("insurer", {**taken, Axis.DEVICE: Outcome.ABSENT, Axis.TIME: E}) == 10
    screen = guess(Question.RECAPTURED, HeuristicOutcome.SUPPORTS, "signal")
    assert exits("insurer", {**taken, Axis.TIME: E}, screen) == 12


def contradicted(code: str) -> Contradiction:
    return Contradiction(between=("/a", "/b"), text="A and B.", code=code, severity=Severity.HIGH)


@pytest.mark.parametrize(("name", "code"), [("newsroom", 12), ("insurer", 13)])
def test_a_policy_that_ships_warns_of_a_contradiction_by_its_code(name: str, code: int) -> None:
    def said(*found: Contradiction, guesses: list[HeuristicEvidence]) -> PolicyStatement:
        proof = evidence({Axis.CREDENTIAL: E, Axis.INTEGRITY: E, Axis.SIGNER: E})
        statements = judge(proof, guesses, open_policy(name), AS_OF, found)
        return next(s for s in statements if s.kind is StatementKind.CONTRADICTION)

    silent = guess(Question.SYNTHETIC, HeuristicOutcome.INCONCLUSIVE, "metadata")
    true = said(contradicted(ContradictionCode.WRONG_SENSOR), guesses=[silent])
    assert (true.value, true.exit_code, true.level) == (True, code, Level.WARNING)
    assert true.text.startswith("Two observations do not fit together, which decides nothing: ")
    assert dict(true.texts)["de"].startswith("Zwei Beobachtungen passen nicht zusammen")
    other = said(contradicted(ContradictionCode.UNEDITED_BUT_EDITOR_NAMED), guesses=[silent])
    assert (other.value, other.exit_code) == (False, 0)
    assert said(guesses=[]).value is None, "nobody looked"


MADE = "[[statement]]\nid = 'a.b'\nkind = 'contradiction'\ntrue = 'look.'\ncontradicts = "


@pytest.mark.parametrize(
    ("codes", "says"),
    [
        ("'assay.contradiction.nothing'", "is none of assay.contradiction.wrongSensor"),
        ("['assay.contradiction.wrongSensor', 'wrongSensor']", "'wrongSensor' is none of"),
        ("[]", "empty"),
        ("'assay.contradiction.strippedButRecovered'", "after a policy has spoken"),
    ],
)
def test_a_contradiction_that_no_policy_can_meet_is_refused_with_its_line(codes: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says) as told:
        parse_policy(policy_file(MADE + codes), "ours.toml")
    assert "line 4 (a.b)" in told.value.detail


def test_a_contradiction_within_the_proof_is_looked_for_where_no_source_is() -> None:
    policy = parse_policy(policy_file(f"{MADE}'assay.contradiction.claimedAfterStamp'"), "ours.toml")
    assert [s.value for s in judge(evidence({}), [], policy, AS_OF)] == [False]


def test_who_was_asked_something_else_did_not_look_for_a_contradiction() -> None:
    def value(code: str, guess_: HeuristicEvidence) -> bool | None:
        policy = parse_policy(policy_file(f"{MADE}'assay.contradiction.{code}'"), "ours.toml")
        (said,) = judge(evidence({}), [guess_], policy, AS_OF)
        return said.value

    looked = guess(Question.SYNTHETIC, HeuristicOutcome.INCONCLUSIVE, "metadata")
    assert value("wrongSensor", looked) is None, "there is no fingerprint to compare with"
    assert value("uneditedButDifferent", looked) is None
    assert value("capturedButMarked", looked) is False
    assert value("takenAfterStamp", looked) is False, "whoever reads the metadata sees the day"
    assert value("capturedButGenerated", looked) is None, "it read no pixels"
    network = guess(Question.SYNTHETIC, HeuristicOutcome.INCONCLUSIVE)
    assert value("takenAfterStamp", network) is None
    assert value("capturedButMarked", network) is None, "it read no mark"
    assert value("capturedButGenerated", network) is False
    tables = replace(guess(Question.EDITED, HeuristicOutcome.INCONCLUSIVE, "signal"), detector="compression")
    assert value("uneditedButOtherTables", tables) is False
    for other in ("uneditedButCopied", "uneditedButEditorNamed", "uneditedButDifferent"):
        assert value(other, tables) is None, "its tables are all that this source looks at"


def test_every_contradiction_can_be_shown_by_somebody() -> None:
    names = {"learned": ("test",), "metadata": ("metadata",), "signal": ("compression", "copy_move")}
    asked = [
        replace(guess(question, HeuristicOutcome.INCONCLUSIVE, kind), detector=name)
        for question in Question
        for kind, detectors in names.items()
        for name in detectors
    ]
    for code in set(ContradictionCode) - FOUND_LATER - OF_PROOF:
        assert any(could_show(g, code) for g in asked), code


def test_what_the_archives_policy_calls_marked() -> None:
    def said(source_type: str, *guesses: HeuristicEvidence, **outcomes: Outcome) -> dict[str, bool | None]:
        holds = {Axis.CREDENTIAL: E, Axis.INTEGRITY: E, Axis.SIGNER: X}
        proof = evidence({**holds, **{Axis(a): o for a, o in outcomes.items()}})
        claim = AssertedClaim(
            label="action",
            statement=f"c2pa.created, source type {source_type}",
            asserted_by="x",
            manifest="m",
        )
        judged = judge(replace(proof, claims=(claim,)), guesses, open_policy("archive"), AS_OF)
        return {s.id.removeprefix("archive."): s.value for s in judged}

    assert said("trainedAlgorithmicMedia")["marked"] is True
    assert said("trainedAlgorithmicMedia", integrity=R)["signedMark"] is False
    assert said("digitalCapture")["signedCapture"] is True
    nothing = guess(Question.SYNTHETIC, HeuristicOutcome.ABSTAIN, "metadata")
    assert said("digitalCapture", nothing)["marked"] is False
    assert said("digitalCapture", GENERATED)["marked"] is True
    detector = guess(Question.SYNTHETIC, HeuristicOutcome.SUPPORTS, "learned")
    assert said("digitalCapture", nothing, detector)["marked"] is False


def test_the_default_policy_changes_no_exit_code_but_for_a_refutation() -> None:
    assert exits("default", {Axis.SIGNER: X}, GENERATED) == 0
    assert exits("default", {Axis.INTEGRITY: R}) == 1


def test_reports_carry_every_statement_with_its_kind_and_the_text_shows_the_hints(pki: TestPki) -> None:
    examiner = examiner_for(pki)
    report = examiner.examine(media(signed_photo(pki.leaf())))
    document = report_json(report)
    jsonschema.validate(document, SCHEMA)
    said = {s["id"]: s for s in document["policy_statements"]}  # type: ignore[index,call-overload,union-attr]
    assert said["assay.statement.signedAndUnchanged"]["texts"]["de"].startswith("Wer den Schlüssel von")
    assert {s["id"]: s["value"] for s in document["statements"]} == {i: s["value"] for i, s in said.items()}  # type: ignore[index,call-overload,union-attr]
    document["policy_statements"] = [
        {"id": "x.y", "kind": "heuristic", "value": True, "level": "note", "exit_code": 0,
         "texts": {"en": "A hint, not proof: it looks made.", "de": "Ein Hinweis."}}
    ]  # fmt: skip
    jsonschema.validate(document, SCHEMA)
    assert [hint.text for hint in policy_hints(document)] == ["A hint, not proof: it looks made."]
    with speaking("de"):
        assert [hint.text for hint in policy_hints(document)] == ["Ein Hinweis."]
    assert "it looks made" not in render_text(report)


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()
