"""YAML documents and JSON as plain values, with the line that each mapping begins in; nothing else is here.

YAML is read event by event: no anchors and aliases, which could hold a file that grows without end, no tags,
no merge keys, no key twice; a scalar without quotes is null, true, false, a number as JSON has it, or a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from authn.core.extras import need
from authn.core.plain import Json

MAX_VALUES, MAX_DEPTH = 20_000, 32
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Json] = {"": None, "~": None, "null": None, "true": True, "false": False}


class Malformed(ValueError):
    """What stands there cannot be read, or is not what should stand there; ``str()`` says where and why."""


@dataclass(frozen=True, slots=True)
class Documents:
    """``documents``: the values, one for each document."""

    documents: list[Json]
    lines: dict[int, int] = field(default_factory=dict)

    def line(self, value: Json) -> int | None:
        """Counted from 1; None where it is not known."""
        return self.lines.get(id(value))


def json_documents(text: str) -> Documents:
    """Of C2PA's JSON form: ``information_block`` and ``sections``. Raises ``ValueError``."""
    try:
        whole = json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
    except RecursionError as e:
        raise Malformed("it is nested too deeply") from e
    if not isinstance(whole, dict) or set(whole) != {"information_block", "sections"}:
        raise Malformed("as JSON it has an information_block and sections, and nothing else")
    sections = whole["sections"]
    if not isinstance(sections, list):
        raise Malformed("sections is a list")
    return Documents([whole["information_block"], *sections])


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a key stands twice in one mapping")
    return found


def _refused(name: str) -> Json:
    raise Malformed(f"{name} is no number")


def yaml_documents(text: str) -> Documents:
    """Raises ``Malformed`` with the line; ``SystemLacking`` where PyYAML is not installed."""
    need("rubrics")
    import yaml

    reader = _Reader(iter(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))))
    try:
        return reader.documents()
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise Malformed(f"{where}{getattr(e, 'problem', None) or 'it is no YAML'}") from e


class _Reader:
    """Values out of events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._left = MAX_VALUES
        self._lines: dict[int, int] = {}

    def documents(self) -> Documents:
        events = self._events
        found = [self._value(next(events), MAX_DEPTH) for e in events if _kind(e) == "DocumentStart"]
        return Documents(found, self._lines)

    def _value(self, event: Any, depth: int) -> Json:
        line = event.start_mark.line + 1
        self._left -= 1
        if self._left < 0 or depth < 0:
            raise Malformed(f"line {line}: it holds too much, or is nested too deeply")
        if _kind(event) == "Alias" or event.anchor is not None:
            raise Malformed(f"line {line}: anchors and aliases are not read")
        if event.tag is not None:
            raise Malformed(f"line {line}: tags are not read")
        if _kind(event) == "Scalar":
            return _plain(event.value) if event.implicit[0] else str(event.value)
        if _kind(event) == "SequenceStart":
            return self._sequence(depth)
        found = self._mapping(depth, line)
        self._lines[id(found)] = line
        return found

    def _sequence(self, depth: int) -> Json:
        found: list[Json] = []
        while _kind(event := next(self._events)) != "SequenceEnd":
            found.append(self._value(event, depth - 1))
        return found

    def _mapping(self, depth: int, line: int) -> Json:
        found: dict[str, Json] = {}
        while _kind(event := next(self._events)) != "MappingEnd":
            key = str(event.value) if _kind(event) == "Scalar" else None
            self._value(event, depth - 1)
            if key is None or key in found or key == "<<":
                raise Malformed(f"line {line}: keys are texts, each once in a mapping")
            found[key] = self._value(next(self._events), depth - 1)
        return found


def _kind(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")


def _plain(text: str) -> Json:
    """A scalar without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)
    return text
