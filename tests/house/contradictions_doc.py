"""Writes the table of contradictions into docs/codes.md: ``python -m tests.house.contradictions_doc``."""

from __future__ import annotations

from collections.abc import Iterator

from authn.examine.contradictions import ALL_ROWS
from authn.report.language import speaking, t
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "codes.md"
BEGIN, END = (
    "<!-- contradictions: python -m tests.house.contradictions_doc -->\n",
    "<!-- end of contradictions -->",
)


def table() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| code | severity | what | beside what | innocent reasons |"
    yield "|---|---|---|---|---|"
    with speaking("en"):
        for row in ALL_ROWS:
            severity = f"{row.severity.value}: {t(f'severity.{row.severity}')}"
            yield f"| `{row.code}` | {severity} | {row.sides[0]} | {row.sides[1]} | {row.innocent} |"


def written(page: str) -> str:
    """The page with the table as the program has it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
