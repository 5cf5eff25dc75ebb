"""A run over a folder goes on at the stage that was not finished, whichever that is."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from detector.data.splits import Split
from detector.lab.folder.held_out import HeldOut, dump_held_out
from detector.lab.folder.run import FolderOptions, dump_index
from detector.lab.folder.samples import Samples, save_samples
from detector.lab.recipe import run_folder
from detector.lab.steps.stages import Stages
from detector.models.card import FOLDER, dump_card, open_card
from detector.models.registry import DEFAULT_MODEL
from detector.zoo.sources.photos import Photo, PhotoIndex

FAMILIES = ("dcgan", "vae")
OPTIONS = FolderOptions(minutes=0.05, families=FAMILIES)
DRAWN = [f"sample {f}" for f in FAMILIES]
# Every stage, in order: what it leaves, and what it is made from. Runs that were begun with other names or
# other ties cannot go on.
STAGES: dict[str, tuple[list[str], list[str]]] = {
    "index": (["index.json"], []),
    **{f"fit {f}": ([f"zoo/{f}/card.json", f"zoo/{f}/weights.safetensors"], ["index"]) for f in FAMILIES},
    **{f"sample {f}": ([f"samples/{f}.npz"], [f"fit {f}"]) for f in FAMILIES},
    **{f"judge {f}": ([f"zoo/{f}/quality.json", f"zoo/{f}/spectra.png"], [f"fit {f}"]) for f in FAMILIES},
    "pictures": (["zoo.png", "spectra.png"], DRAWN),
    "leave one out": (["left_out.json"], ["index", *DRAWN]),
    "hold out": (["held_out.json", "makers.json", "pace.json"], ["index", *DRAWN]),
    "train detector": (["detector/calibrated.json", "detector/own-1.safetensors"], ["hold out"]),
    "evaluate detector": (["detector/own-1.json", "detector/own-1.md"], ["train detector"]),
}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run folder in which every stage is finished."""
    run = tmp_path / "run"
    index = PhotoIndex(
        folder=tmp_path / "photos",
        photos=(
            Photo(path="a.jpg", sha256="0" * 64, media_type="image/jpeg", unit="0" * 64, split=Split.TRAIN),
        ),
        skipped=(),
    )
    card = dump_card(replace(open_card(DEFAULT_MODEL), model_id="own-1", recipe=FOLDER))
    texts = {
        "index.json": dump_index(index),
        **{f"zoo/{f}/quality.json": '{"measures": []}' for f in FAMILIES},
        "left_out.json": "[]\n",
        "held_out.json": dump_held_out(HeldOut(items=(), pairs=())),
        "makers.json": "[]\n",
        "pace.json": '{"step_seconds": 0.5}\n',
        "detector/own-1.json": card,
    }
    none = {s: np.empty((0, 32, 32, 3), np.uint8) for s in Split}
    stages = Stages(run, asdict(OPTIONS))
    for name, (files, after) in STAGES.items():
        for file in files:
            (run / file).parent.mkdir(parents=True, exist_ok=True)
            (run / file).write_text(texts.get(file, "made before"))
            if file.endswith(".npz"):
                samples = Samples(
                    family=name, drawn=none, rebuilt=none, twins={s: np.zeros(0) for s in Split}
                )
                save_samples(samples, run / file)
        stages.do(name, lambda name=name: f"note of {name}", files=files, after=after)
    return run


def begun(run: Path) -> list[str]:
    """The first stage that is worked on, if any."""
    found = []

    def report(what: str, _done: int, _total: int) -> None:
        if what.startswith("["):
            found.append(what)
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        run_folder(run.parent / "photos", run, OPTIONS, report)
    return found


def test_a_finished_run_is_told_again_and_nothing_is_done(finished: Path) -> None:
    before = (finished / "state.json").read_bytes()
    assert begun(finished) == []
    assert (finished / "state.json").read_bytes() == before
    page = (finished / "report.md").read_text()
    assert "note of fit dcgan" in page
    assert "Leave one family out: note of leave one out." in page


@pytest.mark.parametrize("stage", STAGES, ids=lambda s: s.replace(" ", "-"))
@pytest.mark.parametrize("which", [0, -1], ids=["first-file", "last-file"])
def test_a_stage_whose_file_is_lost_is_the_one_that_is_done_again(
    finished: Path, stage: str, which: int
) -> None:
    (finished / STAGES[stage][0][which]).unlink()
    kept = len(STAGES) - 1
    total = 3 * len(FAMILIES) + 6
    assert begun(finished) == [f"[{kept + 1} of {total}] {stage}"]


@pytest.mark.parametrize("stage", STAGES, ids=lambda s: s.replace(" ", "-"))
def test_a_run_that_was_interrupted_goes_on_with_the_stage_that_it_had_begun(
    finished: Path, stage: str
) -> None:
    state = json.loads((finished / "state.json").read_text())
    names = list(STAGES)
    state["stages"] = {n: state["stages"][n] for n in names[: names.index(stage)]}
    (finished / "state.json").write_text(json.dumps(state))
    assert [b.split("] ")[1] for b in begun(finished)] == [stage]
