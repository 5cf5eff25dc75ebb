"""The language that a report is told in: one table of words per language, chosen for one rendering.

A table is ``words/<code>.json``: key to text, with ``{names}`` for what is filled in. All tables have the
same keys and the same names, which a test holds. Texts that a report brings along in English (``said``) are
translated where a table knows the sentence, and are otherwise marked as English.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from markupsafe import Markup, escape

from authn.core.visible import visible

ENGLISH = "en"
LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = re.compile(rf"\b(\d{{1,2}}) ({'|'.join(_MONTHS)}) (\d{{4}})\b")
_INSTANT = re.compile(
    r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00)"
)  # whole seconds, as this house writes them
_NAME = re.compile(r"\\\{(\w+)\\\}")

_now: ContextVar[str] = ContextVar("language", default=ENGLISH)


def spoken() -> str:
    """The code of the language of this rendering."""
    return _now.get()


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Everything rendered within is told in this language; one that has no table is English."""
    token = _now.set(code if code in LANGUAGES else ENGLISH)
    try:
        yield
    finally:
        _now.reset(token)


def t(key: str, **values: object) -> str:
    """The text of a key in the language of this rendering. A missing key is a bug: ``KeyError``."""
    text = words(spoken())[key]
    return text.format(**values) if values else text


def has(key: str) -> bool:
    return key in words(ENGLISH)


@cache
def words(code: str) -> Mapping[str, str]:
    """The table of one language."""
    table: dict[str, str] = json.loads(_read(f"{code}.json"))
    return table


def _read(name: str) -> str:
    return resources.files("authn.report").joinpath("words", name).read_text(encoding="utf-8")


def count(n: int) -> str:
    """A whole number, its thousands apart as the language writes them."""
    return f"{n:,}".replace(",", t("number.thousands"))


def number(value: float, spec: str = ".3g") -> str:
    """A measured number, with the decimal sign of the language."""
    return format(value, spec).replace(".", t("number.decimal"))


def date(when: datetime) -> str:
    """A day, in UTC."""
    when = when.astimezone(UTC)
    return t("date", day=when.day, month=t(f"month.{when.month}"), year=when.year)


def clock(when: datetime) -> str:
    """A time to the second, in UTC."""
    return t("instant", date=date(when), time=f"{when.astimezone(UTC):%H:%M:%S}")


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence, visible, and the language it is in: not the rendering's where no table has it."""

    text: str
    code: str


def tell(text: str, limit: int = 500) -> Told:
    """A sentence that the report holds in English: translated where the table knows it, else as it is."""
    found = translated(text)
    if found is None:
        return Told(visible(text, limit), ENGLISH)
    return Told(visible(_moments(found), limit), spoken())


def told(text: str, limit: int = 500) -> str:
    """As ``tell``, for plain text, where no language can be marked."""
    return tell(text, limit).text


def said(text: str | Told, limit: int = 500) -> Markup:
    """As ``tell``, safe for a page: what is in another language is marked as such, so that a reader's voice
    knows."""
    found = tell(text, limit) if isinstance(text, str) else text
    if found.code == spoken():
        return escape(found.text)
    return Markup('<span lang="{}">{}</span>').format(found.code, found.text)


def translated(text: str) -> str | None:
    """What the table of this language has for an English sentence; None where it knows none."""
    code = spoken()
    if code == ENGLISH:
        return text
    for pattern, form in _sentences(code):
        if (found := pattern.fullmatch(text)) is not None:
            filled = {k: translated(v) or v for k, v in found.groupdict().items()}  # a part may be one too
            return form.format(**{k: _days(v) for k, v in filled.items()})
    return None


@cache
def _sentences(code: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    table: dict[str, str] = json.loads(_read(f"{code}.said.json"))
    return tuple(
        (re.compile(_NAME.sub(r"(?P<\1>.+?)", re.escape(english)), re.DOTALL), form)
        for english, form in table.items()
    )


def _moments(text: str) -> str:
    """Times of ISO 8601 inside a sentence, as people of this language read them."""
    return _INSTANT.sub(lambda m: _clock_of(m[0]), text)


def _clock_of(text: str) -> str:
    try:
        return clock(datetime.fromisoformat(text))
    except ValueError:  # of a day that no calendar has
        return text


def _days(text: str) -> str:
    """English dates inside a text, as the language writes them."""
    return _DAY.sub(
        lambda m: t("date", day=m[1], month=t(f"month.{_MONTHS.index(m[2]) + 1}"), year=m[3]), text
    )
