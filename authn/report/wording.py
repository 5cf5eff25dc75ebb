"""Every word that a report says about evidence, by axis, outcome and question.

Neutral: no scale, no traffic light, no word that judges a picture. Each answer stands beside what it does
not prove. The words never decide anything; outcomes come from the evidence, texts only name them.
Labels follow the C2PA user-experience guidance ("not perceived to be on a scale"). The texts themselves are
in the tables of ``authn.report.language``; everything here reads the language of the rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

from authn.core.evidence import Axis, HeuristicOutcome, IdentityFinding, Outcome, Question
from authn.report.language import has, spoken, t, words


@dataclass(frozen=True, slots=True)
class Words:
    """An answer of at most eight words and one sentence on its limits."""

    answer: str
    not_proven: str


K = TypeVar("K")
V = TypeVar("V")


class Table(Mapping[K, V], Generic[K, V]):
    """Keys to what is said of them in the language of the rendering."""

    def __init__(self, keys: Iterable[K], say: Callable[[K], V]) -> None:
        self._keys = tuple(keys)
        self._say = say

    def __getitem__(self, key: K) -> V:
        if key not in self._keys:
            raise KeyError(key)
        return self._say(key)

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


@cache
def _pair(code: str, key: str) -> Words:
    table = words(code)
    return Words(table[f"{key}.answer"], table[f"{key}.limit"])


def pair(key: str) -> Words:
    """The two texts of a key; the same object each time, so that it can be recognised."""
    return _pair(spoken(), key)


AXIS_TITLES: Mapping[Axis, str] = Table(Axis, lambda a: t(f"axis.{a.value}.title"))
AXIS_QUESTIONS: Mapping[Axis, str] = Table(Axis, lambda a: t(f"axis.{a.value}.question"))
BADGES: Mapping[Outcome, str] = Table(Outcome, lambda o: t(f"badge.{o.value}"))
AXIS_WORDS: Mapping[tuple[Axis, Outcome], Words] = Table(
    [(a, o) for a in Axis for o in Outcome if has(f"axis.{a.value}.{o.value}.answer")],
    lambda k: pair(f"axis.{k[0].value}.{k[1].value}"),
)
QUESTION_TITLES: Mapping[Question, str] = Table(Question, lambda q: t(f"question.{q.value}.title"))
QUESTIONS: Mapping[Question, str] = Table(Question, lambda q: t(f"question.{q.value}.asks"))
HEURISTIC_BADGES: Mapping[HeuristicOutcome, str] = Table(HeuristicOutcome, lambda o: t(f"badge.{o.value}"))
IDENTITY_KINDS: Mapping[str, str] = Table(
    ("x509", "identity_claims_aggregation", "unknown"), lambda k: t(f"identity.kind.{k}")
)
IDENTITY_FINDINGS: Mapping[IdentityFinding, str] = Table(
    IdentityFinding, lambda f: t(f"identity.finding.{f.value}")
)
DISAGREEMENT_CODE = "assay.engines.disagreement"
# (axis, code of one of its findings): words that say it better than the outcome alone; first match wins.
# Used only where the axis is not established, so that no code can make an answer sound stronger.
REFINED = (
    (Axis.INTEGRITY, "assay.integrity.leavesOut"),
    (Axis.SIGNER, "claimSignature.mismatch"),
    (Axis.SIGNER, "signingCredential.expired"),
    (Axis.SIGNER, "signingCredential.invalid"),
    (Axis.CREDENTIAL, "manifest.inaccessible"),
    (Axis.CREDENTIAL, "assay.credential.unreadable"),
    (Axis.TIME, "timeStamp.mismatch"),
    (Axis.INTEGRITY, "claimSignature.mismatch"),
    (Axis.DEVICE, "assay.device.revoked"),
)
# Sentences that no policy can change stand first, one for each axis that is refuted (decision 0015).
_SENTENCES = {
    "PROOF_COLUMN": "column.proof",
    "PROOF_COLUMN_IS": "column.proof.is",
    "GUESS_COLUMN": "column.guess",
    "GUESS_COLUMN_IS": "column.guess.is",
    "NEVER_ADDED": "never_added",
    "NO_STATEMENT": "alone.nothing",
    "WITHHELD": "withheld",
    "LIMITS_TITLE": "limits.title",
    "IDENTITY_TITLE": "identity.title",
    "IDENTITY_NOT_PROVEN": "identity.limit",
    "WHO_SIGNS": "claims.title",
}


def __getattr__(name: str) -> str:
    """The sentences of ``_SENTENCES``, in the language of the rendering."""
    if name not in _SENTENCES:
        raise AttributeError(name)
    return t(_SENTENCES[name])


def disagreement() -> Words:
    """Where independent readers differ."""
    return pair("axis.disagreement")


def refined_words() -> tuple[tuple[Axis, str, Words], ...]:
    """``REFINED`` with its words."""
    return tuple((axis, code, _refined(axis, code)) for axis, code in REFINED)


def _refined(axis: Axis, code: str) -> Words:
    return pair(f"refined.{axis.value}.{code}")


def axis_words(axis: Axis, outcome: Outcome, codes: Iterable[str]) -> Words:
    """Words for one axis; ``codes`` are those of its findings."""
    if outcome not in (Outcome.ESTABLISHED, Outcome.OUTSIDE_LISTS):
        present = frozenset(codes)
        for refined_axis, code in REFINED:
            if refined_axis is axis and code in present:
                return _refined(axis, code)
        if outcome is Outcome.NOT_EXAMINED and DISAGREEMENT_CODE in present:
            return disagreement()
    return AXIS_WORDS.get((axis, outcome)) or pair("axis.outside")


def heuristic_words(
    question: Question, outcome: HeuristicOutcome, kind: str, *, applicable: bool, source: str = ""
) -> Words:
    """Words for one heuristic answer; ``kind``, ``applicable``, ``source`` (its id) are the source's own."""
    if outcome is HeuristicOutcome.ABSTAIN and applicable:
        return pair("heuristic.unvouched" if kind == "learned" else "heuristic.nothing")
    if outcome in (HeuristicOutcome.ABSTAIN, HeuristicOutcome.INCONCLUSIVE):
        return pair(f"heuristic.{outcome.value}")
    if source == "watermark" and outcome is HeuristicOutcome.SUPPORTS:
        return pair("mark.supports")
    own = f"metadata.{question.value}.{outcome.value}"
    if kind == "metadata" and has(f"{own}.answer"):
        return pair(own)
    return pair(f"heuristic.{question.value}.{outcome.value}")
