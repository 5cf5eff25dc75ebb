"""The tables of docs/decisions/0043 and 0047: a layer for what enlarges and reconstructs, makes left out.

    python -m tests.bench.makes features PAIRS.npz WEIGHTS.safetensors OUT.npz
    python -m tests.bench.makes regions OUT.npz ... --kept RUN --weights W --corpus FOLDER ...
    python -m tests.bench.makes whole OUT.npz ... --kept RUN --weights W --corpus FOLDER ... --set FOLDER
        --before FIRST.csv --before-kept RUN --before-weights W

PAIRS.npz: what ``detector.lab.traces.run.make_pairs`` or ``pairs_by`` made, kept by ``kept_set``.
``--kept``: the run folder whose looks at whole pictures are used and added to; test sources are not looked
at. ``--set``: whole pictures by other networks, a sub-folder each; those whose names begin with "formula"
were enlarged by a formula. ``--before``: scores of the layer that ships, left out (``assay lab traces``), and
the run and backbone that they are of, with which it scores the pictures of the set. ``--seen``: sources whose
whole pictures taught the backbone of ``--before``: they get no score and teach no second layer.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.bounds import at_least, at_most
from detector.core.errors import CalibrationError
from detector.core.files import write_arrays
from detector.core.metrics import Array, auc
from detector.core.progress import silent
from detector.data.families import family_of
from detector.data.manifest import SHIPPED, Row
from detector.lab.corpus.material import read_set
from detector.lab.steps.calibrate_table import calibrate_table
from detector.lab.steps.score_fit import crossed, table_of
from detector.lab.steps.scores import STORED, ScoreRow, read_scores
from detector.lab.traces.head import Head
from detector.lab.traces.looks import LEARNED, VIEWS, Look, looks_at
from detector.lab.traces.run import RIDGE, Known, Places, heads_of, known_pictures, look, read_backbone
from detector.lab.traces.second import (
    REGION_VIEWS,
    Regions,
    SecondLayers,
    eighth_of,
    region_scores,
    regions_of_pairs,
)
from detector.lab.whole.kinds import kind_of
from detector.models.trace_network import network_of

FORMULA = "formula"
SIZES = (1, 2, 3, 5, 8, 12, 16, 24)
ORDERS = 2
ROUNDS = 1000
LEAST = 18  # pictures of a network that count in the mean
KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}

Scores = Mapping[tuple[str, str], float]  # digest, view
Looks = Mapping[str, Mapping[str, Look]]


def read_regions(paths: Sequence[Path]) -> Regions:
    """Of several files of features one after another."""
    found = [np.load(p, allow_pickle=False) for p in paths]

    def joined(part: str, view: str) -> np.ndarray:
        return np.concatenate([f[f"{part}_{view}"] for f in found]).astype(np.float32)

    return Regions(
        networks=tuple(str(n) for f in found for n in f["networks"]),
        sources=tuple(str(s) for f in found for s in f["sources"]),
        fake={v: joined("fake", v) for v in REGION_VIEWS},
        twin={v: joined("twin", v) for v in REGION_VIEWS},
    )


def write_regions(regions: Regions, path: Path) -> None:
    arrays = {"networks": np.array(regions.networks), "sources": np.array(regions.sources)}
    for view in REGION_VIEWS:
        arrays |= {f"fake_{view}": regions.fake[view], f"twin_{view}": regions.twin[view]}
    write_arrays(path, arrays)


def layers_of(regions: Regions, known: Known, looks: Looks, *, twins: bool = True) -> SecondLayers:
    """Whole real pictures teach by the views that heads learn from."""
    whole = []
    for row in known.learned:
        seen = [x.features for v, x in looks.get(row.sha256, {}).items() if v in LEARNED]
        if seen and not row.fake:
            whole.append((row.source, np.array(seen, np.float64)))
    return SecondLayers(regions, whole, ridge=RIDGE, twins=twins)


def areas(layers: SecondLayers, regions: Regions, make: str, makes: Sequence[str]) -> dict[str, float]:
    return {v: auc(*pair) for v, pair in region_scores(layers, regions, make, makes).items()}


def print_regions(layers: SecondLayers, regions: Regions) -> None:
    """Every make left out; then how many others are behind the layer."""
    print("| regions against their twins, source and make left out | n | as made | JPEG 75 | half size |")
    print("|---|---|---|---|---|")
    for make in layers.makes:
        found = areas(layers, regions, make, [m for m in layers.makes if m != make])
        cells = " | ".join(f"{found[v]:.3f}" for v in REGION_VIEWS)
        print(f"| {make} | {int((regions.makes == make).sum())} | {cells} |")
    print("\n| other makes behind the layer | as made | JPEG 75 | half size |")
    print("|---|---|---|---|")
    for size in [n for n in SIZES if n < len(layers.makes)] + [len(layers.makes) - 1]:
        mean = curve_at(layers, regions, size)
        print(f"| {size} | {' | '.join(f'{mean[v]:.3f}' for v in REGION_VIEWS)} |")


def curve_at(layers: SecondLayers, regions: Regions, size: int) -> dict[str, float]:
    """The mean over makes that are left out, and over ``ORDERS`` drawn choices of ``size`` others."""
    found: dict[str, list[float]] = defaultdict(list)
    for k, make in enumerate(layers.makes):
        others = [m for m in layers.makes if m != make]
        for order in range(ORDERS if size < len(others) else 1):
            chosen = np.random.default_rng([0, k, order]).permutation(len(others))[:size]
            for view, area in areas(layers, regions, make, [others[n] for n in chosen]).items():
                found[view].append(area)
    return {v: float(np.mean(x)) for v, x in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Rows of real pictures and of networks' pictures, what was seen of them, and both layers' scores.
    ``unseen``: digests of real pictures of sources that taught nothing."""

    rows: tuple[Row, ...]
    looks: Looks
    before: Scores
    after: Scores
    unseen: frozenset[str]


def network_of_row(row: Row) -> str:
    """The network that made a picture, whatever its settings."""
    name = row.generator.split(" x4")[0]
    return {"RealSR_JPEG": "RealSR", "SwinIR-L": "SwinIR"}.get(name, name)


def set_rows(folder: Path) -> tuple[list[Row], dict[str, Path]]:
    rows, paths = [], {}
    for path in sorted(p for p in folder.glob("*/*") if p.suffix in KINDS):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        paths[digest] = path
        rows.append(
            Row(fake=True, kind="", source=f"set {path.stem}", generator=path.parent.name, licence="",
                width=0, height=0, size=len(data), format=KINDS[path.suffix].partition("/")[2].upper(),
                luminance_sum=None, dhash=0, photo_like="", origin="folder:set", sha256=digest, note="")
        )  # fmt: skip
    return rows, paths


def scores_by(
    head_of: Head | Mapping[int, Head], rows: Sequence[Row], looks: Looks
) -> dict[tuple[str, str], float]:
    """A real picture by the layer without its eighth of the sources."""
    out: dict[tuple[str, str], float] = {}
    for row in rows:
        head = head_of if isinstance(head_of, Head) else head_of[-1 if row.fake else eighth_of(row.source)]
        out |= {(row.sha256, v): head.logit(x) for v, x in looks[row.sha256].items()}
    return out


def taken(judged: Judged, scores: Scores, view: str) -> tuple[Array, dict[str, Array]]:
    """Scores of real pictures, and by network."""
    real: list[float] = []
    networks: dict[str, list[float]] = defaultdict(list)
    for row in judged.rows:
        if (score := scores.get((row.sha256, view))) is not None:
            (networks[network_of_row(row)] if row.fake else real).append(score)
    return np.array(real), {n: np.array(x) for n, x in networks.items()}


def counted(judged: Judged) -> list[str]:
    _, networks = taken(judged, judged.after, STORED)
    return [n for n, x in networks.items() if len(x) >= LEAST and not n.startswith(FORMULA)]


def print_whole(judged: Judged) -> None:
    names = counted(judged)
    print("| network | n | " + " | ".join(f"{v}, before / after" for v in VIEWS) + " |")
    print("|---|---" * 1 + "|---" * len(VIEWS) + "|")
    table: dict[str, list[str]] = defaultdict(list)
    means = np.zeros((2, len(VIEWS)))
    for k, view in enumerate(VIEWS):
        (real_0, nets_0), (real_1, nets_1) = (taken(judged, s, view) for s in (judged.before, judged.after))
        for name, found in nets_1.items():
            pair = auc(real_0, nets_0[name]) if name in nets_0 else float("nan"), auc(real_1, found)
            table[name].append(f"{pair[0]:.3f} / {pair[1]:.3f}")
            means[:, k] += np.array(pair) / len(names) if name in names else 0.0
    _, there = taken(judged, judged.after, STORED)
    for name, cells in table.items():
        print(f"| {name} | {len(there.get(name, ()))} | {' | '.join(cells)} |")
    print(
        "| mean of "
        + ", ".join(names)
        + " | | "
        + " | ".join(f"{a:.3f} / {b:.3f}" for a, b in means.T)
        + " |"
    )
    low, high = np.quantile([g[1] - g[0] for g in drawn_means(judged, names)], [0.025, 0.975])
    gain = means.mean(1)
    print(f"mean {gain[0]:.3f} / {gain[1]:.3f}, gained {gain[1] - gain[0]:+.3f} [{low:+.3f}, {high:+.3f}]")


def drawn_means(judged: Judged, names: Sequence[str]) -> Iterator[Array]:
    """(2,) means over networks and views; real sources, and pictures of both classes, drawn anew."""
    rng = np.random.default_rng(0)
    both = (judged.before, judged.after)
    scores = np.array([[[s.get((r.sha256, v), np.nan) for r in judged.rows] for v in VIEWS] for s in both])
    networks: dict[str, list[int]] = defaultdict(list)
    sources: dict[str, list[int]] = defaultdict(list)
    for n, row in enumerate(judged.rows):
        (networks[network_of_row(row)] if row.fake else sources[row.source]).append(n)
    groups = [np.array(g) for g in sources.values()]
    for _ in range(ROUNDS):
        picked = [groups[g] for g in rng.integers(len(groups), size=len(groups))]
        real = np.concatenate([rng.choice(g, len(g)) for g in picked])
        fakes = [rng.choice(networks[name], len(networks[name])) for name in names]
        yield np.array([np.mean([_area(x, real, fake) for x in s for fake in fakes]) for s in scores])


def _area(scores: Array, real: NDArray[np.intp], fake: NDArray[np.intp]) -> float:
    a, b = (scores[places][~np.isnan(scores[places])] for places in (real, fake))
    return auc(a, b)


def print_point(judged: Judged) -> None:
    """What lies beyond the point that the table certifies, if it certifies one."""
    named = counted(judged)
    rows = [r for r in judged.rows if not r.fake or network_of_row(r) in named]
    table = [
        ScoreRow(sha256=r.sha256, fake=r.fake, kind=kind_of(r), generator=network_of_row(r) if r.fake else "",
                 source=r.source, view=v, side=x.condition.side, quality=x.condition.quality,
                 media_type=x.condition.media_type, logit=judged.after[r.sha256, v], predicted=None,
                 kind_probability=None, distance=0.0)
        for r in rows for v, x in judged.looks[r.sha256].items()
    ]  # fmt: skip
    try:
        point = calibrate_table(table, None, rounds=20).guarantees.supports[0].log10_ratio
    except CalibrationError as e:
        print(f"no point: {e.detail}")
        return
    if point is None:
        print("no point: the table certifies none")
        return
    told = table_of(table, None)
    beyond = crossed(told) / np.log(10) >= point
    for view in VIEWS:
        here = np.array([r.view == view for r in told.rows])
        unseen = here & np.array([r.sha256 in judged.unseen for r in told.rows])
        found, n = int(beyond[here & told.fake].sum()), int((here & told.fake).sum())
        false, m = int(beyond[here & ~told.fake].sum()), int((here & ~told.fake).sum())
        low, high = at_least(found, n, sure=0.975), at_most(false, m, sure=0.975)
        print(f"{view}: found {found} of {n} (at least {low:.3f}), false {false} of {m} (at most {high:.4f})")
        print(f"  of sources that taught nothing {int(beyond[unseen].sum())} of {int(unseen.sum())}")


def print_two_percent(judged: Judged) -> None:
    """Shares beyond what 2 % of all real pictures pass, formulas among them."""
    for view in VIEWS:
        real, networks = taken(judged, judged.after, view)
        line = np.quantile(real, 0.98)
        cells = ", ".join(f"{n} {(x > line).mean():.2f}" for n, x in networks.items())
        own = [judged.after[s, view] for s in judged.unseen if (s, view) in judged.after]
        print(f"{view}: beyond 2 % of {len(real)}: {cells}")
        print(
            f"  real ones of sources that taught nothing: {np.mean(np.array(own) > line):.3f} of {len(own)}"
        )


def places_of(args: argparse.Namespace, run: Path) -> Places:
    return Places(manifests=(SHIPPED,), folders=tuple(args.corpus), taef2=run, upscalers=(), run=run)


def seen_of(args: argparse.Namespace, run: Path, weights: Path) -> tuple[Known, Looks]:
    """Real pictures outside of the test, and those of upscalers."""
    known = known_pictures(places_of(args, run))
    mine = [r for r in known.judged if r.source not in args.seen]
    rows = [r for r in mine if not r.fake or family_of(r.generator) == "upscaler"]
    learned = tuple(r for r in known.learned if r.source not in args.seen)
    return replace(known, judged=tuple(rows), learned=learned), look(
        read_backbone(weights), known, rows, run, silent
    )


def whole(args: argparse.Namespace) -> None:
    regions = read_regions(args.features)
    known, looks = seen_of(args, args.kept, args.weights)
    layers = layers_of(regions, known, looks, twins=not args.no_twins)
    rows, paths = set_rows(args.set)
    heads = {e: layers.layer(without=e) for e in range(8)} | {-1: layers.layer()}
    every = {
        **looks,
        **looks_at(network_of(read_backbone(args.weights)), rows, paths, args.kept / "set", silent),
    }
    shipped = {(r.sha256, r.view): r.logit for r in read_scores(args.before)}
    there, seen = seen_of_all(args)
    before = heads_of(there.learned, seen).all()
    own = network_of(read_backbone(args.before_weights))
    shipped |= scores_by(before, rows, looks_at(own, rows, paths, args.before_kept / "set", silent))
    learned = {r.source for r in known.learned}
    judged = Judged(
        rows=(*known.judged, *rows), looks=every, before=shipped,
        after=scores_by(heads, (*known.judged, *rows), every),
        unseen=frozenset(r.sha256 for r in known.judged if not r.fake and r.source not in learned),
    )  # fmt: skip
    print_whole(judged)
    print_two_percent(judged)
    print_point(judged)


def seen_of_all(args: argparse.Namespace) -> tuple[Known, Looks]:
    known = known_pictures(places_of(args, args.before_kept))
    return known, look(read_backbone(args.before_weights), known, known.learned, args.before_kept, silent)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    made = tasks.add_parser("features")
    for name in ("pairs", "weights", "out"):
        made.add_argument(name, type=Path)
    for task in ("regions", "whole"):
        told = tasks.add_parser(task)
        told.add_argument("features", type=Path, nargs="+")
        told.add_argument("--no-twins", action="store_true")
        told.add_argument("--seen", nargs="*", default=())
        for name in ("kept", "weights"):
            told.add_argument(f"--{name}", type=Path, required=True)
        told.add_argument("--corpus", type=Path, nargs="+", required=True)
        for name in ("set", "before", "before-kept", "before-weights") if task == "whole" else ():
            told.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    if args.task == "features":
        network = network_of(read_backbone(args.weights))
        write_regions(regions_of_pairs(read_set(args.pairs), network), args.out)
    elif args.task == "regions":
        regions = read_regions(args.features)
        print_regions(
            layers_of(regions, *seen_of(args, args.kept, args.weights), twins=not args.no_twins), regions
        )
    else:
        whole(args)


if __name__ == "__main__":
    main()
