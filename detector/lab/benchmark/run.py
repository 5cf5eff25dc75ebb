"""A benchmark from pictures and detectors to its page, in steps: look, find leaks, ask, measure, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from detector.core.errors import CorpusError, OptionRefused, TooFewPictures
from detector.core.files import write_json, write_whole
from detector.core.progress import Report
from detector.lab.benchmark.asking import Detector
from detector.lab.benchmark.groups import group_names, groups_of
from detector.lab.benchmark.leaks import Leak, name_leaks, taught_leaks, telling_leaks, twin_leaks
from detector.lab.benchmark.material import taught_by
from detector.lab.benchmark.numbers import Figures, figures_of
from detector.lab.benchmark.page import Benchmark, benchmark_page, in_short
from detector.lab.benchmark.scoring import ask_all
from detector.lab.benchmark.showing import Look, look_at
from detector.lab.benchmark.views import VIEWS
from detector.lab.trial.pictures import Picture, Pictures
from detector.zoo.sources.photos import Skipped

PAGE = "benchmark.html"
NUMBERS = "benchmark.json"
_DECIMALS = 6


def run_benchmark(
    pictures: Pictures, detectors: Sequence[Detector], out: Path, *, views: Sequence[str], side: int,
    taught: Mapping[str, Path], with_leaks: bool, report: Report,
) -> str:  # fmt: skip
    """Writes the page and ``benchmark.json`` into ``out``, the same bytes whenever the same was said of the
    same; returns the page in short. Run again it goes on from ``looks.jsonl`` and ``answers.jsonl``. Raises
    ``LabError``: ``CorpusError`` for leaks, unless ``with_leaks``, before any detector is asked."""
    _check(detectors, views, taught)
    looks = look_at(pictures.pictures, views, side, out / "looks.jsonl", report)
    readable = [p for p in pictures.pictures if not looks[p.sha256, views[0]].unreadable]
    _need_both(readable, pictures)
    leaks = tuple(_leaks(readable, looks, views, taught))
    if leaks and not with_leaks:
        found = "; ".join(f"{k.view or 'all views'}: {k.text}" for k in leaks)
        raise CorpusError(f"these pictures leak, so nothing was asked. {found}")
    with ExitStack() as stack:
        for detector in detectors:
            stack.callback(detector.close)
        said = ask_all(detectors, readable, views, looks, out / "answers.jsonl", report)
    names = group_names(readable)
    figures: list[Figures] = []
    for n, (detector, view) in enumerate((d, v) for d in detectors for v in views):
        mine = {sha256: s for (name, v, sha256), s in said.items() if (name, v) == (detector.name, view)}
        figures.append(figures_of(detector.name, view, groups_of(names, looks, view, mine)))
        report("measuring", n + 1, len(detectors) * len(views))
    benchmark = Benchmark(
        pictures=pictures, detectors=tuple(detectors), views=tuple(views), side=side, leaks=leaks,
        figures=tuple(figures), not_read=_not_read(pictures, looks, views[0]),
        not_shown={v: Counter(r for p in readable if (r := looks[p.sha256, v].reason)) for v in views},
    )  # fmt: skip
    write_json(out / NUMBERS, _numbers(benchmark))
    write_whole(out / PAGE, benchmark_page(benchmark).encode())
    return in_short(benchmark)


def _check(detectors: Sequence[Detector], views: Sequence[str], taught: Mapping[str, Path]) -> None:
    if unknown := [v for v in views if v not in VIEWS]:
        raise OptionRefused(f"no view is called {', '.join(unknown)!r}; known: {', '.join(VIEWS)}")
    names = [d.name for d in detectors]
    if not names or not views or len(set(views)) < len(views):
        raise OptionRefused("name at least one detector and one view, and no view twice")
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise OptionRefused(f"two detectors are called {twice[0]}")
    if strangers := sorted(set(taught) - set(names)):
        raise OptionRefused(f"no detector is called {strangers[0]}; asked are: {', '.join(names)}")


def _need_both(readable: Sequence[Picture], pictures: Pictures) -> None:
    for fake, folder in ((False, pictures.real), (True, pictures.fake)):
        if not any(p.fake is fake for p in readable):
            raise TooFewPictures(f"none of the pictures in {folder} can be decoded")


def _leaks(
    pictures: Sequence[Picture], looks: Mapping[tuple[str, str], Look], views: Sequence[str],
    taught: Mapping[str, Path],
) -> Iterator[Leak]:  # fmt: skip
    for view in views:
        shown = [p for p in pictures if not looks[p.sha256, view].reason]
        yield from telling_leaks([looks[p.sha256, view].facts(p) for p in shown], view)
    hashes = {p.sha256: _dhash(p, looks, views) for p in pictures}
    known = {sha256: h for sha256, h in hashes.items() if h is not None}
    yield from twin_leaks(pictures, known)
    yield from name_leaks(pictures)
    for detector, path in taught.items():
        yield from taught_leaks(detector, pictures, known, *taught_by(path))


def _dhash(p: Picture, looks: Mapping[tuple[str, str], Look], views: Sequence[str]) -> int | None:
    """Of the first view that can show it."""
    return next((int(looks[p.sha256, v].dhash, 16) for v in views if looks[p.sha256, v].dhash), None)


def _not_read(pictures: Pictures, looks: Mapping[tuple[str, str], Look], view: str) -> tuple[Skipped, ...]:
    unreadable = (p for p in pictures.pictures if looks[p.sha256, view].unreadable)
    found = (Skipped(path=p.name, reason=looks[p.sha256, view].reason) for p in unreadable)
    return (*pictures.skipped, *found)


def _numbers(b: Benchmark) -> dict[str, Any]:
    numbers: dict[str, Any] = _rounded({
        "version": 1,
        "pictures_sha256": b.pictures.digest(),
        "pictures": {"real": len(b.pictures.of(fake=False)), "generated": len(b.pictures.of(fake=True))},
        "side": b.side,
        "views": {
            v: {"shows": VIEWS[v], "cannot_show": dict(sorted(b.not_shown[v].items()))} for v in b.views
        },
        "detectors": [
            {"name": d.name, "asked": d.what, "unit": d.unit.value, "identity": d.identity}
            for d in b.detectors
        ],
        "leaks": [asdict(k) for k in b.leaks],
        "figures": [asdict(f) for f in b.figures],
        "not_measured": [asdict(s) for s in b.not_read],
    })  # fmt: skip
    return numbers


def _rounded(value: Any) -> Any:
    """To six decimals: sums in another order must not change a byte."""
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value
