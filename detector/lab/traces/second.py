"""A second layer, for what enlarges and reconstructs: fitted on aligned pairs, judged where source and make
are left out (docs/decisions/0043, 0047).

A *make* is all networks of one origin or one design: a layer that saw one of them saw the others. A ridge
regression from sums of products, as ``head`` has it, of three parts: fakes of the pairs, their twins, and
whole real pictures. Sources are left out by eighths.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import TooFewPictures
from detector.core.logistic import solve_ridge
from detector.lab.steps.training_set import TrainingSet
from detector.lab.traces.head import Array, Head, weight_of
from detector.models.trace_network import TraceNetwork
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels

EIGHTHS = 8
MADE, JPEG75, HALF = "made", "jpeg75", "half"
REGION_VIEWS = (MADE, JPEG75, HALF)
_JPEG = Encoding(media_type="image/jpeg", quality=75)
_SPREAD_FLOOR = 1e-3
_FAKE, _TWIN, _WHOLE = range(3)
# Beginnings of the names that networks have as files; any other is called MAKE-NETWORK.
_MAKES = {
    "taef2": "TAEF2", "ae_": "own autoencoders", "realesr": "Real-ESRGAN", "realcugan": "Real-CUGAN",
    "waifu": "waifu2x", "span": "SPAN", "2xhfa2k": "SPAN",
}  # fmt: skip

_Key = tuple[int, int, str]  # part, eighth, make
_Sums = tuple[float, Array, Array]  # weight, products of columns, products with the label


def make_of(network: str) -> str:
    name = network.lower()
    return next((make for start, make in _MAKES.items() if name.startswith(start)), name.partition("-")[0])


def eighth_of(source: str) -> int:
    return int(hashlib.sha256(source.encode()).hexdigest()[:8], 16) % EIGHTHS


def region_seen(region: Pixels, view: str) -> Pixels:
    """One of ``REGION_VIEWS``: as it was made, saved as JPEG, or shrunk to half."""
    if view == JPEG75:
        return through(region, _JPEG)
    return resize(region, 0.5, "area") if view == HALF else region


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Fakes of aligned pairs: ``networks`` that made them, ``sources`` of the photos, and view -> features
    (n, d) of them and of their twins."""

    networks: tuple[str, ...]
    sources: tuple[str, ...]
    fake: Mapping[str, NDArray[np.float32]]
    twin: Mapping[str, NDArray[np.float32]]

    @property
    def makes(self) -> NDArray[np.str_]:
        return np.array([make_of(n) for n in self.networks])

    @property
    def eighths(self) -> NDArray[np.int64]:
        return np.array([eighth_of(s) for s in self.sources], np.int64)


def regions_of_pairs(pairs: TrainingSet, network: TraceNetwork) -> Regions:
    """What a backbone sees of the pairs; every fake must have a twin."""
    twins = pairs.real[pairs.twin]

    def features(regions: NDArray[np.uint8], view: str) -> NDArray[np.float32]:
        return np.concatenate([network.features(region_seen(r, view)[None]) for r in regions])

    return Regions(
        networks=tuple(pairs.families[n] for n in pairs.family),
        sources=tuple(pairs.sources[n] for n in pairs.source[pairs.twin]),
        fake={v: features(pairs.fake, v) for v in REGION_VIEWS},
        twin={v: features(twins, v) for v in REGION_VIEWS},
    )


class SecondLayers:
    """All that second layers are solved from. A network, and a source, counts as the square root of its
    regions or pictures, at most of ``head.CAP``; fakes count as much as all real ones, and twins as much as
    whole pictures."""

    def __init__(
        self, regions: Regions, whole: Sequence[tuple[str, Array]], *, ridge: float, twins: bool = True
    ) -> None:
        """``whole``: source, and features (views, d), of real pictures. ``twins``: whether they teach. Raises
        ``TooFewPictures``."""
        if not whole or not regions.networks:
            raise TooFewPictures("a second layer needs pairs and whole real pictures")
        self._ridge = ridge
        rows = _rows(regions, whole, twins=twins)
        totals = np.bincount(rows.part, rows.weight, minlength=3)
        self._shares = {_FAKE: 0.5, _TWIN: 0.25, _WHOLE: 0.25} if twins else {_FAKE: 0.5, _WHOLE: 0.5}
        weight = rows.weight * np.array([self._shares.get(p, 0.0) for p in range(3)])[rows.part]
        weight /= totals[rows.part]
        self._mean = weight @ rows.x / weight.sum()
        self._scale = np.sqrt(weight @ (rows.x - self._mean) ** 2 / weight.sum()) + _SPREAD_FLOOR
        self.makes = tuple(sorted(set(rows.make[rows.part == _FAKE])))
        self._sums = self._summed(rows)
        self._totals: dict[tuple[int, str], _Sums] = {}
        for (part, _, made_by), sums in self._sums.items():
            before = self._totals.get((part, made_by))
            self._totals[part, made_by] = _added(before, sums, 1.0) if before else sums

    def _summed(self, rows: _Rows) -> dict[_Key, _Sums]:
        out: dict[_Key, _Sums] = {}
        keys = list(zip(rows.part.tolist(), rows.eighth.tolist(), rows.make.tolist(), strict=True))
        for key in dict.fromkeys(keys):
            mine = np.array([k == key for k in keys])
            x = (rows.x[mine] - self._mean) / self._scale
            x = np.concatenate([x, np.ones((len(x), 1))], 1)
            weighed = x * rows.weight[mine, None]
            label = 1.0 if key[0] == _FAKE else -1.0
            out[key] = (float(rows.weight[mine].sum()), x.T @ weighed, label * weighed.sum(0))
        return out

    def layer(self, makes: Collection[str] | None = None, *, without: int | None = None) -> Head:
        """Taught by the fakes of ``makes`` (of all), and by no source of the eighth ``without``. Raises
        ``TooFewPictures``."""
        size = len(self._mean) + 1
        products, sums = np.zeros((size, size)), np.zeros(size)
        for part, share in self._shares.items():
            found = [
                self._but(part, make, without) for p, make in self._totals
                if p == part and (part != _FAKE or makes is None or make in makes)
            ]  # fmt: skip
            total = sum(weight for weight, _, _ in found)
            if not total:
                raise TooFewPictures(f"no region is by {', '.join(sorted(makes or self.makes))}")
            for _, of_part, with_label in found:
                products += share / total * of_part
                sums += share / total * with_label
        solved = solve_ridge(products, sums, np.append(np.full(size - 1, self._ridge), 0.0))
        weight_of_features = solved[:-1] / self._scale
        bias = float(solved[-1] - weight_of_features @ self._mean)
        return Head(weight=weight_of_features, bias=bias)

    def _but(self, part: int, make: str, without: int | None) -> _Sums:
        total = self._totals[part, make]
        less = None if without is None else self._sums.get((part, without, make))
        return _added(total, less, -1.0) if less else total


def _added(one: _Sums, other: _Sums, times: float) -> _Sums:
    return one[0] + times * other[0], one[1] + times * other[1], one[2] + times * other[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """``x`` (n, d), and of each its part, eighth, make and weight."""

    x: Array
    part: NDArray[np.intp]
    eighth: NDArray[np.int64]
    make: NDArray[np.str_]
    weight: Array


def _rows(regions: Regions, whole: Sequence[tuple[str, Array]], *, twins: bool) -> _Rows:
    n = len(regions.networks)
    of_network, of_source = Counter(regions.networks), Counter(regions.sources)
    of_whole = Counter(source for source, _ in whole)
    each = {
        _FAKE: np.array([weight_of(of_network[k]) / of_network[k] for k in regions.networks]),
        _TWIN: np.array([weight_of(of_source[s]) / of_source[s] for s in regions.sources]),
    }
    x, part, eighth, make, weight = [], [], [], [], []
    for which, seen in ((_FAKE, regions.fake), (_TWIN, regions.twin)):
        for view in REGION_VIEWS if twins or which == _FAKE else ():
            x.append(seen[view].astype(np.float64))
            part.append(np.full(n, which, np.intp))
            eighth.append(regions.eighths)
            make.append(regions.makes if which == _FAKE else np.full(n, ""))
            weight.append(each[which])
    for source, features in whole:
        views = len(features)
        x.append(features.astype(np.float64))
        part.append(np.full(views, _WHOLE, np.intp))
        eighth.append(np.full(views, eighth_of(source), np.int64))
        make.append(np.full(views, ""))
        weight.append(np.full(views, weight_of(of_whole[source]) / of_whole[source] / views))
    return _Rows(
        x=np.concatenate(x), part=np.concatenate(part), eighth=np.concatenate(eighth),
        make=np.concatenate(make), weight=np.concatenate(weight),
    )  # fmt: skip


def region_scores(
    layers: SecondLayers, regions: Regions, make: str, makes: Collection[str]
) -> dict[str, tuple[Array, Array]]:
    """View -> scores of the twins, and of the fakes, of the regions by ``make``: by layers that ``makes``
    taught and that did not see their eighth of the sources."""
    mine, eighths = regions.makes == make, regions.eighths
    out = {v: (np.zeros(mine.sum()), np.zeros(mine.sum())) for v in REGION_VIEWS}
    for eighth in np.unique(eighths[mine]):
        head = layers.layer(makes, without=int(eighth))
        here = mine & (eighths == eighth)
        places = here[mine]
        for view in REGION_VIEWS:
            for scores, seen in zip(out[view], (regions.twin[view], regions.fake[view]), strict=True):
                scores[places] = seen[here].astype(np.float64) @ head.weight + head.bias
    return out
