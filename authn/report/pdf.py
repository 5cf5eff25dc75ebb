"""The report on paper: a PDF, set by typst from data alone.

Every text reaches the typesetter as JSON and is set as text, so that nothing in a manifest can be markup; the
template reads no file. The same report, release and fonts give the
same bytes: no time and no name of a machine goes in. What the fold of a page hides is named, as there.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from authn.core.errors import SystemLacking
from authn.core.extras import extra, need
from authn.core.visible import visible
from authn.report import cards, columns, drawings, score_maps, wording
from authn.report.cards import MAX_ROWS, Card, Document
from authn.report.columns import Guess, GuessColumn
from authn.report.headline import headline, policy_hints
from authn.report.language import ENGLISH, speaking, spoken, t, told
from authn.report.overlays import Drawn, Figure, figures_of
from authn.report.score_maps import Drawing, Marks

MEDIA_TYPE = "application/pdf"
PDF = extra("pdf")


def render_pdf(
    report: Document, preview_jpeg: bytes | None = None, *, maps: str | None = None, language: str = ENGLISH
) -> bytes:
    """A PDF of one report, from its JSON form; parameters as for ``render_report``.

    Raises ``SystemLacking`` where the extra ``pdf`` is not installed, or typst fails.
    """
    need("pdf")
    import typst

    with speaking(language):
        data = _paper(report, preview_jpeg, maps)
    template = resources.files("authn.report").joinpath("templates", "report.typ").read_bytes()
    try:
        made: bytes = typst.compile(template, sys_inputs={"report": json.dumps(data)}, timestamp=0)
    except (typst.TypstError, RuntimeError) as e:
        raise SystemLacking(f"the report could not be set as a PDF: {str(e)[:200]}") from e
    return made


def _paper(report: Document, preview_jpeg: bytes | None, maps: str | None) -> dict[str, Any]:
    head, proof = headline(report), columns.proof_column(report)
    guess = columns.guess_column(report, maps, preview=preview_jpeg is not None)
    name = visible(report["subject"]["name"], 120)
    return {
        "lang": spoken(),
        "brand": "Assay",
        "title": t("page.title", name=name),
        "name": name,
        "sha256": visible(report["subject"]["sha256"], 64),
        "subject": cards.subject_line(report["subject"]),
        "as_of": t("page.as_of", when=cards.moment(report["evaluated_as_of"])),
        "picture": None if preview_jpeg is None else _picture(preview_jpeg),
        "head": head.sentence.text,
        "others": [s.text for s in head.others],
        "heuristic": head.heuristic,
        "hints": [s.text for s in policy_hints(report)],
        "proof": {
            "title": wording.PROOF_COLUMN,
            "is": wording.PROOF_COLUMN_IS,
            "cards": [_card(c) for c in proof.speaking],
            "folds": [{"title": f, "names": ", ".join(c.title for c in silent)} for f, silent in proof.folds],
        },
        "guess": {
            "title": wording.GUESS_COLUMN,
            "is": wording.GUESS_COLUMN_IS,
            "cards": [_guess(g) for g in guess.speaking],
            "folds": [{"title": fold.title, "names": fold.names} for fold in guess.folds],
        },
        "maps": [] if preview_jpeg is None else _maps(guess, maps, preview_jpeg),
        **_beneath(report),
    }


def _beneath(report: Document) -> dict[str, Any]:
    chain, timeline = drawings.chain_of(report), drawings.timeline_of(report)
    return {
        "contradictions": [
            {"text": told(text), "between": beside} for text, beside in cards.contradiction_rows(report)
        ],
        "recovered": [told(text) for text in columns.recovered(report)],
        "events": [
            {"kind": e.kind, "label": e.label, "when": e.when, "means": e.means, "gap": e.gap}
            for e in (timeline.events if timeline else ())
        ],
        "chain": [
            {"role": n.role, "name": n.name, "valid": t("chain.valid", period=n.valid), "listed": n.in_lists}
            for n in (chain.nodes if chain else ())
        ],
        "chain_alt": chain.alt if chain else "",
        "not_examined": [
            {"what": told(cards.title_of(n["what"]), 120), "why": told(n["why"])}
            for n in report["not_examined"][:MAX_ROWS]
        ],
        "limits": [*(told(text) for text in report["limits"][:MAX_ROWS]), wording.NEVER_ADDED],
        "tool": [list(pair) for pair in cards.tool_rows(report)],
        "foot": t("page.foot"),
        "words": {
            "limit": t("card.limit"),
            "contradictions": t("contradictions.title"),
            "recovered": t("recovered.title"),
            "recovered_is": t("recovered.is"),
            "times": t("timeline.title"),
            "chain": t("chain.title"),
            "listed": t("text.listed"),
            "not_examined": t("not_examined"),
            "limits": wording.LIMITS_TITLE,
            "how": t("how.title"),
        },
    }


def _card(card: Card) -> dict[str, Any]:
    return {
        "title": card.title,
        "question": card.question if card.asks_first else "",
        "answer": card.answer,
        "badge": card.badge,
        "brief": card.brief,
        "not_proven": card.not_proven,
        "strip": None,
        "said": [],
    }


def _guess(guess: Guess) -> dict[str, Any]:
    h = guess.strip
    strip = h and {
        "above": h.above,
        "below": h.below,
        "dot": h.dot,
        "low": h.low,
        "high": h.high,
        "first": h.first,
        "last": h.last,
        "score": f"{t('hist.this')} {h.score}",
    }
    said = [h.alt, h.caption] if h else [s.alt for s in guess.strips if s]
    return {**_card(guess.card), "strip": strip, "said": said}


def _maps(guess: GuessColumn, maps: str | None, preview_jpeg: bytes) -> list[dict[str, Any]]:
    scores = [_map(g.card.title, g.map.drawing, preview_jpeg) for g in guess.all if g.map and g.map.drawing]
    figures = figures_of(maps)
    return scores + [_drawing(f, preview_jpeg) for f in (*figures.evidence, *figures.views)]


def _drawing(figure: Figure, preview_jpeg: bytes) -> dict[str, Any]:
    own, normal = figure.says.text, f"{t('map.beside')} {figure.normal.text}"
    pictures = [{"svg": _layer(figure.own, score_maps.embedded(preview_jpeg)), "caption": own}]
    if figure.reference:
        pictures.append({"svg": _layer(figure.reference, score_maps.reference_preview()), "caption": normal})
    return {
        "title": f"{figure.title.text}: {figure.source}",
        "guess": t("view.is") if figure.view else t("map.is_guess"),
        "pictures": pictures,
        "legend": [t("drawing.unmeasured")] if figure.own.unmeasured else [],
        "caption": f"{figure.low.text} – {figure.high.text}" + ("" if figure.reference else f". {normal}"),
    }


def _layer(d: Drawn, picture: str) -> str:
    """As ``_svg``; a view covers its picture."""
    w, h = 1000, max(1, round(1000 * d.tall))
    within = f'<svg width="{w}" height="{h}" viewBox="0 0 {d.width} {d.height}" preserveAspectRatio="none">'
    steps = "".join(
        f'<path d="{path}" fill="#ffc23d" fill-opacity="{opacity}"/>'
        for path, opacity in zip(d.steps, (0.06, 0.25, 0.45, 0.65, 0.85), strict=True)
        if path
    )
    thin = d.width / 500
    edges = (
        f'<path d="{d.frames}{d.lines}" fill="none" stroke="#1b1206" stroke-width="{thin:.3f}"/>'
        f'<path d="{d.unmeasured}" fill="none" stroke="#ffffff" stroke-width="{thin / 2:.3f}"/>'
    )
    image = f'<image width="{w}" height="{h}" preserveAspectRatio="none" href="data:image/jpeg;base64,'
    view = f'{image}{d.jpeg}"/>' if d.jpeg else f"{within}{steps}{edges}</svg>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}">'
        '<filter id="grey"><feColorMatrix type="saturate" values="0"/></filter>'
        f'<g filter="url(#grey)">{image}{picture}"/></g>{view}</svg>'
    )


def _map(title: str, drawing: Drawing, preview_jpeg: bytes) -> dict[str, Any]:
    pictures = [{"svg": _svg(drawing, score_maps.embedded(preview_jpeg)), "caption": t("map.this")}]
    if drawing.reference:
        caption = f"{t('map.beside')} {drawing.reference.summary}"
        pictures.append({"svg": _svg(drawing.reference, score_maps.reference_preview()), "caption": caption})
    return {
        "title": f"{t('map.title')}: {title}",
        "guess": t("map.is_guess"),
        "pictures": pictures,
        "legend": [meaning for _, meaning in drawing.legend],
        "caption": f"{drawing.score} {drawing.summary} {drawing.ordinary}",
    }


def _picture(jpeg: bytes) -> str:
    """The preview as a drawing: typst takes texts from memory, and no bytes."""
    source = f"data:image/jpeg;base64,{score_maps.embedded(jpeg)}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 500 620" width="500" height="620">'
        f'<image width="500" height="620" preserveAspectRatio="xMidYMin meet" href="{source}"/></svg>'
    )


def _svg(marks: Marks, picture: str) -> str:
    """The marks over their picture. All of it is numbers of our own and base64."""
    w, h, thin = marks.width, marks.height, max(marks.width, marks.height) / 300
    discs = f'fill="#ffc23d" fill-opacity="0.75" stroke="#1b1206" stroke-width="{thin:.1f}"'
    lines = f'fill="none" stroke="#ffffff" stroke-width="{1.5 * thin:.1f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}">'
        '<filter id="grey"><feColorMatrix type="saturate" values="0"/></filter><g filter="url(#grey)">'
        f'<image width="{w}" height="{h}" preserveAspectRatio="none" '
        f'href="data:image/jpeg;base64,{picture}"/></g>'
        f'<path d="{marks.windows}" {lines} stroke-dasharray="{5 * thin:.1f} {4 * thin:.1f}"/>'
        f'<path d="{marks.other}" {lines}/><path d="{marks.weak} {marks.strong}" {discs}/></svg>'
    )
