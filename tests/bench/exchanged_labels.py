"""Whether a draw of few labels is bad by the labels of one class: the same fit with those of another draw.

    python -m tests.bench.exchanged_labels CORPUS STEPS DRAW CLASS OTHER

``assay lab semi`` on MNIST with the 100 labels of seed DRAW, but the ten of CLASS from the draw of seed
OTHER; with DRAW for OTHER nothing is exchanged. First weights and the chance of the fit are those of seed
DRAW. Prints how many test digits are wrong, and how many of each class.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.core.metrics import proportion
from detector.core.threads import one_thread
from detector.data.splits import Split
from detector.generators.source import UNKNOWN, ImageSource, digested, few_labels
from detector.zoo.fitting.budget import Budget
from detector.zoo.semi.family import SemiSpec
from detector.zoo.semi.run import fit_semi, wrong_of
from detector.zoo.sources.named import open_named


def exchanged(source: ImageSource, count: int, draw: int, wanted: int, other: int) -> ImageSource:
    """``count`` labels of the seed ``draw``, those of the class ``wanted`` from the seed ``other``."""
    one, another = (few_labels(source, count, seed=s).labels for s in (draw, other))
    assert one is not None
    assert another is not None
    labels = np.where(one == wanted, UNKNOWN, one)
    labels[another == wanted] = wanted
    return digested(replace(source, labels=labels, digest=""))


def main() -> None:
    corpus, (steps, draw, wanted, other) = Path(sys.argv[1]), map(int, sys.argv[2:])
    train, test = (open_named("mnist", 28, split=s, corpus=corpus) for s in (Split.TRAIN, Split.TEST))
    assert test.labels is not None
    source = exchanged(train, 100, draw, wanted, other)
    with one_thread():
        family, result = fit_semi(SemiSpec(), source, Budget(steps=steps), seed=draw)
        wrong = wrong_of(family, test)
    error = proportion(int(wrong.sum()), len(wrong))
    print(f"{wrong.sum()} of {len(wrong)} wrong, {100 * error.low:.2f} to {100 * error.high:.2f} %")
    print(f"by class 0 to 9: {np.bincount(test.labels[wrong], minlength=10).tolist()}")
    print(f"{result.steps} steps, {result.cpu_seconds:.0f} CPU seconds")


if __name__ == "__main__":
    main()
