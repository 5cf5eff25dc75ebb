"""A rubric file of somebody's own (C2PA Asset Rubrics 1.0, YAML or JSON) into a ``Rubric``.

Strict, as policies are: what is not known is refused with its line, nothing is included or fetched, no name
of YAML's makes a value of another kind, and sizes are bounded before anything is read as an expression.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from authn.core.errors import PolicyError
from authn.core.plain import Json
from authn.core.visible import visible
from authn.policies.formula.expression import Expression, parse
from authn.policies.formula.tokens import FormulaError
from authn.policies.rubrics.documents import Documents, Malformed, json_documents, yaml_documents
from authn.policies.rubrics.rubric import Rubric, RubricStatement, expected_version
from authn.policies.sentences import checked

MAX_RUBRIC_BYTES = 256 * 1024
MAX_STATEMENTS, MAX_EXPRESSIONS, MAX_VARIABLES = 200, 200, 200
MAX_TITLE, MAX_TEXT = 240, 480
MATCHES = "{{matches}}"
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,120}")
_IS_RUBRIC = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*\{|^[\"']?rubric_metadata[\"']?\s*:", re.MULTILINE)
_INFORMATION = {"rubric_metadata", "variables", "expressions"}
_METADATA = {"name", "issuer", "date", "version", "language"}
_STATEMENT = {
    "id", "description", "expression", "specSection", "failIfMatched", "warnIfMatched", "reportText",
}  # fmt: skip
_INFORMING = {"id", "description", "title", "reportText"}

Entry = Mapping[str, Json]


def is_rubric(data: bytes) -> bool:
    """Whether these bytes mean to be a rubric and not a policy of this house, which no brace begins."""
    return _IS_RUBRIC.search(data) is not None


def read_rubric(data: bytes, origin: str) -> Rubric:
    """``origin`` names the file in errors. Raises ``PolicyError``; ``SystemLacking`` where PyYAML is not
    installed."""
    if len(data) > MAX_RUBRIC_BYTES:
        raise PolicyError(f"{origin} is too large for a rubric: at most {MAX_RUBRIC_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
        found = json_documents(text) if text.lstrip().startswith("{") else yaml_documents(text)
        return _rubric(found, data, origin)
    except ValueError as e:
        raise PolicyError(f"{origin} is not a rubric: {e}") from e


def _rubric(found: Documents, data: bytes, origin: str) -> Rubric:
    """Raises ``Malformed``."""
    information = _table(found.documents[0] if found.documents else None, "the first document")
    if "include" in information:
        raise Malformed("it includes other files, and nothing is read but the file itself")
    if own := [key for key in information if key not in _INFORMATION and ":" not in key]:
        raise Malformed(f"unknown keys: {visible(', '.join(own), 120)}")
    head = _table(information.get("rubric_metadata"), "rubric_metadata")
    if unknown := set(head) - _METADATA:
        raise Malformed(f"rubric_metadata has no {visible(', '.join(sorted(unknown)), 120)}")
    name, issuer, version = (
        _line(head.get(key), f"rubric_metadata.{key}") for key in ("name", "issuer", "version")
    )
    language = head.get("language", "en")
    statements: dict[str, RubricStatement] = {}
    for section in found.documents[1:]:
        for item in section if isinstance(section, list) else [section]:
            _take_in(statements, item, found, str(language))
    if not statements:
        raise Malformed("it has no statement with an expression")
    return Rubric(
        key=name,
        name=name,
        issuer=issuer,
        version=version,
        sha256=hashlib.sha256(data).hexdigest(),
        variables={**expected_version(origin.rpartition(".")[0]), **_variables(information)},
        expressions=_expressions(information),
        statements=tuple(statements.values()),
        follows=True,
    )


def _take_in(statements: dict[str, RubricStatement], item: Json, found: Documents, language: str) -> None:
    """Data blocks and statements without an expression say nothing of a file and are passed over, as C2PA's
    own evaluators pass them over."""
    entry = _table(item, "a statement")
    if set(entry) == {"block"}:
        return
    try:
        read = _statement(entry, language)
        _refuse_more(statements, read)
    except ValueError as e:
        line, named = found.line(item), entry.get("id")
        where = f"line {line}" if line else f"statement {len(statements) + 1}"
        who = f" ({visible(named, 120)})" if isinstance(named, str) else ""
        raise Malformed(f"{where}{who}: {e}") from e
    if read is not None:
        statements[read.id] = read


def _refuse_more(statements: Mapping[str, RubricStatement], read: RubricStatement | None) -> None:
    if read is not None and read.id in statements:
        raise Malformed("another statement has this id")
    if len(statements) >= MAX_STATEMENTS:
        raise Malformed(f"a rubric has at most {MAX_STATEMENTS} statements")


def _statement(entry: Entry, language: str) -> RubricStatement | None:
    given = entry.get("id")
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise Malformed("id is of letters, digits and _.:-")
    known = _STATEMENT if "expression" in entry else _INFORMING
    if unknown := set(entry) - known:
        raise Malformed(f"a statement has no {visible(', '.join(sorted(unknown)), 120)}")
    if "expression" not in entry:
        return None
    fails, warns = (_flag(entry, key) for key in ("failIfMatched", "warnIfMatched"))
    return RubricStatement(
        id=given,
        expression=_expression(entry["expression"], "expression"),
        fails=fails,
        warns=warns,
        texts=_texts(entry.get("reportText"), language),
    )


def _texts(given: Json, language: str) -> Mapping[str, str]:
    """For ``true`` and ``false`` one sentence each, in English where there is one."""
    table = (
        given
        if isinstance(given, dict) and set(given) <= {"true", "false"}
        else {"true": given, "false": given}
    )
    found = {}
    for value, texts in table.items():
        by_language = texts if isinstance(texts, dict) else {"en": texts}
        text = by_language.get("en") or by_language.get(language) or next(iter(by_language.values()), None)
        where = f"reportText.{value}"
        told = " ".join(text.split()) if isinstance(text, str) else ""
        checked(told.replace(MATCHES, "-"), where, filled=False, limit=MAX_TEXT)
        found[value] = told
    return found


def _variables(information: Entry) -> dict[str, Json]:
    table = _table(information.get("variables") or {}, "variables")
    if len(table) > MAX_VARIABLES or not all(key.startswith("$") for key in table) or "$args" in table:
        raise Malformed(
            f"variables are at most {MAX_VARIABLES}, each begins with $, and $args is none of them"
        )
    return {**table}


def _expressions(information: Entry) -> dict[str, Expression]:
    table = _table(information.get("expressions") or {}, "expressions")
    if len(table) > MAX_EXPRESSIONS or not all(key.startswith("_") for key in table):
        raise Malformed(f"expressions are at most {MAX_EXPRESSIONS}, and each begins with _")
    return {key: _expression(text, f"expressions.{visible(key, 80)}") for key, text in table.items()}


def _expression(given: Json, where: str) -> Expression:
    try:
        return parse(given.strip() if isinstance(given, str) else "")
    except FormulaError as e:
        raise Malformed(f"{where}: {e}") from e


def _flag(entry: Entry, key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise Malformed(f"{key} is true or false")
    return value


def _table(given: Json, what: str) -> dict[str, Json]:
    if not isinstance(given, dict):
        raise Malformed(f"{what} is no mapping")
    return given


def _line(given: Json, key: str) -> str:
    if not isinstance(given, str) or not given.strip() or visible(given, MAX_TITLE) != given:
        raise Malformed(f"{key} is one visible line of at most {MAX_TITLE} characters")
    return given
