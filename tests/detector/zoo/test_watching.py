"""Watching a fit costs a share of its time that is kept, and nothing of its budget."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.lines import read_points
from detector.core.progress import silent
from detector.generators import make_family
from detector.generators.source import ImageSource
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import Progress, fit
from detector.zoo.sheet import plot_progress
from detector.zoo.watching import WATCH_SHARE, Watch


def burn(seconds: float) -> None:
    """CPU time, which sleeping does not take."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def source(n: int = 64) -> ImageSource:
    images = np.random.default_rng(0).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
    return ImageSource(name="made", images=images)


def at(cpu_seconds: float, part: float) -> Progress:
    return Progress(steps=round(cpu_seconds), images=1, cpu_seconds=cpu_seconds, part=part, losses={})


def watched(tmp_path: Path, each: float) -> Watch:
    """A family that takes so many seconds a picture."""
    family = make_family("dcgan", seed=0, side=16, width=8)

    def draw(n: int, rng: torch.Generator, labels: object = None) -> torch.Tensor:
        burn(each * n)
        return torch.rand((n, 3, 16, 16), generator=rng) * 2 - 1

    family.draw = draw  # type: ignore[method-assign]
    return Watch(family, source(), tmp_path, silent)


def test_a_family_that_draws_slowly_is_watched_when_that_can_be_afforded_and_not_before(
    tmp_path: Path,
) -> None:
    watch = watched(tmp_path, each=0.02)  # 2.6 s for what is watched
    for seconds in (8.0, 16.0, 24.0, 32.0):
        watch(at(seconds, 0.5))
        assert watch.spent <= WATCH_SHARE * seconds
    assert read_points(tmp_path / "watch.jsonl") == []
    watch(at(200.0, 0.6))
    assert watch.spent <= WATCH_SHARE * 200
    assert [p["steps"] for p in read_points(tmp_path / "watch.jsonl")] == [200]


def test_a_family_that_draws_fast_is_watched_and_drawn(tmp_path: Path) -> None:
    watch = watched(tmp_path, each=0.0)
    for n in range(1, 5):
        watch(at(50.0 * n, n / 4))
    points = read_points(tmp_path / "watch.jsonl")
    assert len(points) >= 3
    assert watch.spent <= WATCH_SHARE * 200
    plot_progress(points, tmp_path / "progress.png", title="made")
    assert (tmp_path / "progress.png").stat().st_size > 5_000


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_what_watching_takes_is_neither_training_time_nor_budget(seconds: float) -> None:
    """Three windows: whoever watches takes up to 1.5 s, and the fit counts its own time alone."""
    calls = []

    def report(progress: Progress) -> None:
        calls.append(progress)
        burn(seconds)

    family = make_family("dcgan", seed=0, side=16, width=8, batch=8)
    began = time.process_time()
    result = fit(family, source(), Budget(steps=150), seed=0, report=report)
    took = time.process_time() - began
    assert len(calls) == 3
    assert result.cpu_seconds <= took - 3 * seconds + 0.1
