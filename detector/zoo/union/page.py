"""What an experiment with a union found, for people and for programs: a page, a drawing, one JSON file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.files import write_json, write_whole
from detector.core.metrics import Estimate
from detector.zoo.sheet import plot_gains, write_sheet
from detector.zoo.union.answer import over_seeds
from detector.zoo.union.run import SHEET_COLUMNS, UnionResult

SCHEMA = "assay.union/1"


def write_union(result: UnionResult, run: Path) -> str:
    """All files of a result; returns the page. Raises ``FileFailed``."""
    text = union_text(result)
    write_json(run / "union.json", _as_json(result))
    write_whole(run / "union.md", text.encode())
    arms = {name: (over_seeds(v), v.mean(1)) for name, v in result.right.items()}
    first = result.answers[0]
    plot_gains(
        arms, {a.question: a.gain for a in result.answers}, run / "union.png",
        title=f"{result.name}, {result.wanted.each} labels of each class. Does the union help? {first.words}",
    )  # fmt: skip
    write_sheet(result.sheet, run / "samples.png", columns=min(len(result.class_names), SHEET_COLUMNS))
    return text


def union_text(result: UnionResult) -> str:
    """The page as Markdown: the answer, the answers beside it, the arms, the families."""
    w, first = result.wanted, result.answers[0]
    tested = next(iter(result.right.values())).shape[1]
    lines = [
        f"# Does a classifier gain by the union of {len(w.families)} generators? {first.words.capitalize()}.",
        "",
        (
            f"{result.name}: {w.each} real pictures of each of {len(result.class_names)} classes, for the "
            f"generators and the classifier alike; {w.seeds} seeds; {tested} test pictures; {result.steps} "
            f"steps of every classifier; {result.cpu_seconds / 60:.1f} CPU minutes. Points are percent of "
            "accuracy; intervals are 95 %, paired, over seeds and test pictures. Yes means that all of the "
            "interval lies above 0. The first question is the one that was asked; the others are looked at "
            "beside it, and no interval is widened for their number."
        ),
        "",
        "| question | points | interval | answer |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {a.question} | {100 * a.gain.value:+.2f} | {_interval(a.gain, '+.2f')} | {a.words} |"
        for a in result.answers
    ]
    lines += ["", "| taught by | accuracy | interval | by seed |", "|---|---|---|---|"]
    for name, values in result.right.items():
        e = over_seeds(values)
        by_seed = " ".join(f"{100 * v:.1f}" for v in values.mean(1))
        lines.append(f"| {name} | {100 * e.value:.2f} | {_interval(e, '.2f')} | {by_seed} |")
    lines += ["", "| family | pictures a seed | called as asked | CPU seconds |", "|---|---|---|---|"]
    for f in w.families:
        least, most = result.pictures[f]
        called = f"{100 * result.of_their_class[f]:.1f} %" if f in result.of_their_class else "not examined"
        count = str(most) if least == most else f"{least} to {most}"
        lines.append(f"| {f} | {count} | {called} | {result.fitting_seconds[f]:.0f} |")
    return "\n".join(lines) + "\n"


def _interval(e: Estimate, how: str) -> str:
    return f"{100 * e.low:{how}} to {100 * e.high:{how}}"


def _as_json(result: UnionResult) -> dict[str, Any]:
    return {
        "schema": SCHEMA, "wanted": asdict(result.wanted), "source": result.name,
        "classes": list(result.class_names), "classifier_steps": result.steps,
        "cpu_seconds": round(result.cpu_seconds, 2),
        "answers": [
            {"question": a.question, "answer": a.words, "yes": a.yes, **asdict(a.gain)}
            for a in result.answers
        ],
        "arms": {
            name: {**asdict(over_seeds(v)), "by_seed": np.round(v.mean(1), 6).tolist()}
            for name, v in result.right.items()
        },
        "families": {
            f: {
                "pictures": list(result.pictures[f]), "called_as_asked": result.of_their_class.get(f),
                "cpu_seconds": round(result.fitting_seconds[f], 2),
            }
            for f in result.wanted.families
        },
    }  # fmt: skip
