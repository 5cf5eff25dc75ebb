"""The last layer: what separates camera pictures from generated ones in the features of a backbone that never
saw a whole generated picture; and what it is worth where generator and source are left out.

A ridge regression, solved from sums of products per source and generator: what is left out is subtracted, so
that every score can come from a head that saw neither that source nor any generator of that family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import TooFewPictures
from detector.core.logistic import solve_ridge
from detector.data.families import family_of
from detector.data.manifest import Row
from detector.lab.traces.looks import Look

CAP = 60  # pictures of a source that count; more of one taste teach little
_SPREAD_FLOOR = 1e-3

Array = NDArray[np.float64]
Looks = Mapping[str, Mapping[str, Look]]  # digest -> view -> look
_Groups = Mapping[tuple[bool, str, str], Sequence[Array]]  # (fake, source, family) -> (views, d) a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Log-odds up to a factor: ``features @ weight + bias``."""

    weight: Array
    bias: float

    def logit(self, look: Look) -> float:
        return float(look.features.astype(np.float64) @ self.weight + self.bias)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """Pictures of one source and family: their weighted sums of products, and of products with the label."""

    fake: bool
    source: str
    family: str
    weight: float
    products: Array
    sums: Array


class Heads:
    """All that heads are solved from. A source, of a family, counts as the square root of its pictures, at
    most of ``CAP``; and both classes alike."""

    def __init__(self, rows: Sequence[Row], looks: Looks, views: Sequence[str], *, ridge: float) -> None:
        """Only ``views`` are learned. Raises ``TooFewPictures`` where a class is empty."""
        self._ridge = ridge
        groups: dict[tuple[bool, str, str], list[Array]] = {}
        for row in rows:
            seen = [look.features for view, look in looks[row.sha256].items() if view in views]
            if seen:
                key = (row.fake, row.source, family_of(row.generator))
                groups.setdefault(key, []).append(np.array(seen, np.float64))
        if {fake for fake, _, _ in groups} != {True, False}:
            raise TooFewPictures("a head needs real and generated pictures")
        self._mean, self._scale = _middle(groups)
        self._cells = [self._cell(*key, seen) for key, seen in groups.items()]
        self._totals = {fake: self._total(fake) for fake in (False, True)}

    @property
    def domain(self) -> tuple[Array, Array]:
        """Middle and spread of all features, every source and family by its weight."""
        return self._mean, self._scale

    def away(self, look: Look) -> float:
        """As ``TraceNetwork.distance``."""
        far = np.clip((look.features - self._mean) / self._scale, -8, 8)
        return float(np.sqrt(np.square(far).mean()))

    def without(self, row: Row) -> Head:
        """The head that saw neither the picture's source nor any generator of its family."""
        source, family = row.source, family_of(row.generator)
        return self._solved([c for c in self._cells if c.source == source or (c.fake and c.family == family)])

    def all(self) -> Head:
        return self._solved([])

    def _solved(self, left_out: Sequence[_Cell]) -> Head:
        """From all sums less those of what is left out."""
        size = len(self._mean) + 1
        products, sums = np.zeros((size, size)), np.zeros(size)
        for fake, (weight, all_products, all_sums) in self._totals.items():
            mine = [c for c in left_out if c.fake is fake]
            if len(mine) == sum(c.fake is fake for c in self._cells):
                continue
            total = 2 * (weight - sum(c.weight for c in mine))
            products += (all_products - sum(c.products for c in mine)) / total
            sums += (all_sums - sum(c.sums for c in mine)) / total
        penalty = np.append(np.full(size - 1, self._ridge), 0.0)
        solved = solve_ridge(products, sums, penalty)
        weight_of_features = solved[:-1] / self._scale
        bias = float(solved[-1] - weight_of_features @ self._mean)
        return Head(weight=weight_of_features, bias=bias)

    def _total(self, fake: bool) -> tuple[float, Array, Array]:
        mine = [c for c in self._cells if c.fake is fake]
        products, sums = np.zeros_like(mine[0].products), np.zeros_like(mine[0].sums)
        for cell in mine:
            products += cell.products
            sums += cell.sums
        return sum(c.weight for c in mine), products, sums

    def _cell(self, fake: bool, source: str, family: str, seen: Sequence[Array]) -> _Cell:
        weight = weight_of(len(seen))
        # Every picture alike, however many of its views the detector could see.
        parts = np.concatenate([np.full(len(s), 1 / np.sqrt(len(s))) for s in seen])
        x = (np.concatenate(seen) - self._mean) / self._scale
        x = np.concatenate([x, np.ones((len(x), 1))], 1) * parts[:, None]
        share = weight / len(seen)
        label = 1.0 if fake else -1.0
        return _Cell(
            fake=fake, source=source, family=family, weight=weight, products=share * x.T @ x,
            sums=share * label * (x.T @ parts),
        )  # fmt: skip


def weight_of(pictures: int) -> float:
    return float(np.sqrt(min(pictures, CAP)))


def _middle(groups: _Groups) -> tuple[Array, Array]:
    weights = np.array([weight_of(len(seen)) for seen in groups.values()])
    weights /= weights.sum()
    mean = weights @ np.array([np.concatenate(seen).mean(0) for seen in groups.values()])
    squares = np.array([((np.concatenate(seen) - mean) ** 2).mean(0) for seen in groups.values()])
    return mean, np.sqrt(weights @ squares) + _SPREAD_FLOOR
