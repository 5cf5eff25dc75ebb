"""Hostile text becomes something that can be seen, on one line, of bounded length."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.core.visible import columns, visible, visible_block, wrapped


def attack_strings(suites: Path) -> list[str]:
    folder = suites / "c2pa" / "c2pa-attacks"
    lines = [line for f in sorted(folder.glob("*.attack")) for line in f.read_bytes().split(b"\n") if line]
    assert len(lines) > 25
    return [line.decode() for line in lines]


def harmless(text: str) -> bool:
    return all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in text)


@settings(deadline=None)
@given(st.text())
def test_nothing_invisible_remains(text: str) -> None:
    assert harmless(visible(text))


@settings(deadline=None)
@given(st.text(min_size=0, max_size=300), st.integers(min_value=1, max_value=50))
def test_length_is_bounded(text: str, limit: int) -> None:
    assert len(visible(text, limit)) <= 10 * limit + 40


def test_every_published_attack_string_is_harmless(suites: Path) -> None:
    for line in attack_strings(suites):
        assert harmless(visible(line))
        assert len(visible(line)) < 1000


def test_escapes_line_breaks_and_direction_are_spelled_out() -> None:
    assert visible("a\x1b[31m\r\nb") == "a⟨U+001B⟩[31m⟨U+000D⟩⟨U+000A⟩b"
    assert visible("photo\u202egnp.exe") == "photo⟨U+202E⟩gnp.exe"
    assert visible("in\u200bvisible\u00ad") == "in⟨U+200B⟩visible⟨U+00AD⟩"
    assert visible("\ud800") == "⟨U+D800⟩"


def test_letters_of_every_language_stay() -> None:
    for text in ("Łódź – naïve", "写真の署名", "צילום", "фото №7", "e\u0301te\u0301"):
        assert visible(text) == text


def test_stacked_accents_are_limited() -> None:
    assert visible("a" + "\u0301" * 200) == "a" + "\u0301" * 4


def test_what_is_cut_off_is_counted() -> None:
    assert visible("x" * 10_000, 100) == "x" * 100 + "… (9900 more characters)"


def test_a_block_keeps_its_lines_and_nothing_else() -> None:
    assert visible_block("a\n\tb\r\n", 100) == "a\n⟨U+0009⟩b⟨U+000D⟩\n"


@settings(deadline=None)
@given(
    st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"])), st.integers(min_value=2, max_value=60)
)
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("写真", 4), ("e\u0301", 1)])
def test_wide_letters_take_two_columns(text: str, width: int) -> None:
    assert columns(text) == width
