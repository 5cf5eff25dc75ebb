"""What a policy says of one file.

``proof_statements`` takes ``CryptographicEvidence`` alone: its type is the guarantee that no classifier
changes a statement about provenance. ``_hint`` takes heuristic evidence alone, and is true only of a warning.
Where a policy names both, the two sentences are shown, each with its kind; they are never added up.

No policy can hide a refutation (docs/decisions/0015). Whatever it says, one sentence for each refuted axis
stands before its own, each of its own names them again, and none of them that could be true of a file without
a refutation is true of one with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from authn.core.contradiction_codes import OF_PROOF, could_show
from authn.core.evidence import CryptographicEvidence, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.plain import Json
from authn.core.report import (
    Contradiction,
    Join,
    Level,
    PolicyStatement,
    Statement,
    StatementKind,
    cryptographic_json,
)
from authn.policies.formula.expression import Expression, Scope
from authn.policies.formula.functions import truth
from authn.policies.formula.tokens import FormulaError
from authn.policies.policy import BothRule, ContradictionRule, Effects, HintRule, Policy, ProofRule, Rule
from authn.policies.sentences import HouseWords, filled, house_words, refuted_beside
from authn.report.doubts import IN_SHORT_ID, Axes, Doubt, alone, doubts

REFUTED_EFFECTS = Effects(level=Level.ERROR, exit_code=1)
PART_EFFECTS = Effects(level=Level.WARNING)


def conclude(evidence: CryptographicEvidence, policy: Policy, as_of: datetime) -> tuple[Statement, ...]:
    """The refutations, then the policy's statements about proof, in English; one in short where none of these
    is true."""
    axes = {a.axis: a for a in evidence.axes}
    found = doubts(axes)
    rest = proof_statements(evidence, policy, as_of, {"en": refuted_beside(found, "en")})
    spoken = tuple(Statement(id=s.id, value=s.value, text=s.text) for s in (*_refutations(found), *rest))
    if any(s.value for s in spoken):
        return spoken
    return (*spoken, Statement(id=IN_SHORT_ID, value=True, text=alone(axes)))


def judge(
    evidence: CryptographicEvidence,
    guesses: Sequence[HeuristicEvidence],
    policy: Policy,
    as_of: datetime,
    contradictions: Sequence[Contradiction] = (),
) -> tuple[PolicyStatement, ...]:
    """The refutations, then every statement of the policy in its order, with kind, level and exit code.
    ``contradictions``: those of the report."""
    found = doubts({a.axis: a for a in evidence.axes})
    before = {language: refuted_beside(found, language) for language in policy.languages}
    said = {s.id: s for s in proof_statements(evidence, policy, as_of, before)}
    for rule in policy.rules:
        if isinstance(rule, HintRule):
            said[rule.id] = _hint(rule, guesses, before)
        elif isinstance(rule, BothRule):
            said[rule.id] = _both(rule, said[rule.proof], said[rule.hint])
        elif isinstance(rule, ContradictionRule):
            said[rule.id] = _contradicted(rule, contradictions, guesses, before)
    return (*_refutations(found), *(said[rule.id] for rule in policy.rules))


def proof_statements(
    evidence: CryptographicEvidence, policy: Policy, as_of: datetime, before: Mapping[str, str]
) -> tuple[PolicyStatement, ...]:
    """Those of the policy that rest on cryptographic evidence. ``before``: what names the refuted axes in
    each language that is asked for, empty where there is none."""
    axes = {a.axis: a for a in evidence.axes}
    column = partial(cryptographic_json, evidence)
    return tuple(_proof(rule, evidence, axes, before, as_of, column) for rule in policy.proof_rules)


def _refutations(found: tuple[Doubt, ...]) -> tuple[PolicyStatement, ...]:
    return tuple(
        PolicyStatement(
            id=d.id,
            kind=StatementKind.CRYPTOGRAPHIC,
            value=True,
            level=effects.level,
            exit_code=effects.exit_code,
            texts=(("en", d.sentence),),
        )
        for d in found
        for effects in (REFUTED_EFFECTS if d.whole else PART_EFFECTS,)
    )


def _proof(
    rule: ProofRule,
    evidence: CryptographicEvidence,
    axes: Axes,
    before: Mapping[str, str],
    as_of: datetime,
    column: Callable[[], Json],
) -> PolicyStatement:
    """Beside a refuted axis nothing is true but a statement about one."""
    value = _value(rule, axes)
    if value and rule.where is not None:
        value = _holds(rule.where, column())
    withheld = bool(value and any(before.values()) and not rule.warns)
    said = rule.true if value else rule.null if value is None else rule.false
    texts = {}
    for language, refuted in before.items():
        text = house_words(language).withheld if withheld else said[language]
        if value and not withheld:
            text = filled(text, evidence, as_of, language)
        texts[language] = f"{refuted} {text}" if refuted else text
    return _statement(rule, StatementKind.CRYPTOGRAPHIC, False if withheld else value, texts)


def _value(rule: ProofRule, axes: Axes) -> bool | None:
    failed = [o for axis, wanted in rule.requires if (o := axes[axis].outcome) not in wanted]
    if any(o is not Outcome.NOT_EXAMINED for o in failed):
        return False
    if failed:
        return None
    unless = rule.unless
    return not (unless and any(f.code in unless for axis in axes.values() for f in axis.findings))


def _holds(where: Expression, column: Json) -> bool | None:
    """``None`` for null, and where it cannot be evaluated, as the Asset Rubrics have it."""
    try:
        found = where.of(column, Scope())
    except FormulaError:
        return None
    return None if found is None else truth(found)


def _hint(rule: HintRule, guesses: Sequence[HeuristicEvidence], before: Mapping[str, str]) -> PolicyStatement:
    asked = [
        g
        for g in guesses
        if g.question in rule.questions and g.part_of is None and (not rule.kinds or g.kind in rule.kinds)
    ]
    warned = any(g.outcome is HeuristicOutcome.SUPPORTS for g in asked)
    value = True if warned else False if any(map(_looked, asked)) else None
    texts = _warning(rule, value, before, lambda words: (words.hint, words.nothing_found))
    return _statement(rule, StatementKind.HEURISTIC, value, texts)


def _contradicted(
    rule: ContradictionRule,
    contradictions: Sequence[Contradiction],
    guesses: Sequence[HeuristicEvidence],
    before: Mapping[str, str],
) -> PolicyStatement:
    """Null where none was found and nobody looked who could have found one."""
    found = any(c.code in rule.codes for c in contradictions)
    looked = [g for g in guesses if _looked(g)]
    could = OF_PROOF.issuperset(rule.codes) or any(could_show(g, code) for g in looked for code in rule.codes)
    value = True if found else False if could else None
    texts = _warning(rule, value, before, lambda words: (words.contradiction, words.no_contradiction))
    return _statement(rule, StatementKind.CONTRADICTION, value, texts)


def _warning(
    rule: HintRule | ContradictionRule,
    value: bool | None,
    before: Mapping[str, str],
    around: Callable[[HouseWords], tuple[str, str]],
) -> dict[str, str]:
    """The sentence of a statement that can only warn. ``around``: the words that stand around the policy's
    own, and those for a warning that is not there."""
    texts = {}
    for language, refuted in before.items():
        words = house_words(language)
        frame, nothing = around(words)
        own = frame.format(text=rule.true[language]) if value else None
        text = own or (words.nobody_asked if value is None else nothing)
        texts[language] = f"{refuted} {text}" if refuted else text
    return texts


def _looked(guess: HeuristicEvidence) -> bool:
    """Whether it had something to say. What metadata lack was looked for; a network that abstains was not
    vouched for and says nothing."""
    if guess.outcome is HeuristicOutcome.ABSTAIN:
        return guess.applicable and guess.kind == "metadata"
    return guess.applicable


def _both(rule: BothRule, proof: PolicyStatement, hint: PolicyStatement) -> PolicyStatement:
    texts = {}
    hints = dict(hint.texts)
    for language, text in proof.texts:
        words = house_words(language)
        by = words.proof.format(text=text)
        texts[language] = f"{by} {words.joins[rule.join]} {hints[language]}"
    value = joined(rule.join, proof.value, hint.value)
    return _statement(rule, StatementKind.BOTH, value, texts)


def joined(join: Join, one: bool | None, other: bool | None) -> bool | None:
    """As Kleene has it: what could not be evaluated decides nothing that the other does not decide alone."""
    deciding = join is Join.ANY
    if one is deciding or other is deciding:
        return deciding
    return None if one is None or other is None else not deciding


def _statement(
    rule: Rule, kind: StatementKind, value: bool | None, texts: Mapping[str, str]
) -> PolicyStatement:
    effects = rule.effect.of(value)
    return PolicyStatement(
        id=rule.id,
        kind=kind,
        value=value,
        level=effects.level,
        exit_code=effects.exit_code,
        texts=tuple(texts.items()),
        of=(rule.proof, rule.hint) if isinstance(rule, BothRule) else (),
        join=rule.join if isinstance(rule, BothRule) else None,
    )
