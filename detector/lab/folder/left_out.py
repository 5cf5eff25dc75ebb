"""Leave one family of a folder's zoo out, in turn, on the small pictures only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from detector.core.errors import LabError
from detector.core.files import write_json
from detector.core.metrics import Groups
from detector.data.splits import Split
from detector.generators.source import ImageSource, chosen_of
from detector.lab.folder.run import FolderRun
from detector.lab.folder.samples import Samples
from detector.lab.steps.left_out import FamilyPictures, LeftOut, leave_one_out, parse_row

_FEWEST_TESTED = 256


def leave_families_out(run: FolderRun, samples: Sequence[Samples]) -> tuple[LeftOut, ...]:
    """A stage; empty for fewer than three families."""
    after = ["index", *(f"sample {s.family}" for s in samples)]
    work = partial(_leave_out, run, samples)
    run.stages.do("leave one out", work, files=["left_out.json"], after=after)
    rows = json.loads((run.path / "left_out.json").read_text(encoding="utf-8"))
    return tuple(parse_row(r) for r in rows)


def _leave_out(run: FolderRun, samples: Sequence[Samples]) -> str:
    real, test = run.tiles(Split.TRAIN), some_of(run.tiles(Split.TEST), run.effort, run.options.seed)
    try:
        rows = leave_one_out(
            family_pictures(samples, run.tiles(Split.TEST).groups), real.images, test.images,
            run.options.left_out_training(len(samples), run.seconds), run.path / "left_out",
            report=run.report, photos=test.groups,
        )  # fmt: skip
    except LabError as e:
        write_json(run.path / "left_out.json", [])
        return f"not examined: {e.detail}"
    write_json(run.path / "left_out.json", [asdict(r) for r in rows])
    return f"{len(rows)} families left out in turn"


def some_of(tiles: ImageSource, effort: float, seed: int) -> ImageSource:
    """A part of the real tiles, by chance: thousands are seen through encodings for every family."""
    count = min(len(tiles.images), max(_FEWEST_TESTED, round(effort * len(tiles.images))))
    chosen = np.random.default_rng([seed, 43]).permutation(len(tiles.images))[:count]
    return chosen_of(tiles, np.sort(chosen))


def family_pictures(samples: Sequence[Samples], photos: Groups) -> list[FamilyPictures]:
    """``photos``: of the real test tiles."""
    out = []
    for s in samples:
        of = None if photos is None else photos[s.twins[Split.TEST]]
        for kind, twins, made_of in ((s.drawn, None, None), (s.rebuilt, s.twins[Split.TRAIN], of)):
            if len(kind[Split.TRAIN]) and len(kind[Split.TEST]):
                made = FamilyPictures(
                    family=s.family, train=kind[Split.TRAIN], test=kind[Split.TEST], twins=twins,
                    test_photos=made_of,
                )  # fmt: skip
                out.append(made)
    return out
