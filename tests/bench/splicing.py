"""Figures of docs/cards/differs.md: where composites of the second half differ, and if that could answer.

    python -m tests.bench.splicing KEPT

KEPT is the folder that ``assay lab splicing`` kept. Localisation: the chance that a changed window lies
farther from its picture's median than another one, averaged over composites; and the same for the same
windows of the untouched twin; also by whether photos of the source taught the network that the features are
from. Pictures: the highest mean of two by two windows; the line is what 98 in 100 untouched pictures of the
first half do not reach, by a head that never saw their source (three folds).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from hashlib import sha256
from pathlib import Path

import numpy as np

from detector.core.bounds import at_most
from detector.core.metrics import auc
from detector.forensics.splicing import BACKBONE, SplicingHead, Windows, strongest
from detector.lab.halves import first_half
from detector.lab.splicing.fitting import INSIDE, LEAST_INSIDE, OUTSIDE, Kept, fit_head, read_kept
from detector.models.card import open_card


def highest(head: SplicingHead, windows: Windows) -> float:
    return strongest(windows.laid_out(head.distances(windows.features)))


def localised(head: SplicingHead, kept: Kept) -> tuple[float, float] | None:
    """Of the composite, and of the windows of its twin that lie where it was changed."""
    share = {tuple(at): s for at, s in zip(kept.changed.at.tolist(), kept.share, strict=True)}
    found = []
    for windows in (kept.changed, kept.untouched):
        own = np.array([share.get(tuple(at), np.nan) for at in windows.at.tolist()])
        inside, outside = own >= INSIDE, own <= OUTSIDE
        if inside.sum() < LEAST_INSIDE or not outside.any():
            return None
        away = head.distances(windows.features)
        found.append(auc(away[outside], away[inside]))
    return found[0], found[1]


def main(folder: Path) -> None:
    kept = read_kept(folder)
    first = [k for k in kept if first_half(k.source)]
    second = [k for k in kept if not first_half(k.source)]
    head = fit_head(first, "00" * 32)
    folds = [int(sha256(k.source.encode()).hexdigest()[1], 16) % 3 for k in first]
    untouched = []
    for fold in range(3):
        other = fit_head([k for k, f in zip(first, folds, strict=True) if f != fold], "00" * 32)
        untouched += [highest(other, k.untouched) for k, f in zip(first, folds, strict=True) if f == fold]
    line = float(np.quantile(untouched, 0.98))
    print(f"{len(first)} photos of {len({k.source for k in first})} sources; line {line:.2f}")
    print(f"second half: {len(second)} photos of {len({k.source for k in second})} sources")
    alarms = [k.source for k in second if highest(head, k.untouched) > line]
    most = at_most(len(alarms), len(second))
    print(f"untouched beyond it: {len(alarms)} of {len(second)}, at most {most:.1%}", alarms)
    taught = set(open_card(BACKBONE).seen)
    groups: dict[str, list[tuple[tuple[float, float] | None, bool]]] = defaultdict(list)
    for k in second:
        saved = "not saved" if not k.quality else f"saved at {'85 to 97' if k.quality >= 85 else '70 to 84'}"
        size = "112 to 175 across" if k.across < 176 else "176 to 287 across"
        told = localised(head, k), highest(head, k.changed) > line
        by = f"of sources that taught its network {'something' if k.source in taught else 'nothing'}"
        for group in (k.kind, f"{k.kind}, {saved}", f"{k.kind}, {size}", f"all, {by}", "all"):
            groups[group].append(told)
    for group, told_of in sorted(groups.items()):
        areas = np.array([a for a, _ in told_of if a is not None])
        spread = areas[:, 0].std(ddof=1) / np.sqrt(len(areas)) if len(areas) > 1 else float("nan")
        print("|", group, "|", f"{areas[:, 0].mean():.2f} +- {1.96 * spread:.2f} of {len(areas)}", "|",
              f"{areas[:, 1].mean():.2f}", "|",
              sum(b for _, b in told_of), "of", len(told_of), "|")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
