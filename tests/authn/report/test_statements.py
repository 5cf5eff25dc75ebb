"""No sentence of a report hides a refutation: over every combination of what the axes can say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from authn.core.errors import SettingsError
from authn.core.evidence import Axis, AxisEvidence, CryptographicEvidence, Finding, Outcome
from authn.core.report import Statement, report_json
from authn.policies.judging import conclude
from authn.policies.policy import Policy
from authn.policies.reading import parse_policy
from authn.policies.shelf import default_policy
from authn.provenance.axes import version_refused
from authn.report import wording
from authn.report.doubts import ID_PREFIX, IN_SHORT_ID, PART_PREFIX
from authn.report.headline import headline
from authn.report.html import render_report
from authn.report.text import render_text
from tests.doubles.reports import signed_report

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
E, R = Outcome.ESTABLISHED, Outcome.REFUTED
SHOUTS = "All of it is well."
# What somebody might write who wants a clean sentence on top, whatever the axes say.
CLEAN = "\n".join(
    ["name = 'clean'", "version = '1'"]
    + [
        f"[[statement]]\nid = 'clean.s{i}'\nrequires = {{ {axis.value} = '{outcome.value}' }}\n"
        f"true = '{SHOUTS}'\nfalse = '{SHOUTS}'\nnull = '{SHOUTS}'"
        for i, (axis, outcome) in enumerate(itertools.product((Axis.CREDENTIAL, Axis.LOG), Outcome))
    ]
)


def axis_evidence(axis: Axis, outcome: Outcome, *findings: Finding) -> AxisEvidence:
    first = Finding(code="assay.test", outcome=outcome, detail="a test")
    return AxisEvidence(axis=axis, outcome=outcome, findings=(first, *findings))


def every_combination(states: dict[Axis, list[AxisEvidence]]) -> Iterator[CryptographicEvidence]:
    for axes in itertools.product(*states.values()):
        yield CryptographicEvidence(axes=axes)


def titles(axes: list[Axis]) -> set[str]:
    return {wording.AXIS_TITLES[a].lower() for a in axes}


def named_in(text: str) -> tuple[set[str], set[str]]:
    """The axes that a sentence begins with as refuted, and as not to be relied on."""
    found = []
    for form in ("Refuted: ", "Not to be relied on: "):
        names = ""
        if text.startswith(form):
            names, _, text = text.removeprefix(form).partition(".")
            text = text.strip()
        found.append({*names.split(", ")} - {""})
    return found[0], found[1]


def hidden(evidence: CryptographicEvidence, policy: Policy, warnings: set[str]) -> str:
    """What is wrong with the sentences about this evidence; empty where nothing is. ``warnings`` are the
    statements that can be true of a refuted axis."""
    refuted = [a.axis for a in evidence.axes if a.outcome is R]
    partly = [a.axis for a in evidence.axes if a.outcome is E and a.findings[-1].outcome is R]
    doubted = {ID_PREFIX + a.value for a in refuted} | {PART_PREFIX + a.value for a in partly}
    statements = conclude(evidence, policy, AS_OF)
    first, rest = statements[: len(doubted)], statements[len(doubted) :]
    if {s.id for s in first} != doubted or not all(s.value for s in first):
        return "a refutation is not among the first sentences"
    if any(s.id.startswith(PART_PREFIX) for s in first[: len(refuted)]):
        return "what is refuted in part stands before what is refuted"
    for statement in rest if doubted else ():
        if named_in(statement.text) != (titles(refuted), titles(partly)):
            return f"{statement.id} does not name {refuted} and {partly}: {statement.text}"
        if statement.value and statement.id not in warnings:
            return f"{statement.id} is true beside {refuted} and {partly}"
    if not any(s.value for s in statements):
        return "no sentence is true"
    return ""


def combinations_that_matter(policy: Policy) -> Iterator[tuple[Outcome, ...]]:
    """All 390,625 take 38 seconds and say no more. Every set of refuted axes, beside others that are
    established or of one further outcome in any mixture; for each rule every outcome of the axes that it
    asks, beside every set of refuted ones among the rest; and every two outcomes on every two axes, beside
    all of each."""
    for further in set(Outcome) - {E, R}:
        yield from itertools.product((E, R, further), repeat=len(Axis))
    for rule in policy.proof_rules:
        asked = {axis for axis, _ in rule.requires}
        yield from itertools.product(*(tuple(Outcome) if a in asked else (E, R) for a in Axis))
    for one, other in itertools.combinations(Axis, 2):
        for a, b, rest in itertools.product(Outcome, repeat=3):
            yield tuple({one: a, other: b}.get(axis, rest) for axis in Axis)


@pytest.mark.timeless
def test_no_combination_of_outcomes_gives_a_sentence_that_hides_a_refutation() -> None:
    states = {(a, o): axis_evidence(a, o) for a in Axis for o in Outcome}
    policy = default_policy()
    combinations = dict.fromkeys(combinations_that_matter(policy))
    for outcomes in combinations:
        axes = tuple(states[pair] for pair in zip(Axis, outcomes, strict=True))
        wrong = hidden(CryptographicEvidence(axes=axes), policy, {"assay.statement.changedSinceSigned"})
        assert not wrong, ([o.value for o in outcomes], wrong)
    assert len(combinations) > 3 * (3 ** len(Axis) - 2 ** len(Axis))


@pytest.mark.timeless
@pytest.mark.parametrize("clean", [False, True], ids=["the built-in policy", "a policy that wants to hide"])
def test_a_refuted_finding_on_an_established_axis_is_said_as_well(clean: bool) -> None:
    policy = parse_policy(CLEAN.encode(), "test") if clean else default_policy()
    warnings = {r.id for r in policy.proof_rules if r.warns}
    no = Finding(code="assay.test", outcome=R, detail="no")
    states = {a: [axis_evidence(a, E), axis_evidence(a, E, no), axis_evidence(a, R)] for a in Axis}
    for evidence in every_combination(states):
        wrong = hidden(evidence, policy, warnings | {"assay.statement.changedSinceSigned"})
        assert not wrong, ([a.findings for a in evidence.axes], wrong)


def said(axes: dict[Axis, AxisEvidence]) -> tuple[Statement, ...]:
    base = {a: axis_evidence(a, E) for a in Axis}
    return conclude(CryptographicEvidence(axes=tuple({**base, **axes}.values())), default_policy(), AS_OF)


def test_a_version_1_claim_supports_no_statement_and_says_why() -> None:
    credential = axis_evidence(Axis.CREDENTIAL, E, version_refused(1))
    first, *rest = said({Axis.CREDENTIAL: credential})
    assert first.text.startswith("Credential not to be relied on: claim version 1 is below")
    assert not any(s.value for s in rest)


def test_without_a_refutation_nothing_is_withheld() -> None:
    by_id = {s.id: s.value for s in said({})}
    assert by_id["assay.statement.signedAndUnchanged"] is True
    assert by_id["assay.statement.registeredDevice"] is True
    assert not any(i.startswith(ID_PREFIX) for i in by_id)


def test_the_statement_that_asks_for_a_refuted_axis_is_true_beside_it() -> None:
    by_id = {s.id: s for s in said({Axis.INTEGRITY: axis_evidence(Axis.INTEGRITY, R)})}
    changed = by_id["assay.statement.changedSinceSigned"]
    assert changed.value is True
    assert changed.text.endswith("is not as it was signed.")


@pytest.mark.parametrize("axis", list(Axis))
def test_a_statement_beside_any_refuted_axis_is_false_and_names_it(axis: Axis) -> None:
    statements = {s.id: s for s in said({axis: axis_evidence(axis, R)})}
    signed = statements["assay.statement.signedAndUnchanged"]
    assert signed.value is False
    assert signed.text.startswith(f"Refuted: {wording.AXIS_TITLES[axis].lower()}.")


@pytest.mark.parametrize("refuted", [c for n in (1, 2, 8) for c in itertools.combinations(Axis, n)], ids=str)
def test_headline_text_and_page_open_with_the_same_words(refuted: tuple[Axis, ...]) -> None:
    base = signed_report()
    axes = tuple(axis_evidence(a, R if a in refuted else E) for a in Axis)
    proof = replace(base.cryptographic, axes=axes)
    report = replace(base, cryptographic=proof, statements=conclude(proof, default_policy(), AS_OF))
    document = report_json(report)
    head = headline(document)
    texts = [s["text"] for s in document["statements"] if s["id"].startswith(ID_PREFIX)]
    assert head.sentence.text == " ".join(texts)
    assert len(texts) == len(refuted)
    assert head.sentence.text in unescape(render_report(document))
    text = " ".join(render_text(report).split())
    opening = text[: text.index("CRYPTOGRAPHIC EVIDENCE")]
    assert head.sentence.text in opening
    assert "The holder of the key" not in opening
    assert "Refuted: " not in opening, "the sentence above says it"
    assert "Refuted: " not in " ".join(told.text for told in head.others)


def test_a_report_of_an_earlier_release_is_shown_with_its_refutation_first() -> None:
    base = signed_report()
    axes = tuple(axis_evidence(a, R if a is Axis.REVOCATION else E) for a in Axis)
    old = Statement(id="assay.statement.signedAndUnchanged", value=True, text="Signed and unchanged.")
    document = report_json(
        replace(base, cryptographic=replace(base.cryptographic, axes=axes), statements=(old,))
    )
    head = headline(document)
    assert head.sentence.text == "Revocation refuted: revoked at that time."
    assert head.others == ()


@pytest.mark.parametrize("code", ["signingCredential.untrusted", "timeStamp.untrusted"])
def test_what_version_1_called_refuted_for_its_lists_alone_is_shown_as_outside_them(code: str) -> None:
    axis = Axis.SIGNER if "signing" in code else Axis.TIME
    base = signed_report()
    old = AxisEvidence(axis=axis, outcome=R, findings=(Finding(code=code, outcome=R, detail="nobody"),))
    axes = tuple(old if a.axis is axis else a for a in base.cryptographic.axes)
    document = report_json(replace(base, cryptographic=replace(base.cryptographic, axes=axes)))
    assert "refuted" not in headline(document).sentence.text
    assert "Outside your lists" in render_report(document)


def test_a_report_says_in_short_what_its_rows_say_where_no_sentence_holds() -> None:
    established = (Axis.CREDENTIAL, Axis.INTEGRITY)
    axes = tuple(axis_evidence(a, E if a in established else Outcome.NOT_EXAMINED) for a in Axis)
    *_, last = conclude(CryptographicEvidence(axes=axes), default_policy(), AS_OF)
    assert (last.id, last.value) == (IN_SHORT_ID, True)
    assert last.text == "Established: credential, integrity. No sentence of the policy says more."


STATEMENT = "name='x'\nversion='1'\n[[statement]]\nid='{id}'\nrequires={{time='established'}}\ntrue='{true}'\nfalse='{false}'\nnull='c'\n"  # fmt: skip # noqa: E501


def policy_text(identifier: str = "a.b", true: str = "a", false: str = "b") -> str:
    return STATEMENT.format(id=identifier, true=true, false=false)


def test_the_example_that_the_refused_ones_differ_from_is_a_policy() -> None:
    assert parse_policy(policy_text(true="before {not_after}").encode(), "test").rules


@pytest.mark.parametrize(
    "text",
    [
        policy_text(ID_PREFIX + "revocation"),
        policy_text(PART_PREFIX + "credential"),
        policy_text(IN_SHORT_ID),
        policy_text("no dots"),
        policy_text(true=""),
        policy_text(true=" "),
        policy_text(true="x" * 241),
        policy_text(true="\\u202e").replace("'\\u202e'", '"\\u202e"'),
        policy_text(true="all is well for {somebody}"),
        policy_text(false="not before {not_after}"),
        policy_text() + policy_text().partition("\n[[")[1][1:] + policy_text().partition("\n[[")[2],
    ],
    ids=["a refutation's id", "a doubt's id", "in short", "no id", "empty", "blank", "too long", "invisible",
         "unknown word", "a word that is not filled", "one id twice"],
)  # fmt: skip
def test_a_policy_that_could_hide_something_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_policy(text.encode(), "test")
