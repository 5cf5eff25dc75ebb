"""One generator judged: every measure in every feature space that can be had, beside what real pictures get.

The reference column is the same measure between training and held-out real pictures: it shows what a perfect
generator would score with this many pictures. A measure that could not be taken stands in the table with its
reason, never with a number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable, NotApplicable
from detector.core.files import write_whole
from detector.core.metrics import Array, Estimate, Groups
from detector.core.progress import Report
from detector.generators.source import ImageSource, chosen_of
from detector.zoo.judging.features import Extractor, mobilenet_extractor, pixel_extractor
from detector.zoo.judging.quality import (
    class_coverage,
    frechet_distance,
    kid,
    memorisation,
    precision,
    recall,
    two_sample_auc,
)
from detector.zoo.judging.spectrum import SpectrumDistance, profile_db, ring_powers, spectrum_distance

SCHEMA = "assay.generator-quality/1"
_LISTED_COPIES = 20
_MAX_NEIGHBOURS_AMONG = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A row. Without ``value`` the reason says why; ``low`` and ``high`` bound 95 %."""

    name: str
    space: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reference: float | None = None
    not_examined: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCopy:
    """A generated picture and the training picture that it comes suspiciously near; both count from 0."""

    space: str
    sample: int
    train: int
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """``spectra`` are mean profiles in dB, frequency 1 first: real, generated."""

    measures: tuple[Measure, ...]
    near_copies: tuple[ListedCopy, ...]
    spectra: tuple[tuple[float, ...], tuple[float, ...]]
    n_generated: int
    n_train: int
    n_held_out: int


def assess(
    samples: NDArray[np.uint8],
    train: ImageSource,
    held_out: ImageSource,
    *,
    seed: int,
    report: Report,
    accept_bias: bool = False,
    device: str = "cpu",
    photos: NDArray[np.int64] | None = None,
) -> Quality:
    """Compare samples with real pictures of the same side; ``photos`` numbers what each sample was made from,
    where it was made from a photo. Raises ``NotApplicable`` when sides or channels differ."""
    if not samples.shape[1:] == train.images.shape[1:] == held_out.images.shape[1:]:
        raise NotApplicable("generated and real pictures differ in size or channels")
    n = len(samples)
    rng = np.random.default_rng([seed, 7])
    chosen = _subset(len(held_out.images), n, rng)
    held_source = chosen_of(held_out, chosen)
    held, held_labels = held_source.images, held_source.labels
    places = _subset(len(train.images), _MAX_NEIGHBOURS_AMONG, rng)
    trained = train.images[places]
    groups = _Photos(
        held=held_source.groups, fake=photos,
        like=None if train.groups is None else train.groups[places][: len(held)],
    )  # fmt: skip
    rows: list[Measure] = []
    copies: list[ListedCopy] = []
    for extractor, reason in _extractors(device):
        if isinstance(extractor, str):
            rows += [Measure(name=m, space=extractor, not_examined=reason) for m in _NAMES]
            continue
        # Neighbours are sought among all training pictures in the cheap space, among a part in the other.
        among = trained if extractor.name.startswith("pixels") else trained[: 2 * n]
        sets = [
            _features(extractor, pictures, what, report)
            for pictures, what in ((samples, "generated"), (held, "held-out"), (among, "training"))
        ]
        rows += _in_space(extractor.name, sets, groups, accept_bias=accept_bias, seed=seed)
        if held_labels is not None:
            rows.append(_coverage_row(extractor.name, sets, held_labels))
        memory, listed = _memory(extractor.name, sets, groups, places, len(train.images), seed)
        rows += memory
        copies += listed
    spectrum, profiles = _spectra(samples, held, trained[: len(held)], groups, seed)
    copies.sort(key=lambda c: c.ratio)
    return Quality(
        measures=(*rows, *spectrum), near_copies=tuple(copies[:_LISTED_COPIES]), spectra=profiles,
        n_generated=n, n_train=len(train.images), n_held_out=len(held),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Photos:
    """Which photo each picture was cut from: of the held-out set, of the samples, and of the training
    pictures that stand in their place in the reference."""

    held: Groups
    fake: Groups
    like: Groups

    @property
    def measured(self) -> tuple[Groups, Groups]:
        return self.held, self.fake

    @property
    def reference(self) -> tuple[Groups, Groups]:
        return self.held, self.like


_NAMES = ("KID", "FD", "precision", "recall", "two-sample AUC", "nearer to training", "near copies")


def _extractors(device: str) -> list[tuple[Extractor | str, str]]:
    """The extractor, or its name and why it cannot be had."""
    found: list[tuple[Extractor | str, str]] = []
    try:
        found.append((mobilenet_extractor(device), ""))
    except ModelUnavailable as e:
        found.append(("mobilenet-v2", e.detail))
    return [*found, (pixel_extractor(), "")]


def _features(extractor: Extractor, pictures: NDArray[np.uint8], what: str, report: Report) -> Array:
    return extractor.of(pictures, lambda done, total: report(f"{extractor.name}, {what}", done, total))


def _in_space(
    space: str, sets: Sequence[Array], photos: _Photos, *, accept_bias: bool, seed: int
) -> list[Measure]:
    fake, held, train = sets
    like = train[: len(held)]

    def row(name: str, measure: Callable[..., Estimate], **options: int) -> Measure:
        try:
            found = measure(held, fake, groups=photos.measured, **options)
            reference = measure(held, like, groups=photos.reference, **options)
        except NotApplicable as e:
            return Measure(name=name, space=space, not_examined=e.detail)
        return _estimated(name, space, found, reference.value)

    return [
        row("KID", kid, seed=seed),
        _frechet_row(space, held, fake, like, accept_bias),
        row("precision", precision),
        row("recall", recall),
        row("two-sample AUC", two_sample_auc, seed=seed),
    ]


def _estimated(name: str, space: str, found: Estimate, reference: float | None = None) -> Measure:
    return Measure(
        name=name, space=space, value=found.value, low=found.low, high=found.high, n=found.n,
        reference=reference,
    )  # fmt: skip


def _frechet_row(space: str, real: Array, fake: Array, like: Array, accept_bias: bool) -> Measure:
    try:
        found = frechet_distance(real, fake, accept_bias=accept_bias)
        reference = frechet_distance(real, like, accept_bias=accept_bias).value
    except NotApplicable as e:
        return Measure(name="FD", space=space, not_examined=e.detail)
    remark = "biased: too few pictures, comparable with nothing else" if found.biased else ""
    return Measure(name="FD", space=space, value=found.value, n=found.n, reference=reference, remark=remark)


def _coverage_row(space: str, sets: Sequence[Array], labels: NDArray[np.int64]) -> Measure:
    fake, held, train = sets
    found = class_coverage(held, labels, fake)
    reference = class_coverage(held, labels, train[: len(held)])
    return Measure(
        name="class coverage", space=space, value=found.value, n=found.n, reference=reference.value
    )


def _memory(
    space: str, sets: Sequence[Array], photos: _Photos, places: NDArray[np.int64], n_train: int, seed: int
) -> tuple[list[Measure], list[ListedCopy]]:
    fake, held, train = sets
    try:
        found = memorisation(train, held, fake, seed=seed, groups=photos.measured)
    except NotApplicable as e:
        return [Measure(name=n, space=space, not_examined=e.detail) for n in _NAMES[-2:]], []
    remark = f"among {len(train)} of {n_train} training pictures"
    rows = [
        replace(_estimated("nearer to training", space, found.nearer, 0.5), remark=remark),
        Measure(
            name="near copies", space=space, value=float(len(found.near_copies)), n=found.examined,
            reference=float(found.held_out_near_copies), remark=remark,
        ),
    ]  # fmt: skip
    listed = [
        ListedCopy(space=space, sample=c.sample, train=int(places[c.train]), ratio=c.ratio)
        for c in found.near_copies
    ]
    return rows, listed


def _spectra(
    fake: NDArray[np.uint8], held: NDArray[np.uint8], like: NDArray[np.uint8], photos: _Photos, seed: int
) -> tuple[list[Measure], tuple[tuple[float, ...], tuple[float, ...]]]:
    try:
        real_powers, fake_powers = ring_powers(held), ring_powers(fake)
        found = spectrum_distance(real_powers, fake_powers, seed=seed, groups=photos.measured)
        reference: SpectrumDistance = spectrum_distance(
            real_powers, ring_powers(like), seed=seed, groups=photos.reference
        )
    except NotApplicable as e:
        names = ("spectrum distance, dB", "high frequencies, dB")
        return [Measure(name=n, space="luminance", not_examined=e.detail) for n in names], ((), ())
    rows = [
        _estimated("spectrum distance, dB", "luminance", found.rms_db, reference.rms_db.value),
        _estimated("high frequencies, dB", "luminance", found.high_db, reference.high_db.value),
    ]
    return rows, (_profile(real_powers), _profile(fake_powers))


def _profile(powers: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in profile_db(powers))


def _subset(n: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of at most so many pictures, drawn without repetition, in random order."""
    return rng.permutation(n)[:most]


def write_quality(quality: Quality, about: dict[str, str | int], path: Path) -> None:
    """``about`` names what was measured: family, digests, seed."""
    text = json.dumps({"schema": SCHEMA, **about, **asdict(quality)}, indent=1, allow_nan=False) + "\n"
    write_whole(path, text.encode())


def quality_text(quality: Quality) -> str:
    """The table for people: value, interval, and what real pictures get."""
    lines = [
        f"{quality.n_generated} generated pictures against {quality.n_held_out} held-out real ones",
        f"{'measure':24}{'space':18}{'value':>11}  {'95 % interval':23}{'real/real':>11}",
    ]
    for m in quality.measures:
        head = f"{m.name:24}{m.space:18}"
        if m.value is None:
            lines.append(f"{head}not examined: {m.not_examined}")
            continue
        interval = "" if m.low is None or m.high is None else f"{m.low:.4g} .. {m.high:.4g}"
        reference = "" if m.reference is None else f"{m.reference:.4g}"
        lines.append(f"{head}{m.value:>11.4g}  {interval:23}{reference:>11}  {m.remark}".rstrip())
    lines += [
        f"near copy in {c.space}: picture {c.sample} of training picture {c.train}, ratio {c.ratio:.2f}"
        for c in quality.near_copies
    ]
    return "\n".join(lines) + "\n"
