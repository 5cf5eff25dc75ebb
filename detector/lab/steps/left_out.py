"""Leave one family out: how well does a detector see generators of a kind it never met?

For every family of the zoo a detector is trained on all the others and tested on that one, against real
pictures that no generator and no detector saw. Family means one entry of the table of generators, all its
upsamplers together: leaving out one upsampler of a kind proves little. All pictures pass ``codec_match``. An
AUC below 0.5 is a reversed shortcut and is reported as such.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.errors import CalibrationError, FileDamaged, FileFailed, TooFewPictures
from detector.core.files import write_json
from detector.core.metrics import Array, Estimate, Groups, auc, bootstrap, cllr, halves, true_positives
from detector.core.progress import Report
from detector.lab.steps.regions import Pictures
from detector.lab.steps.training import train
from detector.lab.steps.training_set import TrainingOptions, TrainingSet, pictures_digest
from detector.models.calibration import fit
from detector.models.card import FamilyLeftOut
from detector.networks.traces import TraceNet, fake_score
from detector.pixels.augment import codec_match, draw_codec

_ALIGNED_SHARE = 4.0


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
    families: Sequence[FamilyPictures], real_train: Pictures, real_test: Pictures, options: TrainingOptions,
    run: Path, *, report: Report, photos: Groups = None,
) -> tuple[LeftOut, ...]:  # fmt: skip
    """Train and test once per family; finished families are read from ``run``. Several entries of one name
    are one family. ``photos`` numbers the photo of each real test picture: calibration and test share none,
    and intervals resample photos. Raises ``TooFewPictures`` for fewer than three families."""
    names = list(dict.fromkeys(f.family for f in families))
    if len(names) < 3:
        raise TooFewPictures("leaving one family out needs at least three")
    run.mkdir(parents=True, exist_ok=True)
    rows = []
    for n, name in enumerate(names):
        path = run / f"left-out-{name}.json"
        if not path.is_file():
            data = training_set([f for f in families if f.family != name], real_train)
            progress = partial(report, f"training without {name}")
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
        [np.full(len(f.train), -1) if f.twins is None else f.twins for f in families],
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
    net: TraceNet, left_out: str, families: Sequence[FamilyPictures], real_test: Pictures, photos: Groups,
    seed: int,
) -> LeftOut:  # fmt: skip
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
        return parse_row(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as e:
        raise FileDamaged(f"{path.name} is no result; remove it and run again") from e


def parse_row(raw: dict[str, Any]) -> LeftOut:
    """Raises ``KeyError`` and ``TypeError``."""
    return LeftOut(
        family=raw["family"], auc=Estimate(**raw["auc"]), true_positives=Estimate(**raw["true_positives"]),
        others=tuple((n, float(a)) for n, a in raw["others"]), cllr=raw.get("cllr"),
    )  # fmt: skip


def card_rows(run: Path) -> tuple[FamilyLeftOut, ...]:
    """The rows of a finished run as a card keeps them. Raises ``FileFailed`` and ``FileDamaged``."""
    paths = sorted(run.glob("left-out-*.json"))
    if not (run / "lofo.json").is_file() or not paths:
        raise FileFailed(f"{run.name} is not a finished run of lab lofo")
    rows = [_parse(p) for p in paths]
    return tuple(
        FamilyLeftOut(family=r.family, auc=r.auc, true_positives=r.true_positives, cllr=r.cllr) for r in rows
    )


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
