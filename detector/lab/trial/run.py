"""A trial from two folders to a page: gather, score, measure, draw, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from detector.core.errors import OptionRefused, TooFewPictures
from detector.core.files import write_json, write_whole
from detector.core.metrics import Array
from detector.core.progress import Report
from detector.lab.steps.plots import plot_false_alarms, plot_roc, plot_scores
from detector.lab.steps.ratio_plots import plot_coverage, plot_tippett
from detector.lab.steps.scores import write_scores
from detector.lab.trial.columns import Column, columns_of, table_rows
from detector.lab.trial.detectors import Absent
from detector.lab.trial.joined import with_joint
from detector.lab.trial.numbers import Numbers, measured
from detector.lab.trial.page import VIEWS, Trial, in_short, plot_name, sources_csv, trial_page
from detector.lab.trial.pictures import Pictures, gather
from detector.lab.trial.scoring import UNREADABLE, Scored, Scores, card_digest, score_pictures
from detector.models.card import SetResult
from detector.models.joint import Joint
from detector.zoo.sources.photos import Skipped

PAGE = "trial.md"
DEFAULT_VIEWS = ("stored", "laundered")


def run_trial(
    real: Path, fake: Path, out: Path, detectors: Sequence[Scores], absent: Sequence[Absent] = (), *,
    views: Sequence[str] = DEFAULT_VIEWS, joint: Joint | None = None, report: Report,
) -> str:  # fmt: skip
    """Writes the page, ``numbers.json``, ``sources.csv``, a table of scores for each detector and plots into
    ``out``; returns the first half of the page. Run again it goes on: what was scored is kept in
    ``scores.jsonl``. Where ``joint`` was fitted on exactly these detectors its answer is measured too. Raises
    ``LabError``."""
    unknown = [v for v in views if v not in VIEWS]
    if unknown or not views:
        raise OptionRefused(f"no view is called {', '.join(unknown)!r}; known: {', '.join(VIEWS)}")
    pictures = gather(real, fake, report=report)
    found = score_pictures(
        detectors, pictures.pictures, tuple(dict.fromkeys(views)), out / "scores.jsonl", report
    )
    found = with_joint(joint, detectors, found)
    unreadable = _unreadable(pictures, found)
    columns = columns_of(pictures.pictures, found)
    models = {d.card.model_id for d in detectors}
    numbers = []
    for n, column in enumerate(columns):
        numbers.append(measured(column))
        _draw(out, column, numbers[-1])
        report("measuring and drawing", n + 1, len(columns))
    trial = Trial(
        pictures=pictures, detectors=tuple(detectors), absent=tuple(absent), numbers=tuple(numbers),
        unreadable=unreadable, joint=joint if any(s.detector not in models for s in found) else None,
    )  # fmt: skip
    _write(out, trial, found)
    return in_short(trial)


def _unreadable(pictures: Pictures, found: Sequence[Scored]) -> tuple[Skipped, ...]:
    """Raises ``TooFewPictures`` where no picture of a class can be decoded."""
    reasons = {s.sha256: s.reason for s in found if s.answer == UNREADABLE}
    for fake, folder in ((False, pictures.real), (True, pictures.fake)):
        mine = pictures.of(fake=fake)
        if all(p.sha256 in reasons for p in mine):
            why = reasons[mine[0].sha256]
            raise TooFewPictures(f"none of the {len(mine)} pictures in {folder} can be decoded ({why})")
    return tuple(
        Skipped(path=p.name, reason=reasons[p.sha256]) for p in pictures.pictures if p.sha256 in reasons
    )


def _draw(out: Path, column: Column, numbers: Numbers) -> None:
    def place(what: str) -> Path:
        return out / plot_name(column.detector, column.view, what)

    plot_scores(place("scores"), column.rows, what=f"raw logit of {column.detector}, view {column.view}")
    plot_roc(place("roc"), column.rows)
    real, fake = (_joined(column, fake=f) for f in (False, True))
    plot_coverage(place("coverage"), real, fake, _shipped(numbers.results))
    plot_tippett(place("tippett"), real, fake)


def _joined(column: Column, *, fake: bool) -> Array:
    return np.concatenate([*column.ratios(fake=fake).values(), np.array([])])


def _shipped(results: Sequence[SetResult]) -> tuple[float, float] | None:
    """Coverage and error of the answers as they are, both classes weighing the same; None without any."""
    shares = []
    for fake in (False, True):
        mine = [r for r in results if r.fake is fake]
        n = sum(r.n for r in mine)
        if not n:
            return None
        supports, against = (
            sum(round(rate.value * r.n) for r, rate in ((r, getattr(r, name)) for r in mine)) / n
            for name in ("supports", "against")
        )
        shares.append((supports + against, against if fake else supports))
    answered = (shares[0][0] + shares[1][0]) / 2
    return (answered, (shares[0][1] + shares[1][1]) / 2 / answered) if answered else None


def _write(out: Path, trial: Trial, found: Sequence[Scored]) -> None:
    for detector in dict.fromkeys(n.detector for n in trial.numbers):
        results = [r for n in trial.numbers if n.detector == detector for r in n.results]
        plot_false_alarms(out / "plots" / f"{detector}-false-alarms.png", results)
    for model in (d.card.model_id for d in trial.detectors):
        write_scores(table_rows(trial.pictures.pictures, found, model), out / f"{model}-scores.csv")
    write_whole(out / "sources.csv", sources_csv(trial.numbers).encode())
    write_json(
        out / "numbers.json",
        {
            "pictures_sha256": trial.pictures.digest(),
            "detectors": [
                {
                    "model_id": d.card.model_id,
                    "weights_sha256": d.card.weights_sha256,
                    "card_sha256": card_digest(d.card),
                }
                for d in trial.detectors
            ],
            "joint_sha256": None if trial.joint is None else trial.joint.sha256,
            "absent": [asdict(a) for a in trial.absent],
            "views": {v: VIEWS[v] for v in dict.fromkeys(n.view for n in trial.numbers)},
            "numbers": [asdict(n) for n in trial.numbers],
            "not_measured": [asdict(s) for s in (*trial.pictures.skipped, *trial.unreadable)],
        },
    )  # fmt: skip
    write_whole(out / PAGE, trial_page(trial).encode())
