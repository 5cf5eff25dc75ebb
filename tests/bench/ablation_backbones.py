"""What each part of the training of a backbone is worth: short trainings from chance, alike but for one part.

    python -m tests.bench.ablation_backbones CORPUS PICTURES UPSCALERS RUN STEPS [SECONDS]

Aligned pairs of one photo of every source, and mosaics of a zoo whose families are fitted for SECONDS each
on the corpus (20), teach a small crop for STEPS steps: all of it and without the zoo, with four seeds each;
the zoo alone, without a kind of maker, without a term of the loss, and with one class for all fakes. Every
network then looks at the same whole pictures, and a last layer is fitted that is judged as
``tests.bench.ablation`` judges it. "Own" is the network's own last layer, which never saw a whole generated
picture. Intervals are of the difference to the first seed of all; what another seed changes says how much of
a difference is luck. RUN keeps everything, so that the same command goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.core.files import write_arrays
from detector.core.threads import one_thread
from detector.data.corpus import load_index
from detector.data.families import family_of
from detector.data.manifest import SHIPPED, Row
from detector.lab.corpus.material import kept_set
from detector.lab.corpus.tiles import fitted_tiles
from detector.lab.steps.regions import Small
from detector.lab.steps.scores import ScoreRow
from detector.lab.steps.training import train
from detector.lab.steps.training_set import TrainingOptions, TrainingSet
from detector.lab.traces.compare import compare
from detector.lab.traces.files import at_most, quarter, read_picture
from detector.lab.traces.head import Heads
from detector.lab.traces.looks import LAUNDERED, VIEWS, Look
from detector.lab.traces.looks import shown as shown_in
from detector.lab.traces.pairs import key_of, pairs_of
from detector.lab.traces.run import Known, Places, known_pictures, left_out_table
from detector.lab.whole.kinds import kind_of
from detector.models.condition import JPEG, Condition
from detector.models.trace_network import TraceNetwork, network_of
from detector.models.weights import shipped_tensors
from detector.pixels.preprocess import crops_of
from tests.bench.ablation import ROUNDS, keep, mosaic_pairs, tell, zoo_tiles

SHARE_OF_TILES = 0.2  # of what is drawn, as in the recipe of traces-1
MOSAICS = 50
RIDGE = 0.1  # few pictures teach the layer here
OF_A_SOURCE, OF_A_CELL, OF_A_FAMILY = 4, 8, 40
ALL = "all of it"

Crops = NDArray[np.uint8]  # (n, side, side, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """``drawn``: which families of fakes are shown; ``options`` change the training; ``one_class``: all fakes
    are one class."""

    drawn: Callable[[str], bool] = lambda _name: True
    options: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    one_class: bool = False


def _zoo(name: str) -> bool:
    return name.startswith("zoo_")


VARIANTS: Mapping[str, Variant] = {
    ALL: Variant(),
    **{f"all of it, seed {n}": Variant(seed=n) for n in (1, 2, 3)},
    "without the zoo": Variant(drawn=lambda n: not _zoo(n)),
    **{f"without the zoo, seed {n}": Variant(drawn=lambda n: not _zoo(n), seed=n) for n in (1, 2, 3)},
    "the zoo alone": Variant(drawn=_zoo),
    "without TAEF2": Variant(drawn=lambda n: not n.startswith("taef2")),
    "without own autoencoders": Variant(drawn=lambda n: not n.startswith("ae_")),
    "without upscalers": Variant(drawn=lambda n: n.startswith(("taef2", "ae_", "zoo_"))),
    "without the margin of pairs": Variant(options={"margin_weight": 0.0}),
    "without the agreement of views": Variant(options={"agreement_weight": 0.0}),
    "without the compression": Variant(options={"compression_weight": 0.0}),
    "without the adversaries": Variant(options={"adversary_weight": 0.0}),
    "one class for all fakes": Variant(one_class=True),
}


def fitted_zoo(corpus: Path, run: Path, seconds: float) -> list[Small]:
    """Fitted, drawn, and kept as ``zoo/tiles.npz``."""
    path = run / "zoo" / "tiles.npz"
    if not path.is_file():
        items = load_index(corpus)
        made = fitted_tiles(corpus, items, run / "zoo", seconds=seconds, seed=0, report=_told())
        write_arrays(path, {f"{t.family}/{k}": getattr(t, k) for t in made for k in ("real", "fake")})
    return zoo_tiles(run / "zoo")


def pairs(known: Known, corpus: Path, upscalers: Sequence[Path], run: Path) -> TrainingSet:
    """Regions of one photo of every source."""
    real = at_most((replace(r, generator="") for r in known.learned if not r.fake), 1)
    build = partial(
        pairs_of, real, known.paths, corpus / "weights" / "taef2", upscalers, seed=0, report=_told()
    )
    return kept_set(run / "pairs.npz", key_of(real, upscalers, 0), build)


def with_zoo(data: TrainingSet, tiles: Sequence[Small]) -> TrainingSet:
    """Beside the pairs mosaics as wide as they are, which share ``SHARE_OF_TILES``."""
    made = [(k, *pair) for k, t in enumerate(tiles) for pair in mosaic_pairs(t, MOSAICS)]
    which, real, fake = zip(*made, strict=True)
    count, share = len(made), sum(data.share) * SHARE_OF_TILES / (1 - SHARE_OF_TILES) / len(tiles)
    return replace(
        data, real=np.concatenate([data.real, np.stack(real)]),
        fake=np.concatenate([data.fake, np.stack(fake)]),
        source=np.concatenate([data.source, np.full(count, len(data.sources))]),
        single=np.concatenate([data.single, np.zeros(count, bool)]),
        family=np.concatenate([data.family, len(data.families) + np.array(which)]),
        twin=np.concatenate([data.twin, len(data.real) + np.arange(count)]),
        families=(*data.families, *(t.family for t in tiles)), sources=(*data.sources, "tiles"),
        share=(*data.share, *(share for _ in tiles)), digest=f"{data.digest} and a zoo",
    )  # fmt: skip


def shown(data: TrainingSet, variant: Variant) -> TrainingSet:
    """What a variant is taught by; with one class families keep their shares of the draws, as far as their
    pictures are as many."""
    share = tuple(s if variant.drawn(n) else 0.0 for n, s in zip(data.families, data.share, strict=True))
    if not variant.one_class:
        return replace(data, share=share)
    rng = np.random.default_rng(0)
    drawn = rng.choice(
        len(data.fake), 4 * len(data.fake), p=_each(data.family, np.array(share) / np.sum(share))
    )
    return replace(
        data, fake=data.fake[drawn], twin=data.twin[drawn], family=np.zeros(len(drawn), np.int64),
        families=("generated",), share=(1.0,),
    )  # fmt: skip


def _each(family: np.ndarray, share: np.ndarray) -> np.ndarray:
    p = share[family] / np.bincount(family)[family]
    out: np.ndarray = p / p.sum()
    return out


def options(steps: int, variant: Variant) -> TrainingOptions:
    base = TrainingOptions(
        seed=variant.seed, epochs=4, steps_per_epoch=steps // 4, crop_side=64, min_scale=0.5,
        averaging=0.98,
    )  # fmt: skip
    changed: dict[str, Any] = dict(variant.options)
    return replace(base, **changed)


def judged_rows(known: Known) -> list[Row]:
    """Few of every source, generator and family, chosen by their digests."""
    rows, families = [], dict[str, int]()
    counted = dict[tuple[str, str], int]()
    for row in sorted(known.judged, key=lambda r: r.sha256):
        family, key = family_of(row.generator), (row.source, row.generator)
        counted[key] = counted.get(key, 0) + 1
        if counted[key] > (OF_A_CELL if row.fake else OF_A_SOURCE):
            continue
        families[family] = families.get(family, 0) + row.fake
        if not row.fake or families[family] <= OF_A_FAMILY:
            rows.append(row)
    return rows


def laundered_crops(rows: Sequence[Row], paths: Mapping[str, Path]) -> dict[str, Crops]:
    """Digest -> the crops that every network looks at, of pictures that a detector applies to."""
    out, report = dict[str, Crops](), _told()
    for n, row in enumerate(rows):
        found = read_picture(row, paths[row.sha256])
        try:
            if found is not None:
                pixels = quarter(row, found[0], VIEWS.index(LAUNDERED))
                out[row.sha256] = crops_of(shown_in(row, pixels, found[1], LAUNDERED)[0])
        except NotApplicable:
            pass
        report("reading pictures", n + 1, len(rows))
    return out


def tables(
    network: TraceNetwork, rows: Sequence[Row], known: Known, crops: Mapping[str, Crops]
) -> tuple[list[ScoreRow], list[ScoreRow]]:
    """Scores of the layer that is fitted, and of the network's own."""
    condition = Condition(side=256, quality=90, media_type=JPEG)
    looks = {
        digest: {LAUNDERED: Look(features=network.features(seen).mean(0), condition=condition)}
        for digest, seen in crops.items()
    }
    learned = {r.sha256 for r in known.learned}
    heads = Heads([r for r in rows if r.sha256 in learned], looks, (LAUNDERED,), ridge=RIDGE)
    return left_out_table(heads, rows, looks), [
        _own(network, row, seen) for row in rows for seen in looks[row.sha256].values()
    ]


def _own(network: TraceNetwork, row: Row, seen: Look) -> ScoreRow:
    return ScoreRow(
        sha256=row.sha256, fake=row.fake, kind=kind_of(row), generator=family_of(row.generator),
        source=row.source, view=LAUNDERED, side=0, quality=None, media_type="", predicted=None,
        logit=float(network.logits(seen.features[None])[0]), kind_probability=None, distance=0.0,
    )  # fmt: skip


def _told() -> Callable[[str, int, int], None]:
    last = [time.monotonic()]

    def report(what: str, done: int, total: int) -> None:
        if time.monotonic() - last[0] > 20:
            last[0] = time.monotonic()
            print(f"    {what} {done} of {total}, {time.process_time():.0f} CPU seconds", flush=True)

    return report


def main(
    corpus: Path, pictures: Sequence[Path], upscalers: Path, run: Path, steps: int, seconds: float
) -> None:
    files = tuple(sorted(upscalers.glob("*.param")))
    places = Places(
        manifests=(SHIPPED,), folders=tuple(pictures), taef2=corpus / "weights" / "taef2", upscalers=files,
        run=run,
    )  # fmt: skip
    run.mkdir(parents=True, exist_ok=True)
    known = known_pictures(places)
    data = with_zoo(pairs(known, corpus, files, run), fitted_zoo(corpus, run, seconds))
    rows = judged_rows(known)
    crops = laundered_crops(rows, known.paths)
    rows = [r for r in rows if r.sha256 in crops]
    kinds = len(data.families)
    print(f"{len(data.fake)} fakes of {kinds} kinds; {len(rows)} pictures are judged", flush=True)
    of: dict[str, tuple[list[ScoreRow], list[ScoreRow]]] = {}
    found = {}
    for name, variant in VARIANTS.items():
        folder = run / name.replace(" ", "-").replace(",", "")
        net = train(shown(data, variant), options(steps, variant), folder, progress=partial(_told(), name))
        network = network_of({k: v.numpy() for k, v in shipped_tensors(net).items()})
        of[name] = tables(network, rows, known, crops)
        for k, which in enumerate(("", ", own")):
            found[name + which] = compare(of[ALL][k], of[name][k], rounds=ROUNDS)
            tell(name + which, found[name + which])
    keep(found, run / "ablation-backbones.json")


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    a = sys.argv[1:]
    with one_thread():
        main(
            Path(a[0]), [Path(p) for p in a[1].split(":")], Path(a[2]), Path(a[3]), int(a[4]),
            float(a[5]) if a[5:] else 20.0,
        )  # fmt: skip
    print(f"{time.process_time():.0f} CPU seconds")
