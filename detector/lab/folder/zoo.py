"""The zoo of a folder: every family is fitted, draws, is judged and shown, each as a stage of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from detector.core.errors import FitFailed, LabError, NotApplicable, TooFewPictures
from detector.data.splits import Split
from detector.lab.folder.run import FolderRun
from detector.lab.folder.samples import Samples, draw_samples, load_samples, save_samples
from detector.lab.steps.regions import Pictures
from detector.zoo.fitting.budget import budget_of
from detector.zoo.judging.spectrum import profile_db, ring_powers
from detector.zoo.runs import Wanted, assess_run, fit_run
from detector.zoo.sheet import plot_spectra, write_sheet
from detector.zoo.sources.data import Data, held_out_of
from detector.zoo.store import open_family

ZOO_SHARE = 0.5  # of the time; the rest is for the detector and for judging
_AROUND_A_FIT = 4.0  # CPU seconds: watching it, drawing its sheet and its plots
_LEAST_OF_A_SHARE = 0.3
_SAMPLING_SHARE = 0.08
_JUDGED, _FEWEST_JUDGED = 256, 64
_SHEET_COLUMNS = 16


def fit_zoo(run: FolderRun) -> tuple[str, ...]:
    """Fit every family; those that cannot be are left out with their reason in the state. Raises
    ``TooFewPictures`` when none is left."""
    names, _photos = run.options.names(), run.index
    for name in names:
        files = [f"zoo/{name}/card.json", f"zoo/{name}/weights.safetensors"]
        run.stages.do(f"fit {name}", partial(_fit, run, name), files=files, after=["index"])
    records = run.stages.records
    fitted = tuple(n for n in names if records[f"fit {n}"].files)
    if not fitted:
        raise TooFewPictures(f"no family was fitted; {names[0]}: {records[f'fit {names[0]}'].note}")
    run.without(len(names) - len(fitted))
    return fitted


def _fit(run: FolderRun, name: str) -> str:
    options = run.options
    budget = budget_of(None, _seconds_for(run, name), run.device)
    try:
        card = fit_run(
            Wanted(family=name, side=options.side), _data(run), run.path / "zoo" / name,
            budget, seed=options.seed, device=run.device, index=run.index, tiles=run.tiles(Split.TRAIN),
            report=run.report,
        )  # fmt: skip
    except (LabError, FitFailed, NotApplicable) as e:
        return f"not fitted: {e.detail}"
    return f"{card.steps} steps, {card.images} pictures, {card.cpu_seconds:.0f} CPU seconds"


def _seconds_for(run: FolderRun, name: str) -> float:
    """Of what the families before it left, an equal share; its sheet and plots come out of that too."""
    names = run.options.names()
    place, records = names.index(name), run.stages.records
    spent = sum(records[f"fit {n}"].cpu_seconds for n in names[:place])
    share = run.seconds * ZOO_SHARE / len(names)
    each = max((run.seconds * ZOO_SHARE - spent) / (len(names) - place), _LEAST_OF_A_SHARE * share)
    return max(_LEAST_OF_A_SHARE * share, each - _AROUND_A_FIT)


def _data(run: FolderRun) -> Data:
    return Data(name=str(run.folder))


def draw_from(run: FolderRun, names: Sequence[str]) -> tuple[Samples, ...]:
    """Draw from every fitted family, for every split apart."""
    seconds = run.seconds * _SAMPLING_SHARE / len(names)
    for name in names:
        work = partial(_draw, run, name, seconds)
        run.stages.do(f"sample {name}", work, files=[f"samples/{name}.npz"], after=[f"fit {name}"])
    return tuple(load_samples(name, run.path / "samples" / f"{name}.npz") for name in names)


def _draw(run: FolderRun, name: str, seconds: float) -> str:
    fitted = open_family(run.path / "zoo" / name)
    made = draw_samples(fitted, run.real(), run.options.seed, seconds=seconds)
    save_samples(made, run.path / "samples" / f"{name}.npz")
    return ", ".join(f"{len(made.of(s))} for {s.value}" for s in Split)


def judge_zoo(run: FolderRun, names: Sequence[str]) -> None:
    """Quality of every fitted family, with its plots."""
    for name in names:
        files = [f"zoo/{name}/quality.json", f"zoo/{name}/spectra.png"]
        run.stages.do(f"judge {name}", partial(_judge, run, name), files=files, after=[f"fit {name}"])


def _judge(run: FolderRun, name: str) -> str:
    real = {s: run.tiles(s) for s in Split}
    held_out = held_out_of(run.index, [real[Split.CALIBRATION], real[Split.TEST]])
    count = max(_FEWEST_JUDGED, round(_JUDGED * run.effort))
    try:
        assess_run(
            run.path / "zoo" / name, _data(run), count=count, seed=run.options.seed, index=run.index,
            tiles=(real[Split.TRAIN], held_out), device=run.device, report=run.report,
        )  # fmt: skip
    except NotApplicable as e:
        return f"not judged: {e.detail}"
    return ""


def show_zoo(run: FolderRun, samples: Sequence[Samples]) -> None:
    """One sheet with a row for every family under real tiles, and all spectra in one plot."""
    after = [f"sample {s.family}" for s in samples]
    files = ["zoo.png", "spectra.png"]
    run.stages.do("pictures", partial(_show, run, samples), files=files, after=after)


def _show(run: FolderRun, samples: Sequence[Samples]) -> str:
    tiles = run.real()[Split.TEST]
    real = tiles[np.random.default_rng(run.options.seed).permutation(len(tiles))]
    made = {s.family: s.shown(Split.TEST) for s in samples}
    made = {name: pictures for name, pictures in made.items() if len(pictures)}
    rows = [_row(pictures) for pictures in (real, *made.values())]
    write_sheet(np.concatenate(rows), run.path / "zoo.png", columns=_SHEET_COLUMNS)
    profiles = {"real, test photos": profile_db(ring_powers(real[:512]))}
    profiles |= {name: profile_db(ring_powers(pictures)) for name, pictures in made.items()}
    plot_spectra(profiles, run.path / "spectra.png", title=f"generators fitted on {run.folder.name}")
    return "from above: real, " + ", ".join(made)


def _row(pictures: Pictures) -> Pictures:
    """One row of a sheet; where there are too few pictures, it ends in paper."""
    paper = np.full((max(0, _SHEET_COLUMNS - len(pictures)), *pictures.shape[1:]), 255, np.uint8)
    return np.concatenate([pictures[:_SHEET_COLUMNS], paper])
