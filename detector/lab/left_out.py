"""Leave one family out: how well does a detector see generators of a kind it never met?

For every family of the zoo a detector is trained on all the others and tested on that one, against real
pictures that no generator and no detector saw. Family means one entry of the table of generators, all its
upsamplers together: leaving out one upsampler of a kind proves little. All pictures pass ``codec_match``. An
AUC below 0.5 is a reversed shortcut and is reported as such.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.errors import CalibrationError, CorpusError
from detector.core.files import write_json
from detector.core.metrics import Estimate, Groups, auc, bootstrap, cllr, halves, true_positives
from detector.generators.family import RECONSTRUCTING
from detector.generators.source import ImageSource, chosen_of
from detector.lab.training import TrainingOptions, train
from detector.lab.training_set import TrainingSet, pictures_digest
from detector.models.calibration import fit
from detector.networks.traces import TraceNet, fake_score
from detector.pixels.augment import codec_match, draw_codec

if TYPE_CHECKING:
    from detector.models.card import FamilyLeftOut

BOTH = ("vae",)
_ALIGNED_SHARE = 4.0

Array = NDArray[np.float64]
Pictures = NDArray[np.uint8]
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyPictures:
    """uint8 (n, side, side, 3). ``twins`` numbers the real training picture each training fake was made
    from, for families that reconstruct; None for families that only sample. ``test_photos`` numbers the
    photo that each test fake was made from, as the real test pictures number theirs."""

    family: str
    train: Pictures
    test: Pictures
    twins: NDArray[np.int64] | None = None
    test_photos: Groups = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One family that was not trained on. ``others`` is the AUC on each family that was. ``cllr`` is the cost
    of ratios calibrated on those others and one half of the real pictures, measured on this one and the other
    half."""

    family: str
    auc: Estimate
    true_positives: Estimate  # share found at 1 % false positives on the real test pictures
    others: tuple[tuple[str, float], ...]
    cllr: float | None = None


def leave_one_out(
    families: Sequence[FamilyPictures],
    real_train: Pictures,
    real_test: Pictures,
    options: TrainingOptions,
    run: Path,
    *,
    report: Report,
    photos: Groups = None,
) -> tuple[LeftOut, ...]:
    """Train and test once per family; finished families are read from ``run``. Several entries of one name
    are one family. ``photos`` numbers the photo of each real test picture: calibration and test share none,
    and intervals resample photos. Raises ``CorpusError`` for fewer than three families."""
    names = list(dict.fromkeys(f.family for f in families))
    if len(names) < 3:
        raise CorpusError("leaving one family out needs at least three")
    run.mkdir(parents=True, exist_ok=True)
    rows = []
    for n, name in enumerate(names):
        path = run / f"left-out-{name}.json"
        if not path.is_file():
            data = training_set([f for f in families if f.family != name], real_train)

            def progress(done: int, total: int, name: str = name) -> None:
                report(f"training without {name}", done, total)

            net = train(data, options, run / f"without-{name}", progress=progress)
            row = _tested(net, name, families, real_test, photos, options.seed)
            write_json(path, asdict(row))
        rows.append(_parse(path))
        report("families left out", n + 1, len(names))
    return tuple(rows)


def training_set(families: Sequence[FamilyPictures], real: Pictures) -> TrainingSet:
    """Sampled fakes beside any real picture, reconstructions beside their own. What a family draws and what
    it reconstructs are classes of their own; a class of reconstructions comes ``_ALIGNED_SHARE`` times as
    often: they are the hard ones, and so few that samples would drown them."""
    parts = [f"{f.family}, reconstructed" if f.twins is not None else f.family for f in families]
    names = tuple(dict.fromkeys(parts))
    weight = {p: 1.0 if f.twins is None else _ALIGNED_SHARE for p, f in zip(parts, families, strict=True)}
    fake = np.concatenate([f.train for f in families])
    twin = np.concatenate(
        [np.full(len(f.train), -1) if f.twins is None else f.twins for f in families]
    )  # fmt: skip
    return TrainingSet(
        real=real,
        source=np.zeros(len(real), np.int64),
        single=np.ones(len(real), bool),
        fake=fake,
        family=np.concatenate(
            [np.full(len(f.train), names.index(p)) for p, f in zip(parts, families, strict=True)]
        ),
        twin=twin,
        families=names,
        sources=("photos",),
        share=tuple(weight[n] / sum(weight.values()) for n in names),
        digest=pictures_digest(real, fake, twin),
    )


def scores_of(net: TraceNet, pictures: Pictures, seed: int) -> Array:
    """Log-odds of "generated" of each picture after its own draw of ``codec_match``, without resizing."""
    seen = []
    for n, picture in enumerate(pictures):
        draw = draw_codec(np.random.default_rng([seed, 7, n]), min_scale=1.0, max_scale=1.0)
        seen.append(codec_match(picture, draw))
    out = []
    with torch.no_grad():
        for start in range(0, len(seen), 250):
            x = torch.from_numpy(np.stack(seen[start : start + 250])).permute(0, 3, 1, 2).float()
            out.append(fake_score(net(x)).double().numpy())
    return np.concatenate(out)


def _tested(
    net: TraceNet,
    left_out: str,
    families: Sequence[FamilyPictures],
    real_test: Pictures,
    photos: Groups,
    seed: int,
) -> LeftOut:
    real = scores_of(net, real_test, seed)
    fakes = {
        name: np.concatenate([scores_of(net, f.test, seed + 1) for f in families if f.family == name])
        for name in dict.fromkeys(f.family for f in families)
    }
    own = fakes.pop(left_out)
    groups = (photos, _photos_of([f for f in families if f.family == left_out]))
    return LeftOut(
        family=left_out,
        auc=bootstrap(auc, real, own, rounds=300, groups=groups),
        true_positives=bootstrap(true_positives, real, own, rounds=300, groups=groups),
        others=tuple((n, auc(real, s)) for n, s in fakes.items()),
        cllr=cost(real, photos, list(fakes.values()), own, seed),
    )


def _photos_of(parts: Sequence[FamilyPictures]) -> Groups:
    """Of all test fakes of a family; what was drawn, and not made from a photo, stands for itself."""
    if all(p.test_photos is None for p in parts):
        return None
    made = [p.test_photos for p in parts if p.test_photos is not None]
    free = 1 + max(int(m.max()) for m in made if len(m))
    out = []
    for part in parts:
        out.append(np.arange(free, free + len(part.test)) if part.test_photos is None else part.test_photos)
        free += len(part.test)
    return np.concatenate(out)


def cost(real: Array, photos: Groups, others: Sequence[Array], own: Array, seed: int) -> float | None:
    """Of ratios calibrated on half of the real photos and the others, on the other half and the family that
    was left out. None where the others give no calibration, or the photos no two halves."""
    first, second = halves(len(real), photos, np.random.default_rng([seed, 23]))
    try:
        calibration = fit(real[first, None], [s[:, None] for s in others], rounds=2)
        return cllr(calibration.llr(real[second]), calibration.llr(own))
    except CalibrationError:
        return None


def _parse(path: Path) -> LeftOut:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return LeftOut(
            family=raw["family"],
            auc=Estimate(**raw["auc"]),
            true_positives=Estimate(**raw["true_positives"]),
            others=tuple((n, float(a)) for n, a in raw["others"]),
            cllr=raw.get("cllr"),
        )
    except (ValueError, KeyError, TypeError) as e:
        raise CorpusError(f"{path.name} is no result; remove it and run again") from e


def card_rows(run: Path) -> tuple[FamilyLeftOut, ...]:
    """The rows of a finished run as a card keeps them. Raises ``CorpusError``."""
    from detector.models.card import FamilyLeftOut

    paths = sorted(run.glob("left-out-*.json"))
    if not (run / "lofo.json").is_file() or not paths:
        raise CorpusError(f"{run.name} is not a finished run of lab lofo")
    rows = [_parse(p) for p in paths]
    return tuple(
        FamilyLeftOut(family=r.family, auc=r.auc, true_positives=r.true_positives, cllr=r.cllr) for r in rows
    )


def zoo_pictures(
    runs: Sequence[Path],
    real_train: Pictures,
    real_test: ImageSource,
    *,
    train: int,
    test: int,
    seed: int,
    report: Report,
) -> tuple[FamilyPictures, ...]:
    """Fakes of fitted families, training and test ones with other seeds. A family whose trace is a
    reconstruction reconstructs real pictures, test ones for the test. Raises ``CorpusError`` for a family of
    another size than the real pictures, ``ModelUnavailable`` for a folder that holds none."""
    from detector.zoo.store import open_family

    out = []
    for n, run in enumerate(runs):
        fitted = open_family(run)
        side = real_train.shape[1]
        if (fitted.spec.side, fitted.spec.channels) != (side, 3):
            raise CorpusError(f"{run.name} makes pictures of another size than {side} x {side} in colour")
        name = fitted.spec.family
        if name in RECONSTRUCTING + BOTH:
            rng = np.random.default_rng([seed, n])
            twins = rng.choice(len(real_train), min(train, len(real_train)), replace=False)
            places = rng.choice(len(real_test.images), min(test, len(real_test.images)), replace=False)
            others = chosen_of(real_test, places)
            made = FamilyPictures(
                family=name, train=fitted.reconstruct(real_train[twins]),
                test=fitted.reconstruct(others.images), twins=twins, test_photos=others.groups,
            )  # fmt: skip
            out.append(made)
        if name not in RECONSTRUCTING:
            drawn = fitted.sample(train, 2 * seed + 1), fitted.sample(test, 2 * seed + 2)
            out.append(FamilyPictures(family=name, train=drawn[0], test=drawn[1]))
        report("drawing fakes", n + 1, len(runs))
    return tuple(out)


def lofo_run(
    data: str,
    corpus: Path | None,
    zoo: Path,
    run: Path,
    *,
    fakes: int,
    steps: int,
    side: int,
    seed: int,
    report: Report,
) -> tuple[LeftOut, ...]:
    """From real pictures and a folder of fitted families to the rows, ``lofo.json`` and ``lofo.png``. Raises
    ``CorpusError`` and ``ModelUnavailable``."""
    from detector.lab.plots import plot_left_out

    runs = sorted(p.parent for p in zoo.glob("*/card.json"))
    if not runs:
        raise CorpusError(f"{zoo.name} holds no fitted generators; fit some with lab fit")
    real_train, real_test = _real_pictures(data, corpus, side, seed, report)
    families = zoo_pictures(
        runs, real_train, real_test, train=fakes, test=max(16, fakes // 3), seed=seed, report=report
    )
    options = TrainingOptions(
        seed=seed, epochs=4, steps_per_epoch=max(1, steps // 4), pairs_per_batch=32, crop_side=side,
        width=24, min_scale=1.0, max_scale=1.0,
    )  # fmt: skip
    rows = leave_one_out(
        families, real_train, real_test.images, options, run, report=report, photos=real_test.groups
    )
    write_json(run / "lofo.json", [asdict(r) for r in rows])
    plot_left_out(run, rows)
    return rows


def _real_pictures(
    data: str, corpus: Path | None, side: int, seed: int, report: Report
) -> tuple[Pictures, ImageSource]:
    """Training and test pictures; of a corpus with an index by its own splits."""
    from detector.data.corpus import load_index
    from detector.data.splits import Split
    from detector.zoo.sources.data import open_source

    if (Path(data) / "INDEX.csv").is_file():
        from detector.lab.zoo_tiles import SIDE, held_out_tiles, training_tiles

        if side != SIDE:
            raise CorpusError(f"tiles of a corpus with an index have {SIDE} pixels a side")
        items = load_index(Path(data))
        return training_tiles(Path(data), items, seed).images, held_out_tiles(Path(data), items, seed)
    parts = [
        open_source(data, side, seed=seed, split=split, corpus=corpus, report=report)
        for split in (Split.TRAIN, Split.TEST)
    ]
    return parts[0].images, parts[1]


LEAST_STEPS, LEAST_FAKES, LEAST_TESTED = 500, 100, 100


def cautions(rows: Sequence[LeftOut], *, steps: int, fakes: int) -> tuple[str, ...]:
    """Why the numbers of a run should not be read as results, one sentence each."""
    found = []
    if steps < LEAST_STEPS:
        found.append(
            f"detectors of {steps} steps have hardly learned; below {LEAST_STEPS} an AUC says nothing "
            "about the family"
        )
    if fakes < LEAST_FAKES:
        found.append(f"{fakes} pictures per family are few to learn from; {LEAST_FAKES} or more are needed")
    if rows and (fewest := min(r.auc.n for r in rows)) < LEAST_TESTED:
        found.append(f"{fewest} test pictures are few: read the intervals, not the values")
    if below := [r.family for r in rows if r.auc.high < 0.5]:
        found.append(f"an AUC below 0.5 is a reversed shortcut, not a finding: {', '.join(below)}")
    return tuple(found)


def rows_text(rows: Sequence[LeftOut], warnings: Sequence[str] = ()) -> str:
    """A table for people, and what must be known before it is read."""
    lines = [f"{'left out':12} {'AUC':>20}   {'found at 1 % false alarms':>26}"]
    for r in rows:
        area, found = r.auc, r.true_positives
        lines.append(
            f"{r.family:12} {area.value:.3f} [{area.low:.3f}, {area.high:.3f}]   "
            f"{found.value:9.3f} [{found.low:.3f}, {found.high:.3f}]"
        )
    areas = [r.auc.value for r in rows]
    lines.append(f"{'mean':12} {np.mean(areas):.3f}, worst {min(areas):.3f}; n={rows[0].auc.n} each")
    lines.append("small generators of our own: this does not predict real ones")
    lines += [f"warning: {w}" for w in warnings]
    return "\n".join(lines) + "\n"
