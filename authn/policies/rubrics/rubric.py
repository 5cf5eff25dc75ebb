"""The official Asset Rubrics 1.0 of C2PA, asked about a crJSON document as their own evaluators ask.

A label is what the rubric says about data that somebody signed, or about what one reader found: it is neither
an axis nor a statement, and counts nowhere. What the files are and under which licence: ``c2pa/NOTICE.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from authn.core.plain import Json, list_of, map_of
from authn.core.report import RubricLabel
from authn.core.visible import visible
from authn.policies.formula.expression import Expression, Scope, parse
from authn.policies.formula.tokens import FormulaError

INTEGRITY, SIGNALS = "integrity", "signals-local"
CONFORMANCE = ("conformance0.1-spec2.2", "conformance0.2-spec2.2", "conformance0.2-spec2.4")
RUBRICS = (INTEGRITY, SIGNALS, *CONFORMANCE)
DEFAULT = (INTEGRITY, SIGNALS, CONFORMANCE[-1])
MAX_SHOWN = 8
MAX_MANIFESTS = 64
_SPEC = re.compile(r"-spec(\d+\.\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    id: str
    expression: Expression
    fails: bool  # what it finds speaks against it
    warns: bool
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """``sha256`` is that of the published file."""

    key: str
    name: str
    version: str
    sha256: str
    variables: Mapping[str, Json]
    expressions: Mapping[str, Expression]
    statements: tuple[_Statement, ...]

    def scope(self) -> Scope:
        return Scope(variables=dict(self.variables), expressions=self.expressions)


@cache
def rubric(key: str) -> Rubric:
    """One of ``RUBRICS``. Raises ``KeyError``."""
    if key not in RUBRICS:
        raise KeyError(key)
    file = resources.files("authn.policies.rubrics").joinpath("c2pa", f"{key}.json")
    data = json.loads(file.read_text(encoding="utf-8"))
    spec = _SPEC.search(key)
    expected: dict[str, Json] = {"$expected_spec_version": spec[1]} if spec else {}
    return Rubric(
        key=key,
        name=data["name"],
        version=data["version"],
        sha256=data["sha256"],
        variables={**data["variables"], **expected},
        expressions={name: parse(text) for name, text in data["expressions"].items()},
        statements=tuple(
            _Statement(
                id=s["id"],
                expression=parse(s["expression"]),
                fails=bool(s.get("failIfMatched")),
                warns=bool(s.get("warnIfMatched")),
                texts={value: texts["en"] for value, texts in s["reportText"].items()},
            )
            for s in data["statements"]
        ),
    )


def labels(document: Json, keys: tuple[str, ...] = DEFAULT) -> tuple[RubricLabel, ...]:
    """What the rubrics say of a crJSON document, in their order. The signals are asked of every manifest and
    said where they are there; of the others each statement is said."""
    found: list[RubricLabel] = []
    for key in keys:
        asked = rubric(key)
        if key == SIGNALS:
            for manifest in _nodes(map_of(document)):
                found.extend(x for x in _said(asked, manifest, _name(manifest)) if x.value is True)
        else:
            found.extend(_said(asked, document, ""))
    return tuple(found)


def _said(asked: Rubric, data: Json, manifest: str) -> Iterator[RubricLabel]:
    for statement in asked.statements:
        value, matches = _value(statement, data, asked.scope())
        key = {True: "true", False: "false", None: "false"}[value]
        text = statement.texts.get(key, "") if value is not None else "It could not be evaluated."
        shown = [visible(str(m), 120) for m in matches[:MAX_SHOWN] if isinstance(m, str)]
        yield RubricLabel(
            rubric=f"{asked.key} {asked.version}",
            id=statement.id,
            value=value,
            warns=statement.warns and value is False,
            text=text.replace("{{matches}}", ", ".join(shown) or f"{len(matches)} found"),
            manifest=manifest,
        )


def _value(statement: _Statement, data: Json, scope: Scope) -> tuple[bool | None, list[Json]]:
    """As the published evaluators turn what an expression finds into a value."""
    try:
        found = statement.expression.of(data, scope)
    except FormulaError:
        return None, []
    matches = list_of(found)
    if statement.fails or statement.warns:
        return not matches, matches
    if isinstance(found, list):
        return bool(matches), []
    if isinstance(found, (bool, int, float)):
        return found > 0, []
    return found is not None, []


def _name(manifest: Json) -> str:
    return visible(str(map_of(manifest).get("label", "")), 120)


def _nodes(document: Mapping[str, Json]) -> Iterator[Json]:
    """The manifests, then one made up for each ingredient without a manifest whose source type is stated."""
    manifests = [map_of(m) for m in list_of(document.get("manifests"))[:MAX_MANIFESTS]]
    manifests = [m for m in manifests if m.get("label")]
    yield from manifests
    for manifest in manifests:
        assertions = map_of(manifest.get("assertions"))
        for key, value in assertions.items():
            ingredient = map_of(value)
            named = map_of(ingredient.get("activeManifest")).get("url")
            if not key.startswith("c2pa.ingredient") or named:
                continue
            if source := ingredient.get("digitalSourceType") or _opened(assertions):
                yield _made_up(str(manifest["label"]), str(ingredient.get("dc:title", "")), source)


def _opened(assertions: Mapping[str, Json]) -> Json:
    """The source type that an action says the opened picture has."""
    for key, value in assertions.items():
        if not key.startswith("c2pa.actions"):
            continue
        for action in map(map_of, list_of(map_of(value).get("actions"))):
            source = action.get("digitalSourceType")
            if source and action.get("action") == "c2pa.opened":
                return source
    return None


def _made_up(label: str, title: str, source: Json) -> Json:
    action: Json = {"action": "c2pa.created", "digitalSourceType": source}
    actions: Json = {"allActionsIncluded": True, "actions": [action]}
    return {"label": f"ingredient of {label}: {title}", "assertions": {"c2pa.actions.v2": actions}}
