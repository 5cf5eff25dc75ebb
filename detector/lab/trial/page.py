"""The page of a trial, as Markdown, and its tables as CSV: every number with what it rests on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detector.core.metrics import Estimate
from detector.lab.steps.card_text import ANSWERED, answered_rows, or_dash, shown
from detector.lab.trial.detectors import Absent
from detector.lab.trial.numbers import FALSE_ALARMS, ROUNDS, Numbers, SourceNumbers
from detector.lab.trial.pictures import Pictures
from detector.lab.trial.scoring import Scores, card_digest
from detector.models.card import SetResult
from detector.models.joint import Joint
from detector.zoo.sources.photos import Skipped

VIEWS = {
    "stored": "as stored",
    "laundered": "reduced to 256 pixels on the shorter side (never enlarged), then JPEG of quality 90",
    "jpeg75": "JPEG of quality 75",
    "half": "half the size, then JPEG of quality 90",
}
MOST_SKIPPED = 200
_OUTCOMES = ("supports", "against", "no answer", "abstained")
_PLOTS = (
    ("scores", "Raw scores, sub-folder by sub-folder"),
    ("roc", "ROC"),
    ("coverage", "Coverage and error"),
    ("tippett", "Tippett plot of the ratios"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was measured, by which detectors, and what was not."""

    pictures: Pictures
    detectors: tuple[Scores, ...]
    absent: tuple[Absent, ...]
    numbers: tuple[Numbers, ...]
    unreadable: tuple[Skipped, ...]
    joint: Joint | None = None


def plot_name(detector: str, view: str, what: str) -> str:
    """Path of a plot below the folder of the trial."""
    return f"plots/{detector}-{view}-{what}.png"


def in_short(trial: Trial) -> str:
    """The first half of the page: what was measured, figures over all, and how often answers are wrong."""
    return "\n".join([*_head(trial), *_overview(trial.numbers), *_answers(trial.numbers)])


def trial_page(trial: Trial) -> str:
    """Deterministic."""
    blocks = [in_short(trial)]
    blocks += ["## False alarms by sub-folder", ""]
    for detector in dict.fromkeys(n.detector for n in trial.numbers):
        blocks += [f"![Real pictures that {detector} calls generated](plots/{detector}-false-alarms.png)", ""]
    for numbers in trial.numbers:
        blocks += _section(numbers)
    return "\n".join([*blocks, *_left_aside(trial)])


def _head(trial: Trial) -> list[str]:
    real, fake = trial.pictures.of(fake=False), trial.pictures.of(fake=True)
    sources = [len({p.source for p in c}) for c in (real, fake)]
    where = trial.pictures.real.name, trial.pictures.fake.name
    what = (
        f"{len(real)} real pictures of {sources[0]} sub-folders in `{where[0]}`, {len(fake)} generated "
        f"ones of {sources[1]} in `{where[1]}`; SHA-256 over files and labels "
        f"`{trial.pictures.digest()}`.\n{_LABELS}"
    )
    ran = [
        f"| {d.card.model_id} | `{d.card.weights_sha256}` | `{card_digest(d.card)}` |"
        for d in trial.detectors
    ]
    if trial.joint is not None:
        ran.append(f"| {trial.joint.card.model_id} | those of its parts | `{trial.joint.sha256}` |")
    absent = [f"| {a.model_id} | not run | {_cell(a.why)} |" for a in trial.absent]
    table = ["| detector | SHA-256 of its weights | of its card |", "|---|---|---|", *ran, *absent]
    return ["# A trial of the detectors", "", what, "", _HOW, "", *table, ""]


_LABELS = """What a label is worth whoever made the folders knows: nothing here checked it, nor whether a
detector was fitted on some of these very pictures."""

_HOW = f"""Each detector is asked as the service asks it, bytes in and answer out, at the operating points
that it ships with. Brackets are 95 % intervals. Those of AUC, recall and Cllr come from {ROUNDS} resamples
of sub-folders and, within each, of pictures; the rates of one sub-folder are Wilson's, of its pictures."""

_OVERVIEW = f"""AUC: how often a generated picture scores above a real one; the mean over sub-folders lets
none speak for all. Recall: the share of generated pictures found where {FALSE_ALARMS:.0%} of these real
ones are false alarms, at a threshold that was chosen on them. Cllr: cost of the ratios as printed, in bits,
over pictures that got one; 1 is the cost of saying nothing, Cllr_min what the best calibration of the same
scores would cost."""


def _overview(all_numbers: Sequence[Numbers]) -> list[str]:
    recall = f"recall at {FALSE_ALARMS:.0%}"
    head = f"| detector | view | AUC | mean AUC of sub-folders | {recall} | Cllr | Cllr_min |"
    rows = [
        f"| {n.detector} | {n.view} | {or_dash(n.auc)} | {or_dash(n.macro_auc)} | {or_dash(n.recall)} | "
        f"{or_dash(n.cllr)} | {_three(n.cllr_min)} |"
        for n in all_numbers
    ]
    views = [f"- `{v}`: {VIEWS[v]}" for v in dict.fromkeys(n.view for n in all_numbers)]
    return ["## In short", "", _OVERVIEW, "", *views, "", head, "|---|---|---|---|---|---|---|", *rows, ""]


def _answers(all_numbers: Sequence[Numbers]) -> list[str]:
    blocks = ["## Answered, and wrong", "", ANSWERED, ""]
    for detector in dict.fromkeys(n.detector for n in all_numbers):
        results = [r for n in all_numbers if n.detector == detector for r in n.results]
        blocks += [f"### {detector}", "", *answered_rows(results), ""]
    return blocks


def _section(numbers: Numbers) -> list[str]:
    names = ("sub-folder", "class", "n", "AUC", "recall", "Cllr", "Cllr_min", *_OUTCOMES)
    blocks = [f"## {numbers.detector}, {VIEWS[numbers.view]}", ""]
    blocks += [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    blocks += [*map(_row, numbers.sources), "", *_kinds(numbers.kinds)]
    for what, title in _PLOTS:
        path = plot_name(numbers.detector, numbers.view, what)
        blocks += [f"![{title}: {numbers.detector}, {numbers.view}]({path})", ""]
    return blocks


def _kinds(kinds: Sequence[SetResult]) -> list[str]:
    """How pictures were answered by what the detector takes them for."""
    if not kinds:
        return []
    names = ("taken for", "class", "n", "supports", "against", "no answer")
    head = ["By what the detector takes a picture for:", "", f"| {' | '.join(names)} |"]
    rows = [
        f"| {r.name} | {'generated' if r.fake else 'real'} | {r.n} | {shown(r.supports)} | "
        f"{shown(r.against)} | {no_answer(r)} |"
        for r in kinds
    ]
    return [*head, "|---|---|---|---|---|---|", *rows, ""]


def _row(source: SourceNumbers) -> str:
    r = source.result
    return (
        f"| {_cell(r.name)} | {'generated' if r.fake else 'real'} | {r.n} | {or_dash(r.auc)} | "
        f"{or_dash(source.recall)} | {_three(source.cllr)} | {_three(source.cllr_min)} | "
        f"{shown(r.supports)} | {shown(r.against)} | {no_answer(r)} | {r.abstained} |"
    )


def no_answer(result: SetResult) -> int:
    """Pictures of a set that were scored and got no answer."""
    answered = round(result.supports.value * result.n) + round(result.against.value * result.n)
    return result.n - result.abstained - answered


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _three(x: float | None) -> str:
    return "-" if x is None else f"{x:.3f}"


def _left_aside(trial: Trial) -> list[str]:
    """What was not measured, file by file."""
    aside = [*trial.pictures.skipped, *trial.unreadable]
    if not aside:
        return ["Every file that is named as a picture was read.", ""]
    blocks = ["## Not measured", "", "These files are in no number above:", ""]
    blocks += [f"- `{s.path}`: {s.reason}" for s in aside[:MOST_SKIPPED]]
    if len(aside) > MOST_SKIPPED:
        blocks += [f"- and {len(aside) - MOST_SKIPPED} more, in `numbers.json`"]
    return [*blocks, ""]


COLUMNS = (
    "detector", "view", "sub_folder", "generated", "n", "abstained", "supports", "against", "no_answer",
    "auc", "auc_low", "auc_high", "recall", "recall_low", "recall_high", "cllr", "cllr_min",
)  # fmt: skip


def sources_csv(all_numbers: Iterable[Numbers]) -> str:
    """A line for every detector, view and sub-folder; counts of pictures, and figures as in the page."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for n in all_numbers:
        for s in n.sources:
            r = s.result
            counts = round(r.supports.value * r.n), round(r.against.value * r.n), no_answer(r)
            table.writerow(
                [n.detector, n.view, r.name, int(r.fake), r.n, r.abstained, *counts, *_three_of(r.auc),
                 *_three_of(s.recall), s.cllr, s.cllr_min]
            )  # fmt: skip
    return out.getvalue()


def _three_of(e: Estimate | None) -> tuple[float | None, ...]:
    return (None, None, None) if e is None else (e.value, e.low, e.high)
