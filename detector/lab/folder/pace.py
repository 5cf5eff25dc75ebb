"""How fast this machine is while a run goes on: a few steps of the detector's training are tried, so that
there are as many as this machine, as busy as it is, takes in what is left of the minutes."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.core.errors import FileDamaged
from detector.core.files import write_json
from detector.lab.steps.regions import REGION_SIDE
from detector.lab.steps.training import train
from detector.lab.steps.training_set import TrainingOptions, TrainingSet

PACE_FILE = "pace.json"
_STEPS = 4  # the first one is not counted: it is dearer


def try_pace(run: Path, options: TrainingOptions) -> None:
    """Write what a step takes here, in CPU seconds. It is kept, so that a run that goes on has as many steps
    as it had before it was interrupted."""
    noise = np.random.default_rng(0).integers(0, 256, (8, REGION_SIDE, REGION_SIDE, 3), dtype=np.uint8)
    data = TrainingSet(
        real=noise, source=np.zeros(8, np.int64), single=np.ones(8, bool), fake=255 - noise,
        family=np.zeros(8, np.int64), twin=np.arange(8), families=("trial",), sources=("trial",),
        share=(1.0,),
    )  # fmt: skip
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        train(
            data, replace(options, epochs=1, steps_per_epoch=_STEPS), Path(folder),
            progress=lambda _done, _total: times.append(time.process_time()),
        )  # fmt: skip
    write_json(run / PACE_FILE, {"step_seconds": round(float(np.median(np.diff(times))), 4)})


def step_seconds(run: Path, planned: float) -> float:
    """CPU seconds of a step, as they were tried; ``planned`` for a run that was begun before steps were
    tried. Raises ``FileDamaged``."""
    path = run / PACE_FILE
    if not path.is_file():
        return planned
    try:
        found = float(json.loads(path.read_text(encoding="utf-8"))["step_seconds"])
    except (ValueError, KeyError, TypeError) as e:
        raise FileDamaged(f"{PACE_FILE} says no seconds; remove it and run again") from e
    if not found > 0:
        raise FileDamaged(f"{PACE_FILE} says {found} seconds; remove it and run again")
    return found
