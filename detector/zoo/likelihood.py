"""How likely a fitted generator finds pictures: bits per colour value, beside what uniform noise gets.

A uniform guess over the 256 values takes 8 bits. What kind of number it is differs by family (``KINDS``), and
so no two families are compared by it (Theis, van den Oord and Bethge 2016). A family with a density is asked
at the picture plus uniform noise of one step (their section 3.1): in the mean over that noise, the bits are
an upper bound of those of the uint8 picture.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.core.metrics import Array
from detector.core.progress import Report
from detector.zoo.sources.data import HELD_OUT, Data, given_pictures
from detector.zoo.store import Fitted, open_family

Kind = Literal["exact", "bound", "estimate"]

_ROUNDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``stepped``: a density, asked with noise of one step."""

    kind: Kind
    why: str
    stepped: bool


KINDS: dict[str, Row] = {
    "pixelcnn": Row(kind="exact", why="the probability of the uint8 picture itself", stepped=False),
    "realnvp": Row(
        kind="bound", stepped=True,
        why="an exact density; with noise of one step, the bits are bounded from above in the mean",
    ),
    "vae": Row(
        kind="bound", stepped=True,
        why="16 weighted draws of the latent and noise of one step: bounded from above in the mean",
    ),
    "dbm": Row(
        kind="estimate", stepped=False,
        why="a variational bound less an estimated log Z, of black and white: a guess takes 1 bit",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits:
    """Bits per colour value. ``units`` were resampled for the 95 % interval: photos where the pictures were
    cut from photos, else pictures; one unit has no interval, and a number that is not finite is none."""

    mean: float | None
    low: float | None
    high: float | None
    n: int
    units: int
    not_examined: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    family: str
    weights_sha256: str
    kind: Kind
    why: str
    source: str
    pictures: Bits
    noise: Bits


def likelihood_run(run: Path, data: Data, *, count: int, seed: int, report: Report) -> Likely:
    """Ask about held-out pictures of a set or a folder, or about an ``.npz`` as it is. Raises
    ``NotApplicable`` for a family without a likelihood, ``LabError`` for pictures it cannot take."""
    fitted = open_family(run)
    name, spec = fitted.spec.family, fitted.spec
    if name not in KINDS:
        raise NotApplicable(f"{name} does not know how likely a picture is; {', '.join(sorted(KINDS))} do")
    given = given_pictures(data, spec.side, count, splits=HELD_OUT, seed=seed, report=report)
    rng = np.random.default_rng([seed, 17])
    units = np.arange(len(given.images)) if given.groups is None else given.groups
    pictures = bits_of(_bits(fitted, given.images, seed), units, seed)
    report("asking about pictures", 1, 2)
    noise = rng.integers(0, 256, given.images.shape, np.uint8)
    of_noise = bits_of(_bits(fitted, noise, seed), np.arange(len(noise)), seed)
    report("asking about noise", 2, 2)
    return Likely(
        family=name, weights_sha256=fitted.card.weights_sha256 if fitted.card else "",
        kind=KINDS[name].kind, why=KINDS[name].why, source=given.name, pictures=pictures, noise=of_noise,
    )  # fmt: skip


def _bits(fitted: Fitted, images: NDArray[np.uint8], seed: int) -> Array:
    """Bits per colour value of each picture (n,)."""
    rng = torch.Generator().manual_seed(seed) if KINDS[fitted.spec.family].stepped else None
    nats = fitted.log_prob(images, noise=rng)
    return -nats / (math.prod(images.shape[1:]) * math.log(2))


def bits_of(values: Array, units: NDArray[np.int64], seed: int) -> Bits:
    """The mean, and its interval by resampling whole units."""
    n, found = len(values), np.unique(units, return_inverse=True)[1]
    count = int(found.max()) + 1
    if odd := int((~np.isfinite(values)).sum()):
        why = f"no finite number for {odd} of {n} pictures"
        return Bits(mean=None, low=None, high=None, n=n, units=count, not_examined=why)
    mean = float(values.mean())
    if count < 2:
        return Bits(mean=mean, low=None, high=None, n=n, units=count)
    sums, sizes = np.bincount(found, values), np.bincount(found)
    rng = np.random.default_rng([seed, 19])
    drawn = rng.integers(0, count, (_ROUNDS, count))
    low, high = np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), [0.025, 0.975])
    return Bits(mean=mean, low=float(low), high=float(high), n=n, units=count)


def likelihood_text(found: Likely) -> str:
    """The table for people."""
    lines = [f"{'pictures':32}{'bits per value':>15}  {'95 % interval':21}{'n':>7}{'units':>7}"]
    for name, bits in ((found.source, found.pictures), ("uniform noise of the same size", found.noise)):
        interval = "" if bits.low is None or bits.high is None else f"{bits.low:.4f} to {bits.high:.4f}"
        value = "not examined" if bits.mean is None else f"{bits.mean:.4f}"
        line = f"{name:32}{value:>15}  {interval:21}{bits.n:>7}{bits.units:>7}  {bits.not_examined}"
        lines.append(line.rstrip())
    return "\n".join([*lines, f"{found.family}: {found.kind}; {found.why}.", ""])


def likelihood_json(found: Likely) -> str:
    """One object; numbers that do not exist are null."""
    return json.dumps(asdict(found), indent=1) + "\n"
