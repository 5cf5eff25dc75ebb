"""Text chosen by strangers, made harmless for the eye and for the terminal.

A manifest, a certificate or a file name can hold terminal escapes, line breaks, right-to-left overrides and
invisible letters. Here each becomes something that can be seen. Escaping for HTML is left to the template
engine; this module does not know about markup.
"""

from __future__ import annotations

import unicodedata

MAX_TEXT_CHARS = 400
# More stacked accents than any language writes would run over the lines above and below.
MAX_COMBINING_RUN = 4

# Cc control, Cf format (bidi, zero width, soft hyphen), Cs lone surrogate, Co private use, Zl/Zp separators
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")  # letters and symbols that draw nothing


def visible(text: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """One line of at most about ``max_chars``; what was cut off is counted, never dropped silently."""
    kept = text[:max_chars]
    if not (kept.isascii() and kept.isprintable()):  # most names are, and pages show millions
        kept = "".join(_shown(kept))
    more = len(text) - max_chars
    return kept if more <= 0 else f"{kept}… ({more} more characters)"


def visible_block(text: str, max_chars: int) -> str:
    """Several lines: as ``visible``, but line feeds remain."""
    kept = text[:max_chars]
    lines = "\n".join("".join(_shown(line)) for line in kept.split("\n"))
    more = len(text) - max_chars
    return lines if more <= 0 else f"{lines}\n… ({more} more characters)"


def _shown(text: str) -> list[str]:
    out: list[str] = []
    stacked = 0
    for c in text:
        stacked = stacked + 1 if unicodedata.combining(c) else 0
        if stacked <= MAX_COMBINING_RUN:
            out.append(_shown_character(c))
    return out


def _shown_character(c: str) -> str:
    if unicodedata.category(c) in _HIDDEN or c in _BLANK_LETTERS:
        return f"⟨U+{ord(c):04X}⟩"  # not the control pictures of Unicode: many fonts lack them
    if unicodedata.category(c) == "Zs":
        return " "
    return c


def columns(text: str) -> int:
    """Width on a terminal: East Asian wide letters take two columns, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def wrapped(text: str, width: int) -> tuple[str, ...]:
    """Lines of at most ``width`` terminal columns, broken at spaces where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        candidate = f"{line} {word}" if line else word
        if columns(candidate) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        line = word
        while columns(line) > width:
            head = _head(line, width)
            lines.append(head)
            line = line[len(head) :]
    return (*lines, line)


def _head(text: str, width: int) -> str:
    used = 0
    for i, c in enumerate(text):
        used += columns(c)
        if used > width:
            return text[: max(i, 1)]
    return text
