"""Leaks: whatever lets a detector know the label, or the picture, without knowing what a generated picture
looks like. Looked for before anything is asked.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from detector.data.checks import TELLING_AUC
from detector.data.giveaways import Telling, telling_fields
from detector.data.look_alikes import NEAR_BITS, near_pairs, near_to
from detector.lab.benchmark.views import STORED
from detector.lab.trial.pictures import Picture

_SURE = 2.8  # standard errors of an AUC of .5 (Hanley and McNeil 1982); about ten fields are looked at
_NAMED = 3
_ENCODER = ("bytes", "bytes per pixel")  # of files that one law wrote these speak of pixels alone


class Kind(StrEnum):
    FIELD = "field"
    TWIN = "twin"
    NAME = "name"
    TAUGHT = "taught"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """``view``: the one it is in; empty for all."""

    kind: Kind
    view: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What is known of a file without looking at its pixels, as ``detector.data.giveaways`` reads it.
    ``metadata``: which segments or chunks it has besides the picture."""

    sha256: str
    source: str
    fake: bool
    format: str
    luminance_sum: int | None
    size: int
    width: int
    height: int
    metadata: str


def telling_leaks(facts: Sequence[FileFacts], view: str) -> Iterator[Leak]:
    """Fields of the files of one view that tell the label."""
    classes = [sum(f.fake for f in facts), sum(not f.fake for f in facts)]
    if not all(classes):
        return
    highest = max(TELLING_AUC, 0.5 + _SURE * math.sqrt((sum(classes) + 1) / (12 * math.prod(classes))))
    for told in _told(facts, view):
        if told.by_picture >= highest:
            yield Leak(
                kind=Kind.FIELD, view=view,
                text=f"{told.field} alone tells the label: AUC {told.by_picture:.2f} (chance stays below"
                f" {highest:.2f})",
            )  # fmt: skip


def _told(facts: Sequence[FileFacts], view: str) -> Iterator[Telling]:
    """Each field by itself; where one law wrote all files, how long they came out says what they show."""
    for told in telling_fields(facts, {"metadata": [f.metadata for f in facts]})[:-1]:
        if view == STORED or told.field not in _ENCODER:
            yield told


def twin_leaks(pictures: Sequence[Picture], looks: Mapping[str, int]) -> Iterator[Leak]:
    """Pictures that look alike and stand in different groups: one of two labels is wrong, or a group that is
    left out was seen in another. ``looks``: difference hash by digest, of those that decode."""
    seen = [p for p in pictures if p.sha256 in looks]
    hashes = np.array([looks[p.sha256] for p in seen], np.uint64)
    pairs = [(seen[a], seen[b]) for a, b in near_pairs(hashes)]
    for what, found in (
        ("one called real and one generated", [(a, b) for a, b in pairs if a.fake != b.fake]),
        (
            "in two groups of one class",
            [(a, b) for a, b in pairs if a.fake == b.fake and a.source != b.source],
        ),
    ):
        if found:
            named = "; ".join(f"{a.name} and {b.name}" for a, b in found[:_NAMED])
            yield Leak(
                kind=Kind.TWIN, view="",
                text=f"{len(found)} pairs look alike, {what} (at most {NEAR_BITS} of 64 bits differ):"
                f" {named}",
            )  # fmt: skip


def name_leaks(pictures: Iterable[Picture]) -> Iterator[Leak]:
    """One source under two names: what is left out under one is seen under the other."""
    together: dict[str, set[tuple[bool, str]]] = defaultdict(set)
    for p in pictures:
        together[_spelt(p.source)].add((p.fake, p.source))
    for groups in together.values():
        names = sorted(name for _, name in groups)
        if len(groups) > 1:
            same = all(a == b for a, b in pairwise(names))
            how = "in both classes" if same else "spelt otherwise"
            yield Leak(kind=Kind.NAME, view="", text=f"one group {how}: {', '.join(dict.fromkeys(names))}")


def _spelt(name: str) -> str:
    name = re.sub(r"[- ]v?\d[\w.:+-]*$", "", name.lower())
    return re.sub(r"[\W_]+", "", name) or name


def taught_leaks(
    detector: str, pictures: Sequence[Picture], looks: Mapping[str, int], taught: frozenset[str],
    taught_looks: Sequence[int],
) -> Iterator[Leak]:  # fmt: skip
    """Pictures that a detector was fitted on, by its maker's own list, or that look like one of those."""
    same = [p for p in pictures if p.sha256 in taught]
    hashes = np.array(taught_looks, np.uint64)
    alike = [
        p for p in pictures
        if p.sha256 not in taught and p.sha256 in looks and len(near_to(looks[p.sha256], hashes))
    ]  # fmt: skip
    for what, found in (("are among", same), ("look like some of", alike)):
        if found:
            named = ", ".join(p.name for p in found[:_NAMED])
            yield Leak(
                kind=Kind.TAUGHT, view="",
                text=f"{len(found)} pictures {what} those that {detector} was fitted on: {named}",
            )  # fmt: skip
