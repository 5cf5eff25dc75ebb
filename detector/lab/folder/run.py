"""A run over a folder of photos, in stages that can be interrupted anywhere.

``index.json``           the photos with digests, near copies and splits; what was skipped and why
``zoo/FAMILY/``          one generator each, with its plots and ``quality.json``
``samples/FAMILY.npz``   what it drew, or made from real tiles, for each split apart
``zoo.png``, ``spectra.png``, ``report.md``
``left_out/``, ``left_out.json``    how well a detector sees a family that it never met
``held_out/``, ``held_out.json``, ``makers.json``    what the detector is calibrated and judged on
``pace.json``            what a step of its training takes on this machine
``detector/``            the run of the training; weights, card, the card's page, plots, scores
``state.json``           which stages are finished (``detector.lab.steps.stages``)

All splits follow the photos: generators see training photos only; what a generator that reconstructs makes
for calibration and test comes from photos of those splits.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from detector.core.errors import FileDamaged, OptionRefused
from detector.core.files import write_whole
from detector.core.progress import Report
from detector.data.splits import Split
from detector.generators import FAMILIES
from detector.generators.source import ImageSource
from detector.lab.folder.photos import held_out_count, require_enough
from detector.lab.steps.regions import Pictures
from detector.lab.steps.stages import Stages
from detector.lab.steps.training_set import TrainingOptions
from detector.zoo.fitting.device import choose_device
from detector.zoo.sources.photos import Photo, PhotoIndex, Skipped, index_photos, tiles_of

_OTHER_STAGES = 6  # beside three for every family
LAST_STAGES = ("train detector", "evaluate detector")
_STEPS_PER_EPOCH = 20
_LEFT_OUT_SHARE = 0.1  # of the time
STEP_SECONDS, _SMALL_STEP_SECONDS = 0.6, 0.045  # of one core, measured; they only size the work
# What judging a family and testing a detector without it take, most of it however few pictures they see;
# holding a photo out, calibrating on it and evaluating it, with all the fakes of it that there may be; and a
# region with its fakes: by runs over 120 photos.
_FAMILY_SECONDS, _HELD_OUT_SECONDS, _REGION_SECONDS = 8.0, 3.3, 0.1
_AFTER_TRAINING = 0.6  # of what a held-out photo takes: calibrating and evaluating
_MOST_MEASURED = 0.45  # of the time goes into measures, as long as they can be made smaller
_LEAST_SIZED = 0.2  # of the time; below that nothing is learned
_LEAST_EFFORT = 0.25  # of a measure; below that it says nothing
_MIN_STEPS = 40
_AUTOENCODER_STEPS_PER_MINUTE, _AUTOENCODER_STEPS = 12, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions:
    """All that decides the result. Without ``families``: every one that is not heritage."""

    minutes: float = 30.0
    seed: int = 0
    side: int = 32
    families: tuple[str, ...] = ()
    device: str = "cpu"

    def names(self) -> tuple[str, ...]:
        return self.families or earning_families()

    def effort(self, held_out: int) -> float:
        """Which part of what measures may take they do take: of pictures that are judged, of photos that are
        held out and of fakes of each."""
        affordable = _MOST_MEASURED * 60 * self.minutes - self._families_seconds()
        return max(_LEAST_EFFORT, min(1.0, affordable / max(_HELD_OUT_SECONDS * held_out, 1e-9)))

    def unsized(self, held_out: int) -> float:
        """About how many CPU seconds judging and evaluating take with so many photos."""
        return self._families_seconds() + self.effort(held_out) * _HELD_OUT_SECONDS * held_out

    def least_minutes(self, held_out: int) -> float:
        """Below it nothing can be learned beside the smallest measures and the fewest steps."""
        fixed = self._families_seconds() + _LEAST_EFFORT * _HELD_OUT_SECONDS * held_out
        return (fixed + _MIN_STEPS * STEP_SECONDS) / (1 - _LEAST_SIZED) / 60

    def _families_seconds(self) -> float:
        return _FAMILY_SECONDS * len(self.names())

    def sized(self, held_out: int) -> float:
        """CPU seconds for what a budget sizes: fitting, drawing, training."""
        whole = 60 * self.minutes
        return max(whole - self.unsized(held_out), _LEAST_SIZED * whole)

    def training_seconds(self, spent: float, regions: int, held_out: int, slower: float = 1.0) -> float:
        """What is left for the steps of the detector after ``spent`` CPU seconds: calibrating and evaluating
        come after it, on a machine that takes so many times the seconds of the plan."""
        after = self.effort(held_out) * _AFTER_TRAINING * _HELD_OUT_SECONDS * held_out
        return 60 * self.minutes - spent - slower * (after + regions * _REGION_SECONDS)

    def training(self, seconds: float, slower: float = 1.0) -> TrainingOptions:
        """Of the detector, whose steps take so many seconds."""
        epochs = _epochs(seconds / (slower * STEP_SECONDS))
        return TrainingOptions(seed=self.seed, epochs=epochs, steps_per_epoch=_STEPS_PER_EPOCH)

    def left_out_training(self, families: int, seconds: float) -> TrainingOptions:
        """Of each detector that never meets one of so many families."""
        each = seconds * _LEFT_OUT_SHARE / max(1, families)
        return TrainingOptions(
            seed=self.seed, epochs=_epochs(each / _SMALL_STEP_SECONDS), steps_per_epoch=_STEPS_PER_EPOCH,
            pairs_per_batch=16, crop_side=self.side, width=24, min_scale=1.0, max_scale=1.0,
        )  # fmt: skip

    def autoencoder_steps(self, seconds: float) -> int:
        wanted = round(seconds / 60 * _AUTOENCODER_STEPS_PER_MINUTE)
        return max(_MIN_STEPS, min(_AUTOENCODER_STEPS, wanted))


def _epochs(steps: float) -> int:
    return max(1, round(max(steps, _MIN_STEPS) / _STEPS_PER_EPOCH))


def earning_families() -> tuple[str, ...]:
    """Families that may be worth something to a detector: all but those of heritage."""
    return tuple(sorted(n for n, row in FAMILIES.items() if not row.heritage))


def require_minutes(options: FolderOptions, held_out: int) -> None:
    """Raises ``OptionRefused`` where the minutes would be spent on measures alone."""
    least = options.least_minutes(held_out)
    if options.minutes < least:
        raise OptionRefused(
            f"{options.minutes:g} minutes are too few for {held_out} held-out photos and "
            f"{len(options.names())} families: {math.ceil(10 * least) / 10:g} or more are needed, or fewer "
            "families"
        )


class FolderRun:
    """What every stage knows: photos, options, what is finished. Raises ``FolderTaken`` for a run folder that
    was begun with others."""

    def __init__(self, folder: Path, path: Path, options: FolderOptions, report: Report) -> None:
        self.folder, self.path, self.options, self.report = folder, path, options, report
        self.device = choose_device(options.device)
        self._tiles: dict[Split, ImageSource] = {}
        self._of = 3 * len(options.names()) + _OTHER_STAGES
        self.stages = Stages(
            path, asdict(options) | {"device": self.device}, begins=self._begins, ends=self._ends
        )  # fmt: skip

    def without(self, families: int) -> None:
        """So many families have no stages beside their fit."""
        self._of -= 2 * families

    def _begins(self, name: str) -> None:
        self.report(f"[{len(self.stages.records) + 1} of {self._of}] {name}", 1, 1)

    def _ends(self, _name: str, note: str) -> None:
        if note:
            self.report(f"    {note}", 1, 1)

    @cached_property
    def index(self) -> PhotoIndex:
        """The photos: the first stage. Raises ``LabError`` for a folder without photos, or with too few."""
        self.stages.do("index", self._index_photos, files=["index.json"])
        return parse_index(self.folder, (self.path / "index.json").read_text(encoding="utf-8"))

    @property
    def spent(self) -> float:
        """CPU seconds of the stages before the detector is trained, as far as they are finished."""
        records = self.stages.records.items()
        return sum(r.cpu_seconds for name, r in records if name not in LAST_STAGES)

    @cached_property
    def effort(self) -> float:
        """``FolderOptions.effort`` for the photos that may be held out."""
        return self.options.effort(held_out_count(self.index))

    @cached_property
    def seconds(self) -> float:
        """``FolderOptions.sized`` for the photos that are held out."""
        return self.options.sized(held_out_count(self.index))

    def _index_photos(self) -> str:
        found = index_photos(self.folder, report=self.report)
        require_enough(found)
        require_minutes(self.options, held_out_count(found))
        write_whole(self.path / "index.json", dump_index(found).encode())
        return f"{len(found.photos)} photos, {len(found.skipped)} skipped"

    def tiles(self, split: Split) -> ImageSource:
        """Real tiles of a split, cut once. Raises ``LabError`` for a split without any."""
        if split not in self._tiles:
            self._tiles[split] = tiles_of(
                self.index, self.options.side, seed=self.options.seed, split=split, report=self.report
            )
        return self._tiles[split]

    def real(self) -> dict[Split, Pictures]:
        """The pictures of ``tiles`` of every split."""
        return {s: self.tiles(s).images for s in Split}


def dump_index(index: PhotoIndex) -> str:
    """One line per photo, so that two runs can be compared with a text tool."""
    rows = [json.dumps(asdict(p)) for p in index.photos]
    skipped = [json.dumps(asdict(s)) for s in index.skipped]
    return (
        '{"schema": "assay.photos/1",\n "digest": "' + index.digest() + '",\n "photos": [\n'
        + ",\n".join(rows) + '\n],\n "skipped": [\n' + ",\n".join(skipped) + "\n]}\n"
    )  # fmt: skip


def parse_index(folder: Path, text: str) -> PhotoIndex:
    """Raises ``FileDamaged`` for anything but an index that agrees with its own digest."""
    try:
        raw = json.loads(text)
        photos = tuple(Photo(**{**p, "split": Split(p["split"])}) for p in raw["photos"])
        skipped = tuple(Skipped(**s) for s in raw["skipped"])
        index = PhotoIndex(folder=folder, photos=photos, skipped=skipped)
        if index.digest() != raw["digest"]:
            raise FileDamaged("index.json does not agree with its digest")
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise FileDamaged("index.json is no index of photos") from e
    return index
