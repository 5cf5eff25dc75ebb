"""Families of the zoo beside the public minimal recipe of their papers, each for the same CPU seconds on
digits.

    python -m tests.bench.families CORPUS SECONDS OUT [--seed N] [FAMILY ...]

One line for each: how far 500 drawn digits are from held-out ones (KID, in pixels shrunk to 16 x 16 and in
the 64 features of a classifier of digits that is taught here first), how sure that classifier is of them,
how many classes it finds a fiftieth of them or more in, of a family that is told classes how often it
sees the one asked for, and of one that says how likely a picture is the bits per pixel of 500 held-out digits
(exact of ``pixelcnn``, else a bound from above). A family that translates goes between digits and other
digits that are slanted on white; what it made slanted is turned back exactly, and the class asked for is that
of the original. OUT gets a sheet of each. CPU seconds of two processes that share a memory are not
those of one alone: what is compared is taken in one run, one after the other.
"""

from __future__ import annotations

import argparse
import math
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
from detector.generators.source import ImageSource, keep_labels, unpaired
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.judging.features import pixel_extractor
from detector.zoo.judging.quality import kid
from detector.zoo.likelihood import KINDS
from detector.zoo.sheet import write_sheet
from detector.zoo.sources.named import open_named
from detector.zoo.store import Fitted
from tests.bench import recipes_density, recipes_gan
from tests.bench.recipes import Recipe

Pictures = NDArray[np.uint8]
Makes = Callable[[Pictures, int, int], Pictures]  # of these digits, or none: so many, or made kind 0 or 1
DRAWN, HELD_OUT, SHOWN, JUDGE_STEPS = 500, 1000, 36, 600
SLOW = {"pixelcnn": 200}  # pixel by pixel
TWO_KINDS = {"mode": "translate", "classes": 2}
# What a name stands for where it is not a family as it is.
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "biggan": ("biggan", {"classes": 10}),
    "cyclegan": ("cyclegan", TWO_KINDS),
    "flowgan": ("realnvp", {"adversarial": 0.2}),
    "s3gan": ("biggan", {"classes": 10, "few_labels": True}),
    "unit": ("unit", TWO_KINDS),
}
RECIPES: dict[str, type[Recipe]] = {
    name: getattr(module, name.capitalize())
    for module, names in (
        (recipes_gan, ("gan", "dcgan", "lapgan", "biggan", "s3gan", "r3gan", "cyclegan", "unit")),
        (recipes_density, ("vae", "realnvp", "flowgan", "pixelcnn", "flowmatch", "dbm")),
    )
    for name in names
}
TOLD = ("biggan", "s3gan")  # the class
TRANSLATING = ("cyclegan", "unit")
LIKELY = ("pixelcnn", "realnvp", "flowgan")  # say how likely a picture is, by a number that can be compared


@dataclass(frozen=True, slots=True)
class Learned:
    """``bits`` per pixel of these digits."""

    steps: int
    make: Makes
    bits: Callable[[Pictures], float]


@dataclass(frozen=True, slots=True)
class Row:
    family: str
    whose: str
    steps: int
    n: int
    pixels: float
    features: float
    sure: float
    classes: int
    right: float | None
    bits: float | None = None


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


def slanted_white(images: Pictures, back: bool = False) -> Pictures:
    """Each line moved by a third of its height over the middle, and black for white; or all of it undone."""
    out = np.empty_like(images)
    for row in range(images.shape[1]):
        by = round((images.shape[1] / 2 - row) / 3)
        out[:, row] = 255 - np.roll(images[:, row], -by if back else by, 1)
    return out


def given_to(name: str, source: ImageSource) -> ImageSource:
    """What a family or recipe of that name learns from."""
    if name == "s3gan":
        return keep_labels(source, 0.1, 0)
    if name not in TRANSLATING:
        return source
    half = len(source.images) // 2
    a, b = source.images[:half], slanted_white(source.images[half:])
    return unpaired(ImageSource(name="digits", images=a), ImageSource(name="slanted, white", images=b))


@torch.no_grad()
def judged(judge: Judge, images: Pictures) -> tuple[Array, Tensor]:
    """Features (n, 64) and probabilities (n, 10)."""
    features = judge.features(as_floats(images))
    return features.double().numpy(), judge.classes(features).softmax(1)


def row_of(
    name: tuple[str, str, int],
    judge: Judge,
    real: Pictures,
    images: Pictures,
    asked: NDArray[np.int64] | None,
    bits: float | None = None,
) -> Row:
    """``name``: family, whose, steps."""
    pixels, quiet = pixel_extractor().of, _quiet
    held, drawn = judged(judge, real), judged(judge, images)
    scale = held[0].std()
    found = drawn[1].argmax(1)
    shares = torch.bincount(found, minlength=10) / len(found)
    return Row(
        *name,
        n=len(images),
        pixels=kid(pixels(real, quiet), pixels(images, quiet), rounds=2).value,
        features=kid(held[0] / scale, drawn[0] / scale, rounds=2).value,
        sure=float(drawn[1].max(1).values.mean()),
        classes=int((shares >= 0.02).sum()),
        right=None if asked is None else float((found.numpy() == asked).mean()),
        bits=bits,
    )


def _quiet(_done: int, _total: int) -> None:
    pass


def ours(name: str, source: ImageSource, seconds: float, seed: int) -> Learned:
    family, settings = OURS.get(name, (name, {}))
    made = make_family(family, seed=seed, side=28, channels=1, **settings)
    result = fit(made, source, Budget(cpu_seconds=seconds), seed=seed)
    fitted = Fitted(made)

    def make(images: Pictures, n: int, to: int) -> Pictures:
        if name in TRANSLATING:
            return fitted.translate(images, to)
        return fitted.sample(n, 0, np.arange(n) % 10 if name in TOLD else None)

    def bits(images: Pictures) -> float:
        rng = torch.Generator().manual_seed(0) if KINDS[family].stepped else None
        return float(-fitted.log_prob(images, noise=rng).mean()) / (784 * math.log(2))

    return Learned(result.steps, make, bits)


def public(name: str, source: ImageSource, seconds: float, seed: int) -> Learned:
    torch.manual_seed(seed)
    recipe: Recipe = RECIPES[name]()
    pictures, labels = as_floats(source.images), torch.from_numpy(_labels(source))
    steps, began = 0, time.process_time()  # only steps are counted, as for ours
    while time.process_time() - began < seconds:
        at = torch.randint(len(labels), (recipe.batch,))
        if name in TRANSLATING:  # as many of each kind
            at = torch.cat([at[::2] % (len(labels) // 2), at[::2] % (len(labels) // 2) + len(labels) // 2])
        recipe.step(pictures[at], labels[at])
        steps += 1
    recipe.eval()

    def make(images: Pictures, n: int, to: int) -> Pictures:
        return _bytes(recipe.translate(as_floats(images), to) if name in TRANSLATING else recipe.draw(n))

    def bits(images: Pictures) -> float:
        return float(-recipe.nats(as_floats(images)).mean()) / (784 * math.log(2))

    return Learned(steps, make, bits)


def shown_by(
    name: str, make: Makes, test: ImageSource
) -> tuple[Pictures, NDArray[np.int64] | None, Pictures]:
    """Digits that were made, the classes asked for, and what a sheet shows of it."""
    if name not in TRANSLATING:
        images = make(test.images, SLOW.get(name, DRAWN), 0)
        return images, np.arange(len(images)) % 10 if name in TOLD else None, images[:SHOWN]
    half = DRAWN // 2
    a, b = test.images[-2 * half : -half], slanted_white(test.images[-half:])
    to_b, to_a = make(a, half, 1), make(b, half, 0)
    shown = np.concatenate([x[:12] for x in (a, to_b, b, to_a)])
    return np.concatenate([slanted_white(to_b, back=True), to_a]), _labels(test)[-2 * half :], shown


@torch.no_grad()
def _bytes(x: Tensor) -> Pictures:
    shown = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.ascontiguousarray(shown.permute(0, 2, 3, 1).numpy())


def measure(
    corpus: Path,
    seconds: float,
    families: list[str],
    out: Path,
    judge_steps: int = JUDGE_STEPS,
    seed: int = 0,
) -> list[Row]:
    def open_part(split: Split) -> ImageSource:
        return open_named("mnist", 28, split=split, corpus=corpus)

    train, test = open_part(Split.TRAIN), open_part(Split.TEST)
    judge, real = taught_judge(train, judge_steps), test.images[:HELD_OUT]
    rows = [row_of(("real", "", 0), judge, real, train.images[:DRAWN], None)]
    for name in families:
        for whose, how in (("public", public), ("ours", ours)):
            learned = how(name, given_to(name, train), seconds, seed)
            with torch.no_grad():
                images, asked, shown = shown_by(name, learned.make, test)
                bits = learned.bits(real[:DRAWN]) if name in LIKELY else None
            rows.append(row_of((name, whose, learned.steps), judge, real, images, asked, bits))
            write_sheet(shown, out / f"{name}-{whose}-{seed}.png", columns=12)
            print(line(rows[-1]), flush=True)
    return rows


def line(row: Row) -> str:
    right = "" if row.right is None else f" | right {row.right:.2f}"
    bits = "" if row.bits is None else f" | bits {row.bits:.3f}"
    return (
        f"{row.family:9} {row.whose:7} {row.steps:6} steps | n {row.n} | KID pixels {row.pixels:.4f}, "
        f"features {row.features:.3f} | sure {row.sure:.2f} | classes {row.classes}{right}{bits}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("out", type=Path)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    families = asked.families or list(RECIPES)
    with one_thread():
        print(line(measure(asked.corpus, asked.seconds, families, asked.out, seed=asked.seed)[0]))
    print(f"{time.process_time():.0f} CPU seconds in all")


if __name__ == "__main__":
    main()
