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

import numpy as np
import torch
from numpy.typing import NDArray

from detector.augment import codec_match, draw_codec
from detector.errors import CorpusError
from detector.metrics import Estimate, auc, bootstrap
from detector.networks.traces import TraceNet, fake_score
from detector.training import TrainingOptions, train
from detector.training_set import TrainingSet, pictures_digest

FALSE_POSITIVE_RATE = 0.01

Array = NDArray[np.float64]
Pictures = NDArray[np.uint8]
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyPictures:
    """uint8 (n, side, side, 3). ``twins`` numbers the real training picture each training fake was made
    from, for families that reconstruct; None for families that only sample."""

    family: str
    train: Pictures
    test: Pictures
    twins: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One family that was not trained on. ``others`` is the AUC on each family that was."""

    family: str
    auc: Estimate
    true_positives: Estimate  # share found at FALSE_POSITIVE_RATE on the real test pictures
    others: tuple[tuple[str, float], ...]


def leave_one_out(
    families: Sequence[FamilyPictures],
    real_train: Pictures,
    real_test: Pictures,
    options: TrainingOptions,
    run: Path,
    *,
    report: Report,
) -> tuple[LeftOut, ...]:
    """Train and test once per family; finished families are read from ``run``. Several entries of one name
    are one family. Raises ``CorpusError`` for fewer than three families."""
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
            row = _tested(net, name, families, real_test, options.seed)
            path.write_text(json.dumps(asdict(row), indent=1) + "\n", encoding="utf-8")
        rows.append(_parse(path))
        report("families left out", n + 1, len(names))
    return tuple(rows)


def training_set(families: Sequence[FamilyPictures], real: Pictures) -> TrainingSet:
    """All families equally often; sampled fakes beside any real picture, reconstructions beside their own."""
    names = tuple(dict.fromkeys(f.family for f in families))
    fake = np.concatenate([f.train for f in families])
    twin = np.concatenate(
        [np.full(len(f.train), -1) if f.twins is None else f.twins for f in families]
    )  # fmt: skip
    return TrainingSet(
        real=real,
        source=np.zeros(len(real), np.int64),
        single=np.ones(len(real), bool),
        fake=fake,
        family=np.concatenate([np.full(len(f.train), names.index(f.family)) for f in families]),
        twin=twin,
        families=names,
        sources=("photos",),
        share=tuple(1 / len(names) for _ in names),
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


def true_positives(real: Array, fake: Array) -> float:
    """Share of fakes above the threshold that ``FALSE_POSITIVE_RATE`` of the real scores pass."""
    threshold = np.quantile(real, 1 - FALSE_POSITIVE_RATE, method="higher")
    return float((fake > threshold).mean())


def _tested(
    net: TraceNet, left_out: str, families: Sequence[FamilyPictures], real_test: Pictures, seed: int
) -> LeftOut:
    real = scores_of(net, real_test, seed)
    fakes = {
        name: np.concatenate([scores_of(net, f.test, seed + 1) for f in families if f.family == name])
        for name in dict.fromkeys(f.family for f in families)
    }
    own = fakes[left_out]
    return LeftOut(
        family=left_out,
        auc=bootstrap(auc, real, own, rounds=300),
        true_positives=bootstrap(true_positives, real, own, rounds=300),
        others=tuple((n, auc(real, s)) for n, s in fakes.items() if n != left_out),
    )


def _parse(path: Path) -> LeftOut:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return LeftOut(
            family=raw["family"],
            auc=Estimate(**raw["auc"]),
            true_positives=Estimate(**raw["true_positives"]),
            others=tuple((n, float(a)) for n, a in raw["others"]),
        )
    except (ValueError, KeyError, TypeError) as e:
        raise CorpusError(f"{path.name} is no result; remove it and run again") from e
