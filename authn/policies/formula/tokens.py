"""An expression as tokens (json-formula 2.0, the lexical part)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from authn.core.plain import Json

MAX_CHARS = 8000


class FormulaError(ValueError):
    """No expression, or one that cannot be evaluated on what it was given; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """``kind``: literal, name, quoted, global, end, or the operator itself."""

    kind: str
    value: Json = None


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<json>`(?:"(?:\\.|[^"\\`])*"|[^"`])*`)
    |(?P<string>"(?:\\.|[^"\\])*")
    |(?P<quoted>'(?:\\.|[^'\\])*')
    |(?P<number>\d*\.?\d+(?:[eE][-+]?\d+)?)
    |(?P<name>[^\W\d][\w$]*)
    |(?P<global>\$[\w$]*)
    |(?P<op>&&|\|\||\[\?|\[\]|==|!=|<>|<=|>=|[=<>!|&~+\-*/.,:{}()\[\]@])""",
    re.VERBOSE | re.DOTALL,
)
_BARE_QUOTE = re.compile(r'(?<!\\)"')
_SAME = {"=": "==", "<>": "!="}


def tokens(text: str) -> list[Token]:
    """Ends with one of kind ``end``. Raises ``FormulaError``."""
    if len(text) > MAX_CHARS:
        raise FormulaError(f"an expression has at most {MAX_CHARS} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FormulaError(f"character {at + 1} begins nothing that is known")
        at = match.end()
        if match.lastgroup != "space":
            found.append(_token(match, after=found[-1].kind if found else ""))
    return [*found, Token("end")]


def _token(match: re.Match[str], after: str) -> Token:
    kind, text = match.lastgroup, match.group()
    if kind == "op":
        return Token(_SAME.get(text, text))
    if kind == "name" or (kind == "global" and after == "."):  # behind a dot it is a key like others
        return Token("name", text)
    if kind == "global":
        return Token("global", text)
    if kind == "number":
        return Token("literal", int(text) if text.isdigit() else float(text))
    if kind == "quoted":
        return Token("quoted", _parsed('"' + _BARE_QUOTE.sub(r'\\"', text[1:-1]).replace("\\'", "'") + '"'))
    return Token("literal", _parsed(text if kind == "string" else text[1:-1].strip().replace("\\`", "`")))


def _parsed(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise FormulaError(f"a literal is not JSON: {e}") from e
    return value
