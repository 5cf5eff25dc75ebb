"""A policy file (TOML) into a ``Policy``; docs/policies.md describes the format.

Strict: what is not known is refused, with the line of its statement, since a key that is misspelt would
otherwise be a rule that nobody applies. Nothing is fetched and nothing is run.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from authn.core.contradiction_codes import FOUND_LATER, ContradictionCode
from authn.core.errors import PolicyError
from authn.core.evidence import Axis, Outcome, Question
from authn.core.plain import Json
from authn.core.report import Join, Level
from authn.core.visible import visible
from authn.policies.formula.expression import Expression, parse
from authn.policies.formula.tokens import FormulaError
from authn.policies.policy import (
    BothRule,
    ContradictionRule,
    Effect,
    Effects,
    HintRule,
    Policy,
    ProofRule,
    Rule,
    Texts,
)
from authn.policies.sentences import checked, identifier

MAX_POLICY_BYTES = 1024 * 1024
MAX_RULES = 200
MAX_TITLE = 240
SOURCE_KINDS = ("learned", "signal", "metadata")
EXIT_CODES = frozenset({0, 1, *range(10, 100)})  # the others have meanings of their own (docs/cli.md)
VALUES = ("true", "false", "null")
_HEADER = re.compile(r"^\s*\[\[\s*statement\s*\]\]", re.MULTILINE)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_ANY = {"id", "kind", "description", "level", "exit"}
_KEYS = {
    "cryptographic": _ANY | {"requires", "unless", "expression", *VALUES},
    "heuristic": _ANY | {"warns_of", "by", "true"},
    "both": _ANY | {"all_of", "any_of"},
    "contradiction": _ANY | {"contradicts", "true"},
}

T = TypeVar("T", bound=str)
Entry = Mapping[str, Json]


def parse_policy(data: bytes, origin: str) -> Policy:
    """``origin`` names the file in errors. Raises ``PolicyError``."""
    try:
        text = data.decode("utf-8")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise PolicyError(f"{origin} is not a policy: {e}") from e
    entries = table.pop("statement", None)
    if not isinstance(entries, list) or not entries:
        raise PolicyError(f"{origin} is not a policy: it has no [[statement]]")
    if len(entries) > MAX_RULES or len(data) > MAX_POLICY_BYTES:
        raise PolicyError(f"{origin} is too large for a policy: at most {MAX_RULES} statements")
    head = _head(table, origin)
    lines = [text.count("\n", 0, m.end()) + 1 for m in _HEADER.finditer(text)]
    rules: list[Rule] = []
    for index, entry in enumerate(entries):
        where = f"line {lines[index]}" if len(lines) == len(entries) else f"statement {index + 1}"
        try:
            rules.append(_rule(entry, head.languages, {r.id: r for r in rules}))
        except ValueError as e:
            named = entry.get("id") if isinstance(entry, dict) else None
            who = f" ({visible(named, 120)})" if isinstance(named, str) else ""
            raise PolicyError(f"{origin}, {where}{who}: {e}") from e
    return replace(head, sha256=hashlib.sha256(data).hexdigest(), toml=data, rules=tuple(rules))


def _head(table: dict[str, Json], origin: str) -> Policy:
    """Everything but the statements. Raises ``PolicyError``."""
    try:
        name, version = (_line(table.pop(key, None), key) for key in ("name", "version"))
        issuer, about = (_line(table.pop(key, ""), key, empty=True) for key in ("issuer", "description"))
        languages = _languages(table.pop("languages", ["en"]))
        _nothing_left(table)
    except ValueError as e:
        raise PolicyError(f"{origin} is not a policy: {e}") from e
    return Policy(
        name=name,
        version=version,
        issuer=issuer,
        description=about,
        languages=languages,
        sha256="",
        toml=b"",
        rules=(),
    )


def _nothing_left(table: Mapping[str, Json]) -> None:
    if table:
        raise ValueError(f"unknown keys: {visible(', '.join(table))}")


def _rule(given: object, languages: tuple[str, ...], before: Mapping[str, Rule]) -> Rule:
    """Raises ``ValueError``."""
    entry = given if isinstance(given, dict) else {}
    kind = entry.get("kind", "cryptographic")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise ValueError(f"kind is one of {', '.join(_KEYS)}")
    if unknown := set(entry) - _KEYS[kind]:
        raise ValueError(f"a {kind} statement has no {visible(', '.join(sorted(unknown)))}")
    if identifier(entry.get("id")) in before:
        raise ValueError("another statement has this id")
    if kind == "cryptographic":
        return _proof_rule(entry, languages)
    if kind == "contradiction":
        return _contradiction_rule(entry, languages)
    return _hint_rule(entry, languages) if kind == "heuristic" else _both_rule(entry, before)


def _proof_rule(entry: Entry, languages: tuple[str, ...]) -> ProofRule:
    requires, unless = entry.get("requires"), entry.get("unless", [])
    if not isinstance(requires, dict) or not requires:
        raise ValueError("requires names an outcome for one axis or more")
    if not isinstance(unless, list) or not all(isinstance(code, str) for code in unless):
        raise ValueError("unless is a list of codes")
    true, false, null = (_texts(entry, key, languages) for key in VALUES)
    return ProofRule(
        id=identifier(entry.get("id")),
        description=_line(entry.get("description", ""), "description", empty=True),
        requires=tuple(
            (_one_of(Axis, axis, "requires"), _several(Outcome, wanted, f"requires.{axis}"))
            for axis, wanted in requires.items()
        ),
        unless=tuple(str(code) for code in unless),
        where=_expression(entry["expression"]) if "expression" in entry else None,
        true=true,
        false=false,
        null=null,
        effect=_effect(entry),
    )


def _hint_rule(entry: Entry, languages: tuple[str, ...]) -> HintRule:
    return HintRule(
        id=identifier(entry.get("id")),
        description=_line(entry.get("description", ""), "description", empty=True),
        questions=_several(Question, entry.get("warns_of"), "warns_of"),
        kinds=_several(_source_kind, entry["by"], "by") if "by" in entry else (),
        true=_texts(entry, "true", languages),
        effect=_effect(entry),
    )


def _contradiction_rule(entry: Entry, languages: tuple[str, ...]) -> ContradictionRule:
    codes = _several(ContradictionCode, entry.get("contradicts"), "contradicts")
    if later := FOUND_LATER.intersection(codes):
        named = ", ".join(sorted(later))
        raise ValueError(f"contradicts: {named} is found after a policy has spoken; --fail-on names it")
    return ContradictionRule(
        id=identifier(entry.get("id")),
        description=_line(entry.get("description", ""), "description", empty=True),
        codes=codes,
        true=_texts(entry, "true", languages),
        effect=_effect(entry),
    )


def _both_rule(entry: Entry, before: Mapping[str, Rule]) -> BothRule:
    joins = [join for join in Join if f"{join}_of" in entry]
    if len(joins) != 1:
        raise ValueError("a statement of both kinds has either all_of or any_of")
    named = entry[f"{joins[0]}_of"]
    parts = [before.get(str(one)) for one in named] if isinstance(named, list) else []
    proof = [p.id for p in parts if isinstance(p, ProofRule)]
    hint = [p.id for p in parts if isinstance(p, HintRule)]
    if len(parts) != 2 or len(proof) != 1 or len(hint) != 1:
        raise ValueError(f"{joins[0]}_of names one cryptographic and one heuristic statement from above")
    return BothRule(
        id=identifier(entry.get("id")),
        description=_line(entry.get("description", ""), "description", empty=True),
        join=joins[0],
        proof=proof[0],
        hint=hint[0],
        effect=_effect(entry),
    )


def _expression(given: Json) -> Expression:
    try:
        return parse(given if isinstance(given, str) else "")
    except FormulaError as e:
        raise ValueError(f"expression: {e}") from e


def _texts(entry: Entry, key: str, languages: tuple[str, ...]) -> Texts:
    """One sentence for each of the languages; a bare sentence is English."""
    given = entry.get(key)
    if isinstance(given, str):
        given = {"en": given}
    if not isinstance(given, dict) or set(given) != set(languages):
        raise ValueError(f"{key} needs one sentence for each of these languages: {', '.join(languages)}")
    filled = key == "true"
    return {language: checked(given[language], key, filled=filled) for language in languages}


def _effect(entry: Entry) -> Effect:
    level, code = entry.get("level", {}), entry.get("exit", {})
    for name, given in (("level", level), ("exit", code)):
        if not isinstance(given, dict) or not set(given) <= set(VALUES):
            raise ValueError(f"{name} is a table with some of {', '.join(VALUES)}")
    assert isinstance(level, dict)
    assert isinstance(code, dict)
    true, false, null = (
        Effects(level=_one_of(Level, level.get(v, Level.NONE), "level"), exit_code=_exit(code.get(v, 0)))
        for v in VALUES
    )
    return Effect(true=true, false=false, null=null)


def _exit(given: Json) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given not in EXIT_CODES:
        raise ValueError("an exit code of a statement is 0, 1, or from 10 to 99")
    return given


def _source_kind(given: str) -> str:
    if given not in SOURCE_KINDS:
        raise ValueError
    return given


def _several(kind: Callable[[str], T], given: Json, where: str) -> tuple[T, ...]:
    """One or a list, none twice. Raises ``ValueError``."""
    listed = given if isinstance(given, list) else [given]
    found = tuple(_one_of(kind, one, where) for one in listed)
    if not found or len(set(found)) != len(found):
        raise ValueError(f"{where} is empty, or names one twice")
    return found


def _one_of(kind: Callable[[str], T], given: object, where: str) -> T:
    try:
        if isinstance(given, str):
            return kind(given)
    except ValueError:
        pass
    known = SOURCE_KINDS if kind is _source_kind else list(kind)  # type: ignore[call-overload]
    raise ValueError(f"{where}: {visible(str(given), 80)!r} is none of {', '.join(known)}")


def _languages(given: Json) -> tuple[str, ...]:
    listed = given if isinstance(given, list) else []
    found = tuple(str(one) for one in listed)
    if "en" not in found or len(set(found)) != len(found) or not all(map(_LANGUAGE.fullmatch, found)):
        raise ValueError('languages is a list of language tags, "en" among them, none twice')
    return found


def _line(given: Json, key: str, *, empty: bool = False) -> str:
    if not isinstance(given, str) or visible(given, MAX_TITLE) != given or not (given.strip() or empty):
        raise ValueError(f"{key} is one visible line of at most {MAX_TITLE} characters")
    return given
