"""The policies that ship, the commands around them, and the page that explains them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import jsonschema
import pytest

from authn.core.evidence import (
    AssertedClaim,
    Axis,
    HeuristicEvidence,
    HeuristicOutcome,
    Outcome,
    Question,
)
from authn.core.report import report_json
from authn.policies.judging import judge
from authn.policies.shelf import open_policy, shipped
from authn.report.headline import policy_hints
from authn.report.language import speaking
from authn.report.text import render_text
from tests.authn.policies.made import AS_OF, evidence, guess
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
