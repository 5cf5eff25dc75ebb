"""What a run over a folder came to, for people: one page of Markdown from its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detector.data.splits import Split
from detector.lab.steps.card_text import ANSWERED, answered_rows, shown
from detector.lab.steps.left_out import LeftOut
from detector.lab.steps.stages import Record
from detector.models.card import ModelCard
from detector.zoo.sources.photos import PhotoIndex

_COLUMNS = (
    ("KID", "mobilenet-v2@96"), ("two-sample AUC", "mobilenet-v2@96"), ("spectrum distance, dB", "luminance"),
    ("high frequencies, dB", "luminance"), ("near copies", "pixels-16"),
)  # fmt: skip
_WORST = 5
_PLOTS = {
    "scores": "Scores of real and generated test pictures, a plot for each set",
    "roc": "Found against false alarms", "false-alarms": "False alarms by set", "loss": "How it learned",
}  # fmt: skip


def photos_text(index: PhotoIndex) -> str:
    """How many photos serve for what, and what was left out."""
    parts = ", ".join(f"{len(index.of(s))} {s.value}" for s in Split)
    lines = [f"{len(index.photos)} photos: {parts} (split by photo, near copies together)."]
    if index.skipped:
        lines += ["", f"Left out, {len(index.skipped)}:", ""]
        lines += [f"- `{s.path}`: {s.reason}" for s in index.skipped[:50]]
        if len(index.skipped) > 50:
            lines.append(f"- and {len(index.skipped) - 50} more in `index.json`")
    return "\n".join(lines) + "\n"


def zoo_text(run: Path, records: Mapping[str, Record]) -> str:
    """A row for every family; the measure of real against real pictures stands in brackets."""
    names = [n.removeprefix("fit ") for n in records if n.startswith("fit ")]
    head = ["family", *(f"{name}, {space}" for name, space in _COLUMNS), "fitted"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in names:
        measures = _measures(run / "zoo" / name / "quality.json")
        cells = [_cell(measures.get(column)) for column in _COLUMNS]
        lines.append("| " + " | ".join([name, *cells, records[f"fit {name}"].note]) + " |")
    return "\n".join(lines) + "\n"


def _measures(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    if not path.is_file():
        return {}
    found: Sequence[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["measures"]
    return {(m["name"], m["space"]): m for m in found}


def _cell(measure: Mapping[str, Any] | None) -> str:
    if measure is None or measure["value"] is None:
        return "not examined"
    text = f"{measure['value']:.3g}"
    if measure["low"] is not None:
        text += f" [{measure['low']:.3g}, {measure['high']:.3g}]"
    return text if measure["reference"] is None else f"{text} ({measure['reference']:.3g})"


def time_text(records: Mapping[str, Record], minutes: float) -> str:
    """CPU seconds of every kind of stage, all families of the zoo together, and what was asked for."""
    kinds: dict[str, float] = {}
    for name, record in records.items():
        first = name.split()[0]
        kind = f"{first} each family" if first in {"fit", "sample", "judge"} else name
        kinds[kind] = kinds.get(kind, 0.0) + record.cpu_seconds
    lines = ["| stage | CPU seconds |", "|---|---|", *(f"| {k} | {v:.0f} |" for k, v in kinds.items())]
    lines += [f"| together | {sum(kinds.values()):.0f} |", f"| asked for | {60 * minutes:.0f} |"]
    return "\n".join(lines) + "\n"


def left_out_text(rows: Sequence[LeftOut], note: str) -> str:
    """Leave-one-family-out on the small pictures; the worst family is the honest figure."""
    if not rows:
        return f"Leave one family out: {note}.\n"
    worst = min(rows, key=lambda r: r.auc.value)
    lines = ["| family left out | AUC [95 %] | found at 1 % false alarms | pictures |", "|---|---|---|---|"]
    lines += [f"| {r.family} | {shown(r.auc)} | {shown(r.true_positives)} | {r.auc.n} |" for r in rows]
    mean = sum(r.auc.value for r in rows) / len(rows)
    lines += [
        "",
        f"Mean AUC {mean:.3f}; worst family: {worst.family}, {worst.auc.value:.3f}.",
        "This does not predict real generators: the families are small networks of our own, fitted in",
        "minutes on tiles of the same photos.",
    ]
    return "\n".join(lines) + "\n"


def detector_text(card: ModelCard) -> str:
    """The few numbers to look at first; the page of the card has every set in every view."""
    if card.evaluation is None:
        return "The detector was not evaluated.\n"
    e = card.evaluation
    shown_views = [r for r in e.results if r.view in {"as_stored", "matched"}]
    hardest = sorted(
        (r for r in e.results if r.view == "matched" and r.auc), key=lambda r: r.auc.value if r.auc else 1.0
    )
    lines = [
        f"- aligned test pairs of equal content and history: AUC {shown(e.aligned_auc)}",
        f"- real photos through two encoders, 0.5 if the encoder is no label: {shown(e.pipeline_auc)}",
        "", ANSWERED, "", *answered_rows(shown_views), "",
        f"What it finds worst of {len(hardest)} generated sets, after `codec_match`:", "",
        "| set | n | AUC | supports | against |", "|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {r.name} | {r.n} | {shown(r.auc) if r.auc else '-'} | {shown(r.supports)} | {shown(r.against)} |"
        for r in hardest[:_WORST]
    ]
    lines += ["", *(f"![{what}](detector/{name}.png)" for name, what in _PLOTS.items())]
    return "\n".join(lines) + "\n"


def report_text(
    title: str, index: PhotoIndex, run: Path, records: Mapping[str, Record], rows: Sequence[LeftOut],
    card: ModelCard, whole: str, minutes: float,
) -> str:  # fmt: skip
    """The whole page; ``whole`` is what there is to say of a detector of whole pictures."""
    return "\n".join(
        [
            f"# {title}", "",
            "Generators and a detector of one folder. What the detector says is weak evidence about pictures",
            "like these and nothing else; traces of generators outside of this zoo may be unknown to it.",
            "", "## Photos", "", photos_text(index),
            "## Generators", "",
            "Small pictures against held-out tiles; in round brackets what real pictures get. None is FID.",
            "", zoo_text(run, records), f"Rows of `zoo.png` {records['pictures'].note}.", "",
            "![Drawn pictures, a row for each family](zoo.png)", "",
            "## A family that the detector never met", "", left_out_text(rows, records["leave one out"].note),
            "## Detector", "", detector_text(card),
            f"Card: `detector/{card.model_id}.md`; weights SHA-256 `{card.weights_sha256}`.", "",
            "## Detector of whole pictures", "", whole,
            "## Time", "", "Without what was interrupted and done again.", "", time_text(records, minutes),
        ]
    )  # fmt: skip
