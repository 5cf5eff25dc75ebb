"""The report for a terminal: both columns one above the other, with what neither of them proves.

At most ``WIDTH`` columns. Control characters and escapes from a manifest arrive here already visible; the
output holds no escape sequence at all, so that it can be pasted, mailed and printed.
"""

from __future__ import annotations

from collections.abc import Iterator

from authn.core.evidence import Question
from authn.core.report import Report, report_json
from authn.core.source_types import meaning
from authn.core.visible import visible, wrapped
from authn.report import wording
from authn.report.cards import (
    MAX_ROWS,
    Card,
    Document,
    common_name,
    contradiction_rows,
    guess_cards,
    identity_rows,
    moment,
    period,
    proof_cards,
    subject_line,
)
from authn.report.columns import recovered
from authn.report.headline import headline, policy_hints
from authn.report.language import t, told
from authn.report.likelihood import band_sentence, ratio_sentence
from authn.report.vouching import guarantee_sentence, read_as

WIDTH = 92
_LABEL = 15
_BADGE = 23


def render_text(report: Report) -> str:
    """The report as plain text with a final line feed."""
    return render_document(report_json(report))


def render_document(report: Document) -> str:
    """As ``render_text``, from the JSON form."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Document) -> Iterator[str]:
    subject, head = report["subject"], headline(report)
    yield from _hung(t("text.file"), f"{visible(subject['name'], 120)} ({subject_line(subject)})")
    yield from _hung("SHA-256", visible(subject["sha256"], 64))
    yield from _hung(t("text.as_of"), moment(report["evaluated_as_of"]))
    yield ""
    for sentence in (*(s.text for s in (head.sentence, *head.others)), head.heuristic):
        yield from wrapped(sentence, WIDTH)
    for hint in policy_hints(report):
        yield from wrapped(hint.text, WIDTH)
    yield from _listed(t("contradictions"), _contradictions(report))
    if found := [told(r) for r in recovered(report)]:
        yield from _listed(t("recovered.title"), [*found, t("recovered.is")])
    yield from _section(wording.PROOF_COLUMN, wording.PROOF_COLUMN_IS)
    for card in proof_cards(report):
        yield from _card(card)
    yield from _chain(report)
    yield from _claims(report)
    yield from _identities(report)
    yield from _section(wording.GUESS_COLUMN, wording.GUESS_COLUMN_IS)
    for index, card in enumerate(guess_cards(report)):
        yield from _guess(card, report["heuristic"]["detectors"][index])
    if not report["heuristic"]["detectors"]:
        yield f"  {t('heuristics.none')}"
    yield from _listed(
        t("not_examined"),
        [f"{told(n['what'], 120)}: {told(n['why'])}" for n in report["not_examined"][:MAX_ROWS]],
    )
    yield from _listed(wording.LIMITS_TITLE, [told(limit) for limit in report["limits"][:MAX_ROWS]])
    yield ""
    yield from wrapped(wording.NEVER_ADDED, WIDTH)


def _section(title: str, subtitle: str) -> Iterator[str]:
    yield ""
    yield f"{title.upper()} · {subtitle}"
    yield "─" * WIDTH


def _hung(label: str, text: str) -> Iterator[str]:
    first, *rest = wrapped(text, WIDTH - 10)
    yield f"{label:<10}{first}"
    yield from (" " * 10 + line for line in rest)


def _card(card: Card) -> Iterator[str]:
    title, *more = wrapped(card.title, _LABEL - 1)
    yield f"  {title:<{_LABEL}}{card.badge:<{_BADGE}}{card.answer}"
    yield from (f"  {line}" for line in more)
    for label, value in card.facts:
        yield from _beneath(f"{label}: {value}")
    if card.findings:
        codes = ", ".join(dict.fromkeys(f.code for f in card.findings[:4]))
        yield from _beneath(f"{told(card.detail)} [{codes}]" if card.detail else f"[{codes}]")


def _beneath(text: str) -> Iterator[str]:
    indent = 2 + _LABEL + _BADGE
    yield from (" " * indent + line for line in wrapped(text, WIDTH - indent))


def _chain(report: Document) -> Iterator[str]:
    chain = report["cryptographic"]["chain"][:MAX_ROWS]
    if not chain:
        return
    yield ""
    yield f"  {t('text.chain')}"
    for depth, c in enumerate(chain):
        link = "" if depth == 0 else f"└─ {t('text.issued_by')} "
        where = f"  ({t('text.listed')})" if c["in_given_roots"] else ""
        name = visible(common_name(c["subject"]), 120)
        text = f"{link}{name}, {period(c['not_before'], c['not_after'])}{where}"
        first, *rest = wrapped(text, WIDTH - 7 - 3 * min(depth, 8))
        indent = " " * (4 + 3 * min(depth, 8))
        yield indent + first
        yield from (indent + "   " + line for line in rest)
    if not chain[-1]["in_given_roots"]:
        yield " " * (4 + 3 * min(len(chain), 8)) + f"└╌ {t('text.missing')}"


def _claims(report: Document) -> Iterator[str]:
    claims = report["cryptographic"]["claims"][:MAX_ROWS]
    if not claims:
        return
    yield ""
    yield f"  {wording.WHO_SIGNS}"
    for c in claims:
        words = f" ({told(said)})" if (said := meaning(c["label"], c["statement"])) else ""
        yield from _bullet(f"{visible(c['statement'])}{words} [{visible(c['label'], 120)}]")


def _identities(report: Document) -> Iterator[str]:
    rows = identity_rows(report)
    if not rows:
        return
    yield ""
    yield f"  {wording.IDENTITY_TITLE}"
    for row in rows:
        yield from _bullet(f"{row.named}, {row.way}")
        for engine, said in row.readings:
            yield from (f"      {line}" for line in wrapped(f"{engine}: {said}", WIDTH - 6))
    yield from (f"    {line}" for line in wrapped(wording.IDENTITY_NOT_PROVEN, WIDTH - 4))


def _guess(card: Card, detector: Document) -> Iterator[str]:
    title, *more = wrapped(card.title, _LABEL - 1)
    yield f"  {title:<{_LABEL}}{card.badge:<{_BADGE}}{card.question}"
    yield from (f"  {line}" for line in more)
    yield from _beneath(f"{card.answer}: {told(card.detail)}" if card.detail else card.answer)
    llr, stability = detector["llr"], detector["stability"]
    if llr is not None:
        low, high = llr["interval"]
        yield from _beneath(
            ratio_sentence(Question(detector["question"]), llr["log10"], low, high, llr["calibration_items"])
        )
    if (vouched := guarantee_sentence(detector)) is not None:
        yield from _beneath(vouched)
    if (seen := read_as(detector)) is not None:
        yield from _beneath(f"{t('fact.read_as')}: {seen}.")
    if stability is not None:
        yield from _beneath(band_sentence(detector))


def _contradictions(report: Document) -> list[str]:
    return [f"{told(text)} ({beside})" for text, beside in contradiction_rows(report)]


def _listed(title: str, items: list[str]) -> Iterator[str]:
    if not items:
        return
    yield ""
    yield title.upper()
    for item in items:
        yield from _bullet(item)


def _bullet(text: str) -> Iterator[str]:
    first, *rest = wrapped(text, WIDTH - 4)
    yield f"  · {first}"
    yield from (f"    {line}" for line in rest)
