"""Asset Rubrics (C2PA, 1.0) asked about a crJSON document as C2PA's own evaluators ask: the official ones,
and those that ``authn.policies.rubric_file`` read.

A label is what the rubric says about data that somebody signed, or about what one reader found: it is neither
an axis nor a statement. What the official files are and under which licence: ``c2pa/NOTICE.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from authn.core.plain import Json, list_of, map_of
from authn.core.promises import PROMISES
from authn.core.report import Level, RubricLabel
from authn.core.visible import visible
from authn.policies.formula.expression import MAX_STEPS, Expression, Scope, parse
from authn.policies.formula.tokens import FormulaError

INTEGRITY, SIGNALS = "integrity", "signals-local"
CONFORMANCE = ("conformance0.1-spec2.2", "conformance0.2-spec2.2", "conformance0.2-spec2.4")
RUBRICS = (INTEGRITY, SIGNALS, *CONFORMANCE)
DEFAULT = (INTEGRITY, SIGNALS, CONFORMANCE[-1])
MAX_SHOWN = 8
MAX_MANIFESTS = 64
MAX_TEXT = 1200
MAX_STEPS_OF_ALL = 2_000_000  # of one rubric over one document, whoever wrote the two
NOT_EVALUATED = "It could not be evaluated."
FAILED_EXIT = 10  # of a rubric that is applied as a policy, where what must not be found was found
_SPEC = re.compile(r"-spec(\d+\.\d+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricStatement:
    """``signal``: it is asked of every manifest and said where it is so, else it is asked of the document."""

    id: str
    expression: Expression
    fails: bool  # what it finds speaks against it
    warns: bool
    texts: Mapping[str, str]

    @property
    def signal(self) -> bool:
        return ":signal_" in self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """``sha256`` is that of the published file. ``follows``: it is applied as a policy, so that levels and an
    exit code follow from what it says."""

    key: str
    name: str
    issuer: str
    version: str
    sha256: str
    variables: Mapping[str, Json]
    expressions: Mapping[str, Expression]
    statements: tuple[RubricStatement, ...]
    follows: bool = False


@cache
def rubric(key: str) -> Rubric:
    """One of ``RUBRICS``. Raises ``KeyError``."""
    if key not in RUBRICS:
        raise KeyError(key)
    file = resources.files("authn.policies.rubrics").joinpath("c2pa", f"{key}.json")
    data = json.loads(file.read_text(encoding="utf-8"))
    return Rubric(
        key=key,
        name=data["name"],
        issuer=data["issuer"],
        version=data["version"],
        sha256=data["sha256"],
        variables={**data["variables"], **expected_version(key)},
        expressions={name: parse(text) for name, text in data["expressions"].items()},
        statements=tuple(
            RubricStatement(
                id=s["id"],
                expression=parse(s["expression"]),
                fails=bool(s.get("failIfMatched")),
                warns=bool(s.get("warnIfMatched")),
                texts={value: texts["en"] for value, texts in s["reportText"].items()},
            )
            for s in data["statements"]
        ),
    )


def expected_version(named: str) -> dict[str, Json]:
    """What the published evaluators take from the name of a rubric's file."""
    spec = _SPEC.search(named)
    return {"$expected_spec_version": spec[1]} if spec else {}


def labels(document: Json, keys: tuple[str, ...] = DEFAULT) -> tuple[RubricLabel, ...]:
    """What official rubrics say of a crJSON document, in their order."""
    return tuple(label for key in keys for label in labels_of(rubric(key), document))


def labels_of(asked: Rubric, document: Json) -> tuple[RubricLabel, ...]:
    """Signals are asked of every manifest and said where they are there, or something follows from them; each
    other statement is asked of the document and said. Past ``MAX_STEPS_OF_ALL`` steps, and of
    manifests past ``MAX_MANIFESTS``, what is left could not be evaluated."""
    budget = _Budget(MAX_STEPS_OF_ALL)
    found: list[RubricLabel] = []
    signals = [s for s in asked.statements if s.signal]
    for manifest in _nodes(map_of(document)) if signals else ():
        if budget.left <= 0:
            break
        said = (_said(asked, s, manifest, _name(manifest), budget) for s in signals)
        found.extend(label for label in said if label.value is True or label.level is not Level.NONE)
    if budget.left <= 0 or len(list_of(map_of(document).get("manifests"))) > MAX_MANIFESTS:
        found.extend(_label(asked, s, None, NOT_EVALUATED, "") for s in signals)
    found.extend(_said(asked, s, document, "", budget) for s in asked.statements if not s.signal)
    return tuple(found)


def unanswered(asked: Rubric) -> tuple[RubricLabel, ...]:
    """What it says of a credential that nobody could show it."""
    return tuple(_label(asked, s, None, NOT_EVALUATED, "") for s in asked.statements)


@dataclass(slots=True)
class _Budget:
    left: int


def _said(
    asked: Rubric, statement: RubricStatement, data: Json, manifest: str, budget: _Budget
) -> RubricLabel:
    steps = max(0, min(MAX_STEPS, budget.left))
    scope = Scope(variables=dict(asked.variables), expressions=asked.expressions, steps=steps)
    value, matches = _value(statement, data, scope, strict=asked.follows) if steps else (None, [])
    budget.left -= steps - max(0, scope.steps)
    key = "true" if value else "false"
    text = statement.texts.get(key, "") if value is not None else NOT_EVALUATED
    shown = [visible(str(m), 120) for m in matches[:MAX_SHOWN] if isinstance(m, str)]
    if PROMISES.search(text.replace("{{matches}}", " ".join(shown))):  # a file's words in our mouth
        shown = []
    filled = text.replace("{{matches}}", ", ".join(shown) or f"{len(matches)} found")
    return _label(asked, statement, value, filled[:MAX_TEXT], manifest)


def _label(
    asked: Rubric, statement: RubricStatement, value: bool | None, text: str, manifest: str
) -> RubricLabel:
    """What must not be found and could not be looked for has not been found absent."""
    follows = asked.follows and not value
    level = Level.ERROR if statement.fails and value is False else Level.WARNING
    return RubricLabel(
        rubric=f"{asked.key} {asked.version}",
        id=statement.id,
        value=value,
        warns=statement.warns and value is False,
        text=text,
        manifest=manifest,
        level=level if follows and (statement.fails or statement.warns) else Level.NONE,
        exit_code=FAILED_EXIT if follows and statement.fails else 0,
    )


def _value(
    statement: RubricStatement, data: Json, scope: Scope, *, strict: bool
) -> tuple[bool | None, list[Json]]:
    """As the published evaluators turn what an expression finds into a value. ``strict``: what they take for
    nothing found, since it is no list, is no answer."""
    try:
        found = statement.expression.of(data, scope)
    except FormulaError:
        return None, []
    matches = list_of(found)
    if statement.fails or statement.warns:
        answered = not strict or not found or isinstance(found, list)
        return (not matches if answered else None), matches
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
