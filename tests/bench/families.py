"""Families of the zoo beside the public minimal recipe of their papers, each for the same CPU seconds on
digits.

    python -m tests.bench.families CORPUS SECONDS OUT [FAMILY ...]

One line for each: how far 500 drawn digits are from held-out ones (KID, in pixels shrunk to 16 x 16 and in
the 64 features of a classifier of digits that is taught here first), how sure that classifier is of them,
how many classes it finds a fiftieth of them or more in, and of a family that is told classes how often it
sees the one asked for. OUT gets a sheet of each. CPU seconds of two processes that share a memory are not
those of one alone: what is compared is taken in one run, one after the other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.metrics import Array
from detector.core.threads import one_thread
from detector.data.splits import Split
from detector.generators import make_family
from detector.generators.pictures import as_floats
from detector.generators.source import ImageSource
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.judging.features import pixel_extractor
from detector.zoo.judging.quality import kid
from detector.zoo.sheet import write_sheet
from detector.zoo.sources.named import open_named
from detector.zoo.store import Fitted
from tests.bench.recipes import RECIPES, Recipe

Pictures = NDArray[np.uint8]
DRAWN, HELD_OUT, SHOWN, JUDGE_STEPS = 500, 1000, 36, 600
SLOW = {"pixelcnn": 60}  # pixel by pixel
SIDES = {"biggan": 32}  # others draw 28 x 28
SETTINGS: dict[str, dict[str, Any]] = {"biggan": {"classes": 10}}


@dataclass(frozen=True, slots=True)
class Row:
    family: str
    whose: str
    steps: int
    pixels: float
    features: float
    sure: float
    classes: int
    right: float | None


class Judge(nn.Module):
    """A classifier of digits; its last hidden layer is the space that KID is taken in."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 5, 2, 2), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 49, 64), nn.ReLU(),
        )  # fmt: skip
        self.classes = nn.Linear(64, 10)


def taught_judge(source: ImageSource, steps: int) -> Judge:
    torch.manual_seed(0)
    judge, labels = Judge(), torch.from_numpy(_labels(source))
    optimiser = torch.optim.Adam(judge.parameters(), 2e-3)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
        at = torch.randint(len(labels), (64,))
        loss = F.cross_entropy(
            judge.classes(judge.features(as_floats(source.images[at.numpy()]))), labels[at]
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return judge.eval()


def _labels(source: ImageSource) -> NDArray[np.int64]:
    assert source.labels is not None
    return source.labels


def digits(images: Pictures) -> Pictures:
    """28 x 28, without the frame that a set gets up to 32."""
    margin = (images.shape[1] - 28) // 2
    return images[:, margin : margin + 28, margin : margin + 28]


@torch.no_grad()
def judged(judge: Judge, images: Pictures) -> tuple[Array, Tensor]:
    """Features (n, 64) and probabilities (n, 10)."""
    features = judge.features(as_floats(digits(images)))
    return features.double().numpy(), judge.classes(features).softmax(1)


def row_of(
    name: tuple[str, str, int],
    judge: Judge,
    real: Pictures,
    images: Pictures,
    asked: NDArray[np.int64] | None,
) -> Row:
    """``name``: family, whose, steps."""
    pixels, quiet = pixel_extractor().of, _quiet
    held, drawn = judged(judge, real), judged(judge, images)
    scale = held[0].std()
    found = drawn[1].argmax(1)
    shares = torch.bincount(found, minlength=10) / len(found)
    return Row(
        *name,
        pixels=kid(pixels(digits(real), quiet), pixels(digits(images), quiet), rounds=2).value,
        features=kid(held[0] / scale, drawn[0] / scale, rounds=2).value,
        sure=float(drawn[1].max(1).values.mean()),
        classes=int((shares >= 0.02).sum()),
        right=None if asked is None else float((found.numpy() == asked).mean()),
    )


def _quiet(_done: int, _total: int) -> None:
    pass


def ours(family: str, source: ImageSource, seconds: float) -> tuple[int, Callable[[int], Pictures]]:
    """Steps, and what draws."""
    made = make_family(family, seed=0, side=source.images.shape[1], channels=1, **SETTINGS.get(family, {}))
    result = fit(made, source, Budget(cpu_seconds=seconds), seed=0)
    labels = np.arange if made.spec.classes else None
    return result.steps, lambda n: Fitted(made).sample(n, 0, None if labels is None else labels(n) % 10)


def public(family: str, source: ImageSource, seconds: float) -> tuple[int, Callable[[int], Pictures]]:
    torch.manual_seed(0)
    recipe: Recipe = RECIPES[family]()
    pictures, labels = as_floats(source.images), torch.from_numpy(_labels(source))
    steps, began = 0, time.process_time()  # only steps are counted, as for ours
    while time.process_time() - began < seconds:
        at = torch.randint(len(labels), (recipe.batch,))
        recipe.step(pictures[at], labels[at])
        steps += 1
    recipe.eval()
    return steps, lambda n: _bytes(recipe.draw(n))


@torch.no_grad()
def _bytes(x: Tensor) -> Pictures:
    shown = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.ascontiguousarray(shown.permute(0, 2, 3, 1).numpy())


def measure(
    corpus: Path, seconds: float, families: list[str], out: Path, judge_steps: int = JUDGE_STEPS
) -> list[Row]:
    def open_part(side: int, split: Split) -> ImageSource:
        return open_named("mnist", side, split=split, corpus=corpus)

    judge = taught_judge(open_part(28, Split.TRAIN), judge_steps)
    real = open_part(28, Split.TEST).images[:HELD_OUT]
    rows = [row_of(("real", "", 0), judge, real, open_part(28, Split.TRAIN).images[:DRAWN], None)]
    for family in families:
        source = open_part(SIDES.get(family, 28), Split.TRAIN)
        n = SLOW.get(family, DRAWN)
        for whose, how in (("public", public), ("ours", ours)):
            given = source if whose == "ours" else open_part(28, Split.TRAIN)
            steps, draw = how(family, given, seconds)
            with torch.no_grad():
                images = draw(n)
            asked = np.arange(n) % 10 if family in SETTINGS else None
            rows.append(row_of((family, whose, steps), judge, real, images, asked))
            write_sheet(images[:SHOWN], out / f"{family}-{whose}.png", columns=12)
            print(line(rows[-1]), flush=True)
    return rows


def line(row: Row) -> str:
    right = "" if row.right is None else f" | right {row.right:.2f}"
    return (
        f"{row.family:9} {row.whose:7} {row.steps:6} steps | KID pixels {row.pixels:.4f}, features "
        f"{row.features:.3f} | sure {row.sure:.2f} | classes {row.classes}{right}"
    )


def main() -> None:
    corpus, seconds, out = Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    with one_thread():
        print(line(measure(corpus, seconds, sys.argv[4:] or list(RECIPES), out)[0]))
    print(f"{time.process_time():.0f} CPU seconds in all")


if __name__ == "__main__":
    main()
