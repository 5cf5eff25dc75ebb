"""From a folder of photos to a judged zoo and a detector, in stages that can be interrupted anywhere.

``index.json``           the photos with digests, near copies and splits; what was skipped and why
``zoo/FAMILY/``          one generator each, with its plots and ``quality.json``
``samples/FAMILY.npz``   what it drew, or made from real tiles, for each split apart
``zoo.png``, ``spectra.png``, ``report.md``
``state.json``           which stages are finished (``detector.lab.stages``)

All splits follow the photos: generators see training photos only; what a generator that reconstructs makes
for calibration and test comes from photos of those splits.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import CorpusError, FitFailed, LabError, NotApplicable
from detector.core.files import TORN_ARCHIVE, write_arrays, write_whole
from detector.data.splits import Split
from detector.generators import FAMILIES
from detector.generators.family import Aligned
from detector.generators.source import ImageSource
from detector.lab.auto_material import require_enough
from detector.lab.stages import Stages
from detector.zoo.fitting.budget import budget_of
from detector.zoo.fitting.device import choose_device
from detector.zoo.judging.spectrum import profile_db, ring_powers
from detector.zoo.runs import Wanted, assess_run, fit_run
from detector.zoo.sheet import plot_spectra, write_sheet
from detector.zoo.sources.data import Data, held_out_of
from detector.zoo.sources.photos import Photo, PhotoIndex, Skipped, index_photos, tiles_of
from detector.zoo.store import Fitted, open_family

Report = Callable[[str, int, int], None]
Pictures = NDArray[np.uint8]

ZOO_SHARE = 0.5  # of the time; the rest is for the detector and for judging
_DRAWN = {Split.TRAIN: 1024, Split.CALIBRATION: 256, Split.TEST: 256}
_JUDGED = 256
_TRIAL = 8
_SAMPLING_SHARE = 0.08
_LEFT_OUT = {"dip"}  # fits a network to every single picture: minutes each
_SHEET_COLUMNS = 16
_OTHER_STAGES = 6  # beside three for every family


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoOptions:
    """All that decides the result. Without ``families``: every one that draws colour."""

    minutes: float = 30.0
    seed: int = 0
    side: int = 32
    families: tuple[str, ...] = ()
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Pictures of one family per split, uint8 (n, side, side, 3): ``drawn`` of its own, and ``rebuilt`` from
    the real tiles of that split with the numbers ``twins``. Either may be empty."""

    family: str
    drawn: dict[Split, Pictures]
    rebuilt: dict[Split, Pictures]
    twins: dict[Split, NDArray[np.int64]]

    def of(self, split: Split) -> Pictures:
        return np.concatenate([self.drawn[split], self.rebuilt[split]])

    def shown(self, split: Split) -> Pictures:
        """What a sheet shows: of its own, or rebuilt ones of a family that draws nothing."""
        return self.drawn[split] if len(self.drawn[split]) else self.rebuilt[split]


class Auto:
    """One run. Every method is a stage or a group of stages."""

    def __init__(self, folder: Path, run: Path, options: AutoOptions, report: Report) -> None:
        self._folder, self.run, self.options, self.report = folder, run, options, report
        device = choose_device(options.device)
        self._device = device
        self._tiles: dict[Split, ImageSource] = {}
        self._of = 3 * len(self._names()) + _OTHER_STAGES
        self.stages = Stages(
            run, asdict(options) | {"device": device}, begins=self._begins, ends=self._ends
        )  # fmt: skip

    def _names(self) -> tuple[str, ...]:
        return self.options.families or colour_families()

    def _begins(self, name: str) -> None:
        kept = len(self.stages.records)
        self.report(f"[{kept + 1} of {self._of}] {name}", 1, 1)

    def _ends(self, _name: str, note: str) -> None:
        if note:
            self.report(f"    {note}", 1, 1)

    def index(self) -> PhotoIndex:
        """Raises ``CorpusError`` for a folder without photos, or with too few of them."""

        def work() -> str:
            found = index_photos(self._folder, report=self.report)
            require_enough(found)
            self.run.mkdir(parents=True, exist_ok=True)
            write_whole(self.run / "index.json", dump_index(found).encode())
            return f"{len(found.photos)} photos, {len(found.skipped)} skipped"

        self.stages.do("index", work, files=["index.json"])
        return parse_index(self._folder, (self.run / "index.json").read_text(encoding="utf-8"))

    def zoo(self, index: PhotoIndex) -> tuple[str, ...]:
        """Fit every family; those that cannot be are left out with their reason in the state. Raises
        ``CorpusError`` when none is left."""
        names = self._names()
        seconds = self.options.minutes * 60 * ZOO_SHARE / len(names)
        budget = budget_of(None, seconds, self._device)
        data = Data(name=str(self._folder))
        for name in names:

            def work(name: str = name) -> str:
                try:
                    card = fit_run(
                        Wanted(family=name, side=self.options.side), data, self.run / "zoo" / name, budget,
                        seed=self.options.seed, device=self._device, index=index,
                        tiles=self.tiles(index, Split.TRAIN), report=self.report,
                    )  # fmt: skip
                except (LabError, FitFailed, NotApplicable) as e:
                    return f"not fitted: {e.detail}"
                return f"{card.steps} steps, {card.images} pictures, {card.cpu_seconds:.0f} CPU seconds"

            files = [f"zoo/{name}/card.json", f"zoo/{name}/weights.safetensors"]
            self.stages.do(f"fit {name}", work, files=files, after=["index"])
        fitted = tuple(n for n in names if self.stages.records[f"fit {n}"].files)
        if not fitted:
            raise CorpusError(
                f"no family was fitted; {names[0]}: {self.stages.records[f'fit {names[0]}'].note}"
            )
        self._of -= 2 * (len(names) - len(fitted))
        return fitted

    def samples(self, index: PhotoIndex, names: Sequence[str]) -> tuple[Samples, ...]:
        """Draw from every fitted family, for every split apart."""
        seconds = self.options.minutes * 60 * _SAMPLING_SHARE / len(names)
        for name in names:

            def work(name: str = name) -> str:
                fitted = open_family(self.run / "zoo" / name)
                made = draw_samples(fitted, self.real(index), self.options.seed, seconds=seconds)
                save_samples(made, self.run / "samples" / f"{name}.npz")
                return ", ".join(f"{len(made.of(s))} for {s.value}" for s in Split)

            self.stages.do(f"sample {name}", work, files=[f"samples/{name}.npz"], after=[f"fit {name}"])
        return tuple(load_samples(name, self.run / "samples" / f"{name}.npz") for name in names)

    def tiles(self, index: PhotoIndex, split: Split) -> ImageSource:
        """Real tiles of a split, cut once. Raises ``CorpusError`` for a split without any."""
        if split not in self._tiles:
            side, seed = self.options.side, self.options.seed
            self._tiles[split] = tiles_of(index, side, seed=seed, split=split, report=self.report)
        return self._tiles[split]

    def real(self, index: PhotoIndex) -> dict[Split, Pictures]:
        """The pictures of ``tiles`` of every split."""
        return {s: self.tiles(index, s).images for s in Split}

    def judge(self, index: PhotoIndex, names: Sequence[str]) -> None:
        """Quality of every fitted family, with its plots."""
        data = Data(name=str(self._folder))
        for name in names:

            def work(name: str = name) -> str:
                real = {s: self.tiles(index, s) for s in Split}
                held_out = held_out_of(index, [real[Split.CALIBRATION], real[Split.TEST]])
                try:
                    assess_run(
                        self.run / "zoo" / name, data, count=_JUDGED, seed=self.options.seed, index=index,
                        tiles=(real[Split.TRAIN], held_out), device=self._device, report=self.report,
                    )  # fmt: skip
                except NotApplicable as e:
                    return f"not judged: {e.detail}"
                return ""

            files = [f"zoo/{name}/quality.json", f"zoo/{name}/spectra.png"]
            self.stages.do(f"judge {name}", work, files=files, after=[f"fit {name}"])

    def pictures(self, index: PhotoIndex, samples: Sequence[Samples]) -> None:
        """One sheet with a row for every family under real tiles, and all spectra in one plot."""

        def work() -> str:
            tiles = self.real(index)[Split.TEST]
            real = tiles[np.random.default_rng(self.options.seed).permutation(len(tiles))]
            made = {s.family: s.shown(Split.TEST) for s in samples}
            made = {name: pictures for name, pictures in made.items() if len(pictures)}
            rows = [_row(pictures) for pictures in (real, *made.values())]
            write_sheet(np.concatenate(rows), self.run / "zoo.png", columns=_SHEET_COLUMNS)
            profiles = {"real, test photos": profile_db(ring_powers(real[:512]))}
            profiles |= {name: profile_db(ring_powers(pictures)) for name, pictures in made.items()}
            title = f"generators fitted on {self._folder.name}"
            plot_spectra(profiles, self.run / "spectra.png", title=title)
            return "from above: real, " + ", ".join(made)

        after = [f"sample {s.family}" for s in samples]
        self.stages.do("pictures", work, files=["zoo.png", "spectra.png"], after=after)


def _row(pictures: Pictures) -> Pictures:
    """One row of a sheet; where there are too few pictures, it ends in paper."""
    paper = np.full((max(0, _SHEET_COLUMNS - len(pictures)), *pictures.shape[1:]), 255, np.uint8)
    return np.concatenate([pictures[:_SHEET_COLUMNS], paper])


def colour_families() -> tuple[str, ...]:
    """Families whose recipe is for colour; the small ones for grey digits are left out."""
    return tuple(sorted(n for n, row in FAMILIES.items() if row.spec.channels == 3 and n not in _LEFT_OUT))


def draw_samples(fitted: Fitted, real: dict[Split, Pictures], seed: int, *, seconds: float) -> Samples:
    """Pictures for each split: drawn with a seed of their own, and made from real tiles of that split. A slow
    family gives as many as about ``seconds`` allow."""
    none = np.empty((0, *real[Split.TRAIN].shape[1:]), np.uint8)
    drawn, rebuilt, twins = {}, {}, {}
    both = isinstance(fitted.family, Aligned)
    draws = _draws(fitted)
    allowed = seconds / (int(both) + int(draws) or 1)
    draw_part = _part(lambda: fitted.sample(_TRIAL, seed), allowed) if draws else 0.0
    rebuild_part = _part(lambda: fitted.reconstruct(real[Split.TRAIN][:_TRIAL]), allowed) if both else 0.0
    for k, split in enumerate(Split):
        wanted = round(_DRAWN[split] * draw_part)
        drawn[split] = fitted.sample(wanted, 3 * seed + k) if wanted else none
        order = np.random.default_rng([seed, 31, k]).permutation(len(real[split]))
        twins[split] = order[: round(_DRAWN[split] * rebuild_part)]
        rebuilt[split] = fitted.reconstruct(real[split][twins[split]]) if len(twins[split]) else none
    return Samples(family=fitted.spec.family, drawn=drawn, rebuilt=rebuilt, twins=twins)


def _draws(fitted: Fitted) -> bool:
    try:
        fitted.sample(1, 0)
    except NotApplicable:
        return False
    return True


def _part(trial: Callable[[], Pictures], seconds: float) -> float:
    """Which part of all wanted pictures can be made in so many CPU seconds, 1 at most."""
    began = time.process_time()
    made = len(trial())
    each = (time.process_time() - began) / made
    return min(1.0, seconds / max(each * sum(_DRAWN.values()), 1e-9))


def save_samples(samples: Samples, path: Path) -> None:
    """Raises ``CorpusError``."""
    arrays = {
        f"{kind}_{split.value}": getattr(samples, kind)[split]
        for kind in ("drawn", "rebuilt", "twins")
        for split in Split
    }
    write_arrays(path, arrays)


def load_samples(family: str, path: Path) -> Samples:
    """Raises ``CorpusError``."""
    try:
        # numpy leaves a file open that it opened itself and could not read.
        with path.open("rb") as f, np.load(f, allow_pickle=False) as stored:
            drawn, rebuilt, twins = (
                {s: stored[f"{kind}_{s.value}"] for s in Split} for kind in ("drawn", "rebuilt", "twins")
            )
    except (OSError, *TORN_ARCHIVE) as e:
        raise CorpusError(f"{path.name} cannot be read; remove it and run again") from e
    return Samples(family=family, drawn=drawn, rebuilt=rebuilt, twins=twins)


def dump_index(index: PhotoIndex) -> str:
    """One line per photo, so that two runs can be compared with a text tool."""
    rows = [json.dumps(asdict(p)) for p in index.photos]
    skipped = [json.dumps(asdict(s)) for s in index.skipped]
    return (
        '{"schema": "assay.photos/1",\n "digest": "' + index.digest() + '",\n "photos": [\n'
        + ",\n".join(rows) + '\n],\n "skipped": [\n' + ",\n".join(skipped) + "\n]}\n"
    )  # fmt: skip


def parse_index(folder: Path, text: str) -> PhotoIndex:
    """Raises ``CorpusError`` for anything but an index that agrees with its own digest."""
    try:
        raw = json.loads(text)
        photos = tuple(Photo(**{**p, "split": Split(p["split"])}) for p in raw["photos"])
        skipped = tuple(Skipped(**s) for s in raw["skipped"])
        index = PhotoIndex(folder=folder, photos=photos, skipped=skipped)
        if index.digest() != raw["digest"]:
            raise CorpusError("index.json does not agree with its digest")
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise CorpusError("index.json is no index of photos") from e
    return index
