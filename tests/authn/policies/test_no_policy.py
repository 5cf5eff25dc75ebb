"""No policy whatsoever turns a refuted axis into a good sentence, or raises trust by a heuristic."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.core.errors import PolicyError
from authn.core.evidence import (
    Axis,
    CryptographicEvidence,
    HeuristicEvidence,
    HeuristicOutcome,
    Outcome,
    Question,
)
from authn.core.report import PolicyStatement, StatementKind
from authn.policies.judging import conclude, joined, judge
from authn.policies.policy import ProofRule
from authn.policies.reading import parse_policy
from authn.policies.sentences import house_words, refuted_beside
from authn.report.doubts import ID_PREFIX, PART_PREFIX, doubts
from tests.authn.policies.made import (
    AS_OF,
    AXES,
    GUESSES,
    SHOUTS,
    TEXTS,
    evidence,
    guess,
    hostile_policies,
    policy_file,
    statement,
)

PROOF_KIND = StatementKind.CRYPTOGRAPHIC
E, R = Outcome.ESTABLISHED, Outcome.REFUTED
PARTLY = st.frozensets(st.sampled_from(list(Axis)), max_size=2)


def of_proof(said: tuple[PolicyStatement, ...]) -> list[PolicyStatement]:
    return [s for s in said if s.kind is PROOF_KIND]


@settings(max_examples=80, deadline=None)
@given(data=hostile_policies(), outcomes=AXES, partly=PARTLY, guesses=GUESSES)
def test_every_refutation_stands_before_whatever_a_policy_says_and_takes_its_good_sentences(
    data: bytes, outcomes: dict[Axis, Outcome], partly: frozenset[Axis], guesses: list[HeuristicEvidence]
) -> None:
    policy, proof = parse_policy(data, "made"), evidence(outcomes, partly=partly)
    found = doubts({a.axis: a for a in proof.axes})
    said = judge(proof, guesses, policy, AS_OF)
    first, rest = said[: len(found)], said[len(found) :]
    assert [s.id for s in first] == [d.id for d in found]
    assert not any(s.id.startswith((ID_PREFIX, PART_PREFIX)) for s in rest)
    refuted = any(a.outcome is R for a in proof.axes)
    assert not refuted or max(s.exit_code for s in said) >= 1
    warning = {r.id for r in policy.rules if isinstance(r, ProofRule) and r.warns}
    for one in rest if found else ():
        assert one.kind is not PROOF_KIND or one.value is not True or one.id in warning
        for language, text in one.texts:
            assert refuted_beside(found, language) in text.partition(SHOUTS)[0]


@settings(max_examples=80, deadline=None)
@given(data=hostile_policies(), outcomes=AXES, guesses=GUESSES)
def test_no_heuristic_changes_a_sentence_about_proof_and_none_makes_another_true_but_by_warning(
    data: bytes, outcomes: dict[Axis, Outcome], guesses: list[HeuristicEvidence]
) -> None:
    policy, proof = parse_policy(data, "made"), evidence(outcomes)
    bare, full = judge(proof, [], policy, AS_OF), judge(proof, guesses, policy, AS_OF)
    assert of_proof(bare) == of_proof(full)
    quiet = [
        replace(g, outcome=HeuristicOutcome.AGAINST) if g.outcome is HeuristicOutcome.SUPPORTS else g
        for g in guesses
    ]
    alone = {s.id: s.value for s in bare}
    for one in judge(proof, quiet, policy, AS_OF):
        if one.value is True:
            assert alone[one.id] is True or any(alone[part] is True for part in one.of), one


@settings(max_examples=60, deadline=None)
@given(outcomes=AXES, guesses=GUESSES)
def test_a_hint_is_shown_as_one_in_every_language(
    outcomes: dict[Axis, Outcome], guesses: list[HeuristicEvidence]
) -> None:
    hint = statement(id="made.h", kind="heuristic", warns_of=[q.value for q in Question], true=TEXTS)
    policy = parse_policy(policy_file(hint, languages="['en', 'de', 'fr']"), "made")
    (said,) = [s for s in judge(evidence(outcomes), guesses, policy, AS_OF) if s.id == "made.h"]
    assert said.value is True or SHOUTS not in " ".join(t for _, t in said.texts)
    for language, text in said.texts:
        if said.value:
            assert house_words(language).hint.format(text=SHOUTS) in text


def test_a_statement_of_both_kinds_shows_the_two_and_says_nothing_of_its_own() -> None:
    signed = statement(
        id="made.p", requires={"signer": "established"}, true="Signed.", false="Not signed.", null="Not seen."
    )
    hint = statement(id="made.h", kind="heuristic", warns_of=["synthetic"], true="it looks made.")
    both = statement(id="made.b", kind="both", all_of=["made.p", "made.h"])
    policy = parse_policy(policy_file(signed, hint, both), "made")
    warns = [guess(Question.SYNTHETIC, HeuristicOutcome.SUPPORTS)]
    said = judge(evidence({Axis.SIGNER: E}), warns, policy, AS_OF)[-1]
    assert (said.value, said.of) == (True, ("made.p", "made.h"))
    assert said.text == "As for proof: Signed. And: A hint, not proof: it looks made."


@pytest.mark.parametrize("one", [True, False, None])
@pytest.mark.parametrize("other", [True, False, None])
def test_joining_is_that_of_three_values(one: bool | None, other: bool | None) -> None:
    from authn.core.report import Join

    order = {False: 0, None: 1, True: 2}
    values = sorted((one, other), key=order.__getitem__)
    assert joined(Join.ALL, one, other) is values[0]
    assert joined(Join.ANY, one, other) is values[1]


def test_what_metadata_lack_was_looked_for_and_a_network_that_abstains_says_nothing() -> None:
    hint = statement(id="made.h", kind="heuristic", warns_of=["synthetic"], true="it looks made.")
    policy = parse_policy(policy_file(hint), "made")

    def value(*guesses: HeuristicEvidence) -> bool | None:
        return judge(evidence({}), guesses, policy, AS_OF)[-1].value

    silent = guess(Question.SYNTHETIC, HeuristicOutcome.ABSTAIN)
    assert value(silent) is None
    assert value(guess(Question.SYNTHETIC, HeuristicOutcome.ABSTAIN, "metadata")) is False
    assert value(silent, guess(Question.SYNTHETIC, HeuristicOutcome.AGAINST)) is False
    assert value(replace(silent, outcome=HeuristicOutcome.SUPPORTS, part_of="joint")) is None
    assert value(guess(Question.EDITED, HeuristicOutcome.SUPPORTS)) is None


P = {"requires": {"time": "established"}, "true": "a", "false": "b", "null": "c"}
H = {"kind": "heuristic", "warns_of": ["synthetic"], "true": "a"}
BAD = {
    "an unknown kind": (statement(id="made.x", kind="score", **P), "kind is one of"),
    "a hint that speaks where nothing was found": (statement(id="made.x", **H, false="fine"), "has no false"),
    "a hint of another answer": (statement(id="made.x", **H, outcome="against"), "has no outcome"),
    "a hint of proof": (statement(id="made.x", **H, requires={"time": "absent"}), "has no requires"),
    "proof by a detector": (statement(id="made.x", **P, warns_of=["synthetic"]), "has no warns_of"),
    "a question that nobody asks": (statement(id="made.x", **{**H, "warns_of": ["beauty"]}), "is none of"),
    "a sentence in the wrong language": (
        statement(id="made.x", **{**P, "true": {"de": "a"}}), "needs one sentence for each"),
    "a promise": (statement(id="made.x", **{**P, "true": "A Genuine photo."}), "promises more"),
    "a promise in German": (statement(id="made.x", **{**P, "false": "Das Bild ist echt."}), "promises more"),
    "a promise by a hint": (statement(id="made.x", **{**H, "true": "Surely authentic."}), "promises more"),
    "an exit code with a meaning": (statement(id="made.x", **P, exit={"true": 3}), "0, 1, or from 10"),
    "a level that SARIF lacks": (statement(id="made.x", **P, level={"true": "loud"}), "is none of"),
    "both of two proofs": (
        statement(id="made.x", **P) + "\n" + statement(id="made.y", kind="both", all_of=["made.x", "made.x"]),
        "one cryptographic and one heuristic"),
    "both of what stands below": (
        statement(id="made.y", kind="both", all_of=["made.x", "made.h"]), "from above"),
    "both with a sentence": (
        "\n".join([statement(id="made.x", **P), statement(id="made.h", **H),
                   statement(id="made.y", kind="both", any_of=["made.x", "made.h"], true="fine")]),
        "has no true"),
    "an id twice": (statement(id="made.x", **P) + "\n" + statement(id="made.x", **P), "another statement"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_statement_is_told_with_its_line_and_id(name: str) -> None:
    text, why = BAD[name]
    with pytest.raises(PolicyError) as told:
        parse_policy(policy_file(text), "made.toml")
    assert why in told.value.detail
    where = text.rindex("[[statement]]")
    assert told.value.detail.startswith(f"made.toml, line {4 + text.count(chr(10), 0, where)} (made.")


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"name = 'x'", b"[" * 5000, b"a = " + b"[" * 50_000, policy_file(languages="['de']"),
     policy_file(statement(id="made.x", **P), "extra = 1").replace(b"[[", b"[["),
     policy_file(statement(id="made.x", **P)).replace(b"version", b"vision"),
     policy_file(*(statement(id=f"made.x{i}", **P) for i in range(201)))],
    ids=["empty", "no text", "no statement", "brackets", "nested", "no English", "unknown key", "no version",
         "too many"],
)  # fmt: skip
def test_what_is_no_policy_is_one_typed_error(data: bytes) -> None:
    with pytest.raises(PolicyError):
        parse_policy(data, "made.toml")


def test_statements_of_a_report_stay_those_about_proof() -> None:
    hint = statement(id="made.h", kind="heuristic", warns_of=["synthetic"], true="it looks made.")
    policy = parse_policy(policy_file(statement(id="made.p", **P), hint), "made")
    proof: CryptographicEvidence = evidence({Axis.TIME: E})
    assert [s.id for s in conclude(proof, policy, AS_OF)] == ["made.p"]
