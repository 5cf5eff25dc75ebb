"""A fit as a folder: everything that one family, one source and one budget leave behind.

``card.json``, ``weights.safetensors``  the generator (``detector.zoo.store``)
``log.jsonl``, ``watch.jsonl``          losses per window of steps; quality while it was fitted
``loss.png``, ``sheet.png``, ``spectra.png``, ``progress.png``
``quality.json``                        after ``assess_run``
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.errors import CorpusError, FolderTaken, NotApplicable, OptionRefused
from detector.core.lines import read_points
from detector.core.metrics import halves
from detector.core.progress import Report, silent
from detector.generators import family_row, make_family, parse_settings
from detector.generators.family import UNLEARNED
from detector.generators.source import ImageSource, chosen_of, digest_of
from detector.generators.spec import CycleganSpec
from detector.zoo.export import export_pictures
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.checkpoint import read_log
from detector.zoo.fitting.fit import fit
from detector.zoo.judging.assess import Quality, assess, write_quality
from detector.zoo.judging.spectrum import profile_db, ring_powers
from detector.zoo.making import beside_originals, gives_back, made_by, sample_run
from detector.zoo.sheet import plot_losses, plot_progress, plot_spectra, write_sheet
from detector.zoo.sources.data import Data, held_out_source, train_source
from detector.zoo.sources.named import NAMED
from detector.zoo.sources.photos import PhotoIndex
from detector.zoo.store import Fitted, GeneratorCard, card_of, open_family, save_family
from detector.zoo.watching import SPECTRUM_PICTURES, Watch

SHEET_COLUMNS, SHEET_ROWS = 12, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is fitted: overrides of the family's recipe that the data or the user decide."""

    family: str
    side: int | None = None
    width: int | None = None
    batch: int | None = None
    settings: tuple[str, ...] = ()  # NAME=VALUE, the family's own
    labels_kept: float = 1.0  # the part of each class's labels that is not hidden


def fit_run(
    wanted: Wanted,
    data: Data,
    run: Path,
    budget: Budget,
    *,
    seed: int,
    device: str = "cpu",
    index: PhotoIndex | None = None,
    tiles: ImageSource | None = None,
    report: Report = silent,
) -> GeneratorCard:
    """Fit or go on, save, draw the plots. A run that used its budget up is only drawn again. ``index`` and
    the ``tiles`` of its training photos are made where they are not given. Raises ``DetectorError``."""
    spec = family_row(wanted.family).spec
    _check_wanted(wanted, data)  # before all photos are read
    index = index or data.index(report)
    side = wanted.side or spec.side
    source = train_source(
        data, index, side, classes=spec.classes, seed=seed, report=report, tiles=tiles,
        labels_kept=wanted.labels_kept,
    )  # fmt: skip
    family = make_family(wanted.family, seed=seed, **_overrides(wanted, data, source, side))
    watch = Watch(family, source, run, report)
    result = fit(family, source, budget, seed=seed, run=run, device=device, report=watch)
    card = replace(card_of(family.spec, source, budget, result), labels_kept=wanted.labels_kept)
    card = save_family(family, run, card)
    draw_plots(Fitted(family.to("cpu"), card), source, run)
    return card


def _check_wanted(wanted: Wanted, data: Data) -> None:
    """Raises ``OptionRefused`` for settings and sources that do not go together."""
    name, settings = wanted.family, parse_settings(wanted.family, wanted.settings)
    if wanted.labels_kept != 1:
        if not family_row(name).spec.classes:
            raise OptionRefused(f"{name} learns no classes, so it has no labels to hide")
        if not settings.get("few_labels"):
            raise OptionRefused(f"{name} infers hidden labels with few_labels=true only")
        if data.name not in NAMED:
            raise OptionRefused(f"nobody labelled the photos in {data.name}, so there are no labels to hide")
    if data.other is None:
        if settings.get("mode") == "translate":
            raise OptionRefused("translating goes between two sources; name the second one with --other")
    elif not isinstance(family_row(name).spec, CycleganSpec):
        raise OptionRefused(f"{name} is fitted on one source; cyclegan and unit translate between two")
    elif settings.get("mode") == "reconstruct":
        raise OptionRefused("giving pictures back takes one source; leave out --other or mode=reconstruct")


def _overrides(wanted: Wanted, data: Data, source: ImageSource, side: int) -> dict[str, Any]:
    given = {"side": side, "channels": source.images.shape[3], "width": wanted.width, "batch": wanted.batch}
    if data.other is not None:
        given |= {"classes": 2, "mode": "translate"}
    elif family_row(wanted.family).spec.classes and source.class_names:
        given["classes"] = len(source.class_names)
    return {k: v for k, v in given.items() if v is not None} | parse_settings(wanted.family, wanted.settings)


def draw_plots(fitted: Fitted, source: ImageSource, run: Path) -> None:
    """Loss, samples, spectra and quality against time beside the weights."""
    name = fitted.spec.family
    plot_losses(read_log(run), run / "loss.png", title=f"{name} on {source.name}")
    pictures = SHEET_COLUMNS * SHEET_ROWS // (2 if gives_back(fitted) else 1)
    if name in UNLEARNED:
        pictures = SHEET_COLUMNS // 2  # one row
    made = made_by(fitted, pictures, 0, source)
    samples = made.images
    write_sheet(beside_originals(made), run / "sheet.png", columns=SHEET_COLUMNS)
    plot_progress(read_points(run / "watch.jsonl"), run / "progress.png", title=f"{name} while it was fitted")
    if source.images.shape[1] < 8:
        return
    rng = np.random.default_rng(0)
    real = source.images[rng.permutation(len(source.images))[:SPECTRUM_PICTURES]]
    profiles = {"real": profile_db(ring_powers(real)), name: profile_db(ring_powers(samples))}
    plot_spectra(profiles, run / "spectra.png", title=f"{name} on {source.name}: {len(samples)} samples")


def assess_run(
    run: Path,
    data: Data,
    *,
    count: int,
    seed: int,
    accept_bias: bool = False,
    device: str = "cpu",
    index: PhotoIndex | None = None,
    tiles: tuple[ImageSource, ImageSource] | None = None,
    report: Report = silent,
) -> Quality:
    """Judge a finished run against the pictures it was fitted on and those it was not; writes
    ``quality.json`` and ``spectra.png``. ``tiles``: of training photos and of held-out ones, where they were
    cut before. Raises ``LabError`` when the data are not those of the card."""
    fitted = open_family(run)
    card, side = _card(fitted, run), fitted.spec.side
    index = index or data.index(report)
    before = tiles or (None, None)
    train = fitted_on(card, data, index, tiles=before[0], report=report)
    held_out = before[1] or held_out_source(data, index, side, seed=card.seed, report=report)
    given = held_out
    if gives_back(fitted):  # what it makes of some photos is compared with others
        rng = np.random.default_rng([seed, 19])
        given, held_out = (chosen_of(held_out, h) for h in halves(len(held_out.images), held_out.groups, rng))
    made = made_by(fitted, count, seed, given, report=report)
    quality = assess(
        made.images, train, held_out, seed=seed, report=report, accept_bias=accept_bias, device=device,
        photos=made.groups,
    )  # fmt: skip
    write_quality(quality, {**about_run(fitted), "seed": seed}, run / "quality.json")
    if quality.spectra[0]:
        real, drawn = (np.array(profile) for profile in quality.spectra)
        profiles = {"real, held out": real, card.spec.family: drawn}
        plot_spectra(profiles, run / "spectra.png", title=f"{card.spec.family}: {count} samples")
    return quality


def fitted_on(
    card: GeneratorCard,
    data: Data,
    index: PhotoIndex | None,
    *,
    report: Report,
    tiles: ImageSource | None = None,
) -> ImageSource:
    """The pictures of a fit, found again. Raises ``LabError`` when the data give others."""
    spec = card.spec
    if data.other is None and isinstance(spec, CycleganSpec) and spec.mode == "translate":
        raise OptionRefused(
            f"this {spec.family} was fitted on {card.source}; name the second one with --other"
        )
    source = train_source(
        data, index, spec.side, classes=spec.classes, seed=card.seed, report=report, tiles=tiles,
        labels_kept=card.labels_kept,
    )  # fmt: skip
    if digest_of(source) != card.source_sha256:
        raise CorpusError(f"{data.name} is not what this {card.spec.family} was fitted on ({card.source})")
    return source


def export_run(
    run: Path, folder: Path, *, count: int, seed: int, data: Data | None, report: Report = silent
) -> list[tuple[Path, str]]:
    """``generated/`` with samples and, with ``data``, ``real/`` with the pictures of the fit: folders and the
    digests of their manifests. Raises ``LabError``."""
    fitted = open_family(run)
    card = _card(fitted, run)
    if folder.exists():
        raise FolderTaken(f"{folder} exists; export into a folder that does not")
    parts = []
    if data is not None:
        real = fitted_on(card, data, data.index(report), report=report)
        parts.append(("real", real.images))
    parts.append(("generated", sample_run(fitted, count, seed, report=report)))
    written = []
    for name, images in parts:
        progress = partial(report, f"writing {name}")
        about = {**about_run(fitted), "seed": seed, "kind": name}
        digest = export_pictures(images, folder / name, about=about, report=progress)
        written.append((folder / name, digest))
    return written


def about_run(fitted: Fitted) -> dict[str, str | int]:
    """What a file made from a generator says about it."""
    card = fitted.card
    if card is None:
        return {"family": fitted.spec.family}
    return {
        "family": card.spec.family, "weights_sha256": card.weights_sha256, "source": card.source,
        "source_sha256": card.source_sha256,
    }  # fmt: skip


def _card(fitted: Fitted, run: Path) -> GeneratorCard:
    if fitted.card is None:
        raise NotApplicable(f"{run.name} holds no card")
    return fitted.card
