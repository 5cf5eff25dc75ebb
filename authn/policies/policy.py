"""A policy as frozen values: what ``authn.policies.reading`` makes of a file and ``judging`` asks.

There are four kinds of rule, and none can be turned into another: a ``ProofRule`` sees cryptographic
evidence alone, a ``HintRule`` what heuristic sources warn of, a ``BothRule`` one statement of each, by id, a
``ContradictionRule`` which contradictions the report has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authn.core.contradiction_codes import ContradictionCode
from authn.core.evidence import Axis, Outcome, Question
from authn.core.report import Join, Level
from authn.policies.formula.expression import Expression
from authn.policies.rubrics.rubric import Rubric

Texts = Mapping[str, str]  # language (BCP 47) -> sentence; "en" is always there


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What follows from one value of a statement: a SARIF level, and an exit code of the command."""

    level: Level = Level.NONE
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """By the value of the statement; ``null`` where it could not be evaluated."""

    true: Effects = Effects()
    false: Effects = Effects()
    null: Effects = Effects()

    def of(self, value: bool | None) -> Effects:
        return self.null if value is None else self.true if value else self.false


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRule:
    """True where every axis of ``requires`` has one of its outcomes, no finding is one of ``unless``, and
    ``where`` (None: nothing more is asked) holds of the cryptographic column: it can narrow and not widen."""

    id: str
    description: str
    requires: tuple[tuple[Axis, tuple[Outcome, ...]], ...]
    unless: tuple[str, ...]
    where: Expression | None
    true: Texts
    false: Texts
    null: Texts
    effect: Effect

    @property
    def warns(self) -> bool:
        """It can be true only where an axis is refuted; every other statement may read as good."""
        return any(set(wanted) == {Outcome.REFUTED} for _, wanted in self.requires)


@dataclass(frozen=True, slots=True, kw_only=True)
class HintRule:
    """True where a source of the ``kinds`` (empty: of any) answers one of the ``questions`` with "supports".

    There is nothing else that it could be true of, so it can warn and no more; and it brings a sentence for
    that case alone, so no policy says what it means that nothing was found."""

    id: str
    description: str
    questions: tuple[Question, ...]
    kinds: tuple[str, ...]
    true: Texts
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class BothRule:
    """Two statements, one of each kind, joined. It has no sentence of its own: the two are shown."""

    id: str
    description: str
    join: Join
    proof: str
    hint: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class ContradictionRule:
    """True where the report has a contradiction with one of the ``codes``; like a hint it can warn and no
    more, and brings a sentence for that case alone."""

    id: str
    description: str
    codes: tuple[ContradictionCode, ...]
    true: Texts
    effect: Effect


Rule = ProofRule | HintRule | BothRule | ContradictionRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``toml`` is the file as it was read; ``sha256`` is its digest, which reports name. ``rubric``: it is an
    Asset Rubric, and says its labels beside the statements of the default policy."""

    name: str
    version: str
    issuer: str
    description: str
    languages: tuple[str, ...]
    sha256: str
    toml: bytes
    rules: tuple[Rule, ...]
    rubric: Rubric | None = None

    @property
    def proof_rules(self) -> tuple[ProofRule, ...]:
        return tuple(r for r in self.rules if isinstance(r, ProofRule))

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
