"""The page of a benchmark: one HTML file without a script, the same bytes for the same figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from detector.core.metrics import Estimate
from detector.lab.benchmark.asking import Detector
from detector.lab.benchmark.drawing import Mark, dots, legend
from detector.lab.benchmark.groups import SMALL
from detector.lab.benchmark.leaks import Leak
from detector.lab.benchmark.numbers import FALSE_ALARMS, ROUNDS, Figures, GroupFigures
from detector.lab.benchmark.views import STORED, VIEWS
from detector.lab.trial.pictures import Pictures
from detector.zoo.sources.photos import Skipped

_MOST_SKIPPED = 100
_CSS = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem}
body{color:#1a1a1a;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.2rem}h3{font-size:1rem}
.wide{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid #ccc;padding:.25rem .45rem;text-align:right;white-space:nowrap}
th:first-child,td:first-child,.text{text-align:left}th,td.text{white-space:normal}th{vertical-align:bottom}
.leak{border:2px solid #b3261e;padding:.6rem 1rem}code{overflow-wrap:anywhere}
svg text{font:11px system-ui,sans-serif;fill:currentColor}
svg .grid{stroke:#ccc}svg .chance{stroke:#888;stroke-dasharray:4 3}
.series{margin-right:1.2rem}.legend svg{vertical-align:-2px}
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}
th,td{border-color:#444}svg .grid{stroke:#3a3a3a}}
@media print{body{margin:0;max-width:none}h2{break-after:avoid}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What was measured. ``not_shown``: for each view how many pictures it cannot show, by the reason."""

    pictures: Pictures
    detectors: tuple[Detector, ...]
    views: tuple[str, ...]
    side: int
    leaks: tuple[Leak, ...]
    figures: tuple[Figures, ...]
    not_shown: dict[str, Counter[str]]
    not_read: tuple[Skipped, ...]


def benchmark_page(b: Benchmark) -> str:
    """Deterministic; no time, path or duration stands in it."""
    parts = [*_head(b), *_leaks(b.leaks), *_short(b)]
    for view in b.views:
        parts += _view(b, view)
    parts += _aside(b.not_read)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
        ' content="width=device-width"><title>Benchmark of detectors</title>'
        f"<style>{_CSS}</style></head><body><main>\n" + "\n".join(parts) + "\n</main></body></html>\n"
    )


def _head(b: Benchmark) -> Iterator[str]:
    real, fake = b.pictures.of(fake=False), b.pictures.of(fake=True)
    yield "<h1>Benchmark of detectors of generated pictures</h1>"
    yield (
        f"<p>{len(real)} real pictures of {len({p.source for p in real})} sources, {len(fake)} generated ones"
        f" of {len({p.source for p in fake})} generators. SHA-256 over files and labels:"
        f" <code>{b.pictures.digest()}</code>. What a label is worth whoever made the collection knows.</p>"
    )
    yield (
        f"<p>Every group weighs alike; groups with fewer than {SMALL} pictures count as one. Brackets are"
        f" 95 % intervals over {ROUNDS} resamples of groups and, of each, pictures. A detector is given a"
        " file whose name tells nothing. What it did not answer is counted beside its figures, never"
        " scored.</p>"
    )
    rows = [(d.name, d.what, d.unit.value) for d in b.detectors]
    yield _table(("detector", "how it was asked", "its number is a"), rows, text=(1, 2))
    shown = [(v, _view_words(v, b.side), str(b.not_shown[v].total())) for v in b.views]
    yield _table(("view", "what a detector is given", "cannot be shown so"), shown, text=(1,))


def _view_words(view: str, side: int) -> str:
    return VIEWS[view] + ("" if view == STORED else f"; of a square of {side} pixels")


def _leaks(leaks: Sequence[Leak]) -> Iterator[str]:
    if not leaks:
        yield "<p>No leak was found: neither fields of the files, nor twins, nor names tell the label.</p>"
        return
    yield '<div class="leak"><h2>Leaks: figures below may measure these instead</h2><ul>'
    for leak in leaks:
        where = f" (view <b>{escape(leak.view)}</b>)" if leak.view else ""
        yield f"<li>{escape(leak.text)}{where}</li>"
    yield "</ul></div>"


_NAMES = (
    "detector", "view", "mean AUC", "at worst", "worst generator", f"recall at {FALSE_ALARMS:.0%}",
    "false alarms, source left out", "Cllr as given", "Cllr, group left out", "answered: generated", "real",
    "wrong of these",
)  # fmt: skip
_SHORT = f"""Mean AUC: how often a picture of a generator scores above one of a real source, mean over all
pairs of groups; "at worst" counts every picture without a score as scored wrongly. Recall: the share found at
the threshold that {FALSE_ALARMS:.0%} of these real pictures pass; the false alarms beside it are those of a
source at the threshold that the others set, mean over sources. Cllr is the cost in bits of ratios, 0 at best,
1 for saying nothing: of the detector's own, and of its scores after a line that saw nothing of the group.
Answered: ratios of ten or more by such lines."""


def _short(b: Benchmark) -> Iterator[str]:
    yield "<h2>In short</h2>"
    rows = []
    for f in b.figures:
        a = f.answers
        answers = ("-",) * 3 if a is None else (_share(a.generated), _share(a.real), _share(a.wrong))
        rows.append((
            f.detector, f.view, _estimate(f.auc), _three(f.auc_at_worst), _worst(f), _estimate(f.recall),
            _share(f.false_alarms_left_out), _estimate(f.cllr_given), _estimate(f.cllr_left_out), *answers,
        ))  # fmt: skip
    yield _table(_NAMES, rows)
    yield f"<p>{escape(_SHORT)}</p>"


def _worst(f: Figures) -> str:
    group = next((g for g in f.groups if g.fake and g.name == f.worst), None)
    return "-" if group is None or group.auc is None else f"{f.worst} {group.auc.value:.3f}"


def _view(b: Benchmark, view: str) -> Iterator[str]:
    mine = [f for f in b.figures if f.view == view]
    yield f"<h2>{escape(view)}: {escape(VIEWS[view])}</h2>"
    yield legend([f.detector for f in mine])
    for fake, title in ((True, "AUC of each generator"), (False, "AUC against each real source")):
        yield f"<h3>{title}</h3>"
        yield f'<div class="wide">{_drawn(mine, fake, f"{title}, view {view}")}</div>'
    for f in mine:
        yield f"<details><summary>{escape(f.detector)}: every group</summary>{_groups(f)}</details>"


def _drawn(figures: Sequence[Figures], fake: bool, title: str) -> str:
    names = sorted({g.name for f in figures for g in f.groups if g.fake is fake})
    rows = []
    for name in names:
        found = [(n, g) for n, f in enumerate(figures) for g in f.groups if (g.fake, g.name) == (fake, name)]
        marks = [Mark(value=g.auc.value, low=g.auc.low, high=g.auc.high, series=n) for n, g in found if g.auc]
        rows.append((f"{name} (n={max((g.n for _, g in found), default=0)})", marks))
    return dots(rows, low=0.2, high=1.0, ticks=(0.2, 0.4, 0.5, 0.6, 0.8, 1.0), line=0.5, title=title)


def _groups(f: Figures) -> str:
    opinions = sorted({v for g in f.groups for v in g.opinions})
    head = ("group", "class", "n", "failed", "abstained", "AUC", "recall", "false alarms, left out",
            *(f"says {v}" for v in opinions))  # fmt: skip
    return _table(head, [_group_row(g, opinions) for g in f.groups])


def _group_row(g: GroupFigures, opinions: Sequence[str]) -> tuple[str, ...]:
    kind = "generated" if g.fake else "real"
    counts = (str(g.opinions.get(v, 0)) for v in opinions)
    alarms, recall = _share(g.false_alarms), _share(g.recall)
    return (
        g.name,
        kind,
        str(g.n),
        str(g.failed),
        str(g.abstained),
        _estimate(g.auc),
        recall,
        alarms,
        *counts,
    )


def _aside(skipped: Sequence[Skipped]) -> Iterator[str]:
    if not skipped:
        return
    yield f"<h2>Not measured</h2><p>{len(skipped)} files are in no figure:</p><ul>"
    for s in skipped[:_MOST_SKIPPED]:
        yield f"<li><code>{escape(s.path)}</code>: {escape(s.reason)}</li>"
    yield "</ul>"
    if len(skipped) > _MOST_SKIPPED:
        yield f"<p>and {len(skipped) - _MOST_SKIPPED} more, in benchmark.json.</p>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int] = ()) -> str:
    cells = "".join(_cell(h, n in text, "th") for n, h in enumerate(head))
    body = "".join(
        "<tr>" + "".join(_cell(cell, n in text) for n, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(cell: str, text: bool, tag: str = "td") -> str:
    kind = ' class="text"' if text else ""
    return f"<{tag}{kind}>{escape(cell)}</{tag}>"


def _estimate(e: Estimate | None) -> str:
    return "-" if e is None else f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"


def _three(x: float | None) -> str:
    return "-" if x is None else f"{x:.3f}"


def _share(x: float | None) -> str:
    return "-" if x is None else f"{x:.1%}"


def in_short(b: Benchmark) -> str:
    """For a terminal: a line for every detector and view."""
    lines = [f"LEAK {leak.view or 'all views'}: {leak.text}" for leak in b.leaks]
    for f in b.figures:
        lacking = sum(g.failed for g in f.groups)
        failures = f", {lacking} without an answer it could give" if lacking else ""
        lines.append(
            f"{f.detector}, {f.view}: mean AUC {_estimate(f.auc)}, worst generator {_worst(f)}, recall at"
            f" {FALSE_ALARMS:.0%} {_estimate(f.recall)}, Cllr left out {_estimate(f.cllr_left_out)}{failures}"
        )
    return "\n".join(lines)
