"""What later real pictures change that vouch for answers and teach nothing (decision 0048).

``python -m tests.bench.vouching PICTURES FEATURES LEFT_OUT FIRST``: the weights that ship score the rows of
the shipped manifest from FIRST on (counted from 0), which they never saw, from what ``assay lab semantic``
kept of them in ``FEATURES``; ``PICTURES`` is where ``assay lab corpus bring`` put their files, ``LEFT_OUT``
the left-out table of the fit that ships (``left-out.csv`` of its run). Lines and points are set twice, with
the left-out table alone and with the later rows beside it; the answers of the old pictures are compared. No
weights change, and the test is not opened.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from detector.core.bounds import at_most
from detector.data.manifest import shipped_manifest
from detector.lab.semantic import VIEWS, WholeRun
from detector.lab.steps.judge_table import Seen, seen_of
from detector.lab.steps.score_fit import table_of
from detector.lab.steps.scores import ScoreRow, read_scores
from detector.lab.whole.card import KIND_LIMIT
from detector.lab.whole.features import load_embeddings
from detector.models.card import open_card
from detector.models.kinds import Kind
from detector.models.registry import SEMANTIC_MODEL, model_files
from detector.models.score import Answer
from detector.models.semantic_head import heads_from
from detector.models.weights import read_weights

ROUNDS = 2000
Answers = dict[tuple[str, str], tuple[ScoreRow, bool]]  # (picture, view) -> its row, whether "supports"


def later_rows(folder: Path, features: Path, first: int) -> list[ScoreRow]:
    card = open_card(SEMANTIC_MODEL)
    heads = heads_from(read_weights(card, model_files(SEMANTIC_MODEL)[1]))
    whole = WholeRun(rows=shipped_manifest()[first:], folder=folder, run=folder, report=lambda *_: None)
    kept = ((v, *load_embeddings(whole.rows, features, v)) for v in VIEWS)
    return [
        whole._scored(row, v, heads, own)
        for v, rows, numbers in kept
        for row, own in zip(rows, numbers, strict=True)
    ]


def answers_of(rows: list[ScoreRow]) -> Answers:
    seen: Seen = seen_of(table_of(rows, KIND_LIMIT), KIND_LIMIT)
    said = (answer == Answer.SUPPORTS.value for answer in seen.answers)
    return {(r.sha256, r.view): (r, s) for r, s in zip(seen.table.rows, said, strict=True)}


def is_photo(row: ScoreRow) -> bool:
    return row.predicted is Kind.PHOTO and (row.kind_probability or 0.0) >= KIND_LIMIT


def tell(view: str, name: str, answers: Answers) -> None:
    mine = [a for key, a in answers.items() if key[1] == view]
    made = [a for a in mine if a[0].fake]
    photos = [a for a in made if is_photo(a[0])]
    print(view, name, *(f"{sum(s for _, s in part)} of {len(part)}" for part in (made, photos)), "(photos)")
    real = [a for a in mine if not a[0].fake]
    for what in ("kind", "source"):
        n = Counter(getattr(row, what) for row, _ in real)
        false = Counter(getattr(row, what) for row, supports in real if supports)
        for group, count in n.items():
            if what == "kind" or (count >= 50 and false[group] > 0.01 * count):
                bound = 100 * at_most(false[group], count)
                print(f"    {group}: {false[group]} of {count}, at most {bound:.2f} %")


def gain(view: str, before: Answers, after: Answers) -> None:
    """Per picture, with a 95 % interval where families of generators are drawn anew and answers held."""
    keys = [k for k, (row, _) in before.items() if k[1] == view and row.fake]
    family = np.array([before[k][0].generator for k in keys])
    change = np.array([int(after[k][1]) - int(before[k][1]) for k in keys])
    rng, names = np.random.default_rng(0), np.unique(family)
    places = {n: np.flatnonzero(family == n) for n in names}
    drawn = [
        change[np.concatenate([places[n] for n in rng.choice(names, len(names))])].mean()
        for _ in range(ROUNDS)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    print(view, f"difference {change.mean():+.4f} [{low:+.4f}, {high:+.4f}]")


def main(folder: Path, features: Path, left_out: Path, first: int) -> None:
    old = list(read_scores(left_out))
    known = {r.sha256 for r in old}
    later = [r for r in later_rows(folder, features, first) if r.sha256 not in known]
    before, every = answers_of(old), answers_of([*old, *later])
    after = {key: every[key] for key in before}
    for view in dict.fromkeys(v.value for v in VIEWS):
        tell(view, "before", before)
        tell(view, "with later rows", after)
        gain(view, before, after)
    tell("laundered", "later rows themselves", {k: a for k, a in every.items() if k not in before})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
