"""What a fit keeps on disk, so that it can be killed at any moment and goes on as if it had not been.

``fit.json``                what the run is (family, seed, source); another fit in the same folder is refused
``checkpoint.safetensors``  networks, averages, optimisers and the number of steps: one file, replaced whole
``log.jsonl``               one line per window of steps; lines after the checkpoint are cut off on resuming
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from detector.core.errors import FileDamaged, FileFailed, FolderTaken
from detector.core.files import write_whole
from detector.core.lines import read_lines, write_lines
from detector.core.tensors import load_optimiser, named, optimiser_tensors, under

FORMAT = "assay-fit-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a fit has come."""

    steps: int = 0
    images: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0


def claim(run: Path, identity: dict[str, Any]) -> None:
    """Raises ``FolderTaken`` when ``run`` was begun as something else."""
    path = run / "fit.json"
    text = (json.dumps(identity, indent=1, sort_keys=True) + "\n").encode()
    try:
        same = not path.is_file() or path.read_bytes() == text
    except OSError as e:
        raise FileFailed(f"{path} cannot be read: {e.strerror}") from e
    if not same:
        raise FolderTaken(f"{run.name} was begun with another family, seed or source; choose another folder")
    write_whole(path, text)


def save_checkpoint(
    run: Path,
    position: Position,
    family: nn.Module,
    average: dict[str, Tensor],
    optimisers: tuple[torch.optim.Optimizer, ...],
) -> None:
    tensors = named("net.", family.state_dict()) | named("average.", average)
    for n, optimiser in enumerate(optimisers):
        tensors |= named(f"opt.{n}.", optimiser_tensors(optimiser))
    # Cloned, because a format that shares no memory between tensors refuses tied weights.
    data = save(
        {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()},
        {"format": FORMAT, **{k: repr(getattr(position, k)) for k in Position.__dataclass_fields__}},
    )
    write_whole(run / "checkpoint.safetensors", data)


def load_checkpoint(
    run: Path,
    family: nn.Module,
    average: dict[str, Tensor],
    optimisers: tuple[torch.optim.Optimizer, ...],
) -> Position | None:
    """Put everything back in place; None when there is no checkpoint yet. Raises ``FileDamaged`` for a file
    that does not belong to this family."""
    path = run / "checkpoint.safetensors"
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as f:
            meta = f.metadata() or {}
            tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118  it is no dict
        if meta.get("format") != FORMAT:
            raise FileDamaged(f"{path.name} in {run.name} is not a checkpoint of this version")
        family.load_state_dict(under("net.", tensors))
        stored = under("average.", tensors)
        for key, value in average.items():
            value.copy_(stored[key])
        for n, optimiser in enumerate(optimisers):
            load_optimiser(optimiser, under(f"opt.{n}.", tensors))
        return Position(
            steps=int(meta["steps"]),
            images=int(meta["images"]),
            cpu_seconds=float(meta["cpu_seconds"]),
            wall_seconds=float(meta["wall_seconds"]),
        )
    except (SafetensorError, OSError, RuntimeError, KeyError, ValueError) as e:
        raise FileDamaged(f"{path.name} in {run.name} cannot be used; remove {run.name} and fit again") from e


class Log:
    """JSON lines; without a folder, nothing is written."""

    def __init__(self, run: Path | None) -> None:
        self._path = None if run is None else run / "log.jsonl"

    def cut(self, steps: int) -> None:
        """Drop what a killed run wrote after its last checkpoint, and a line that was cut short."""
        if self._path is not None and self._path.is_file():
            write_lines(self._path, (x for x in read_log(self._path.parent) if x["steps"] <= steps))

    def add(self, line: dict[str, Any]) -> None:
        if self._path is not None:
            try:
                with self._path.open("a", encoding="utf-8") as f:
                    f.write(json.dumps(line) + "\n")
            except OSError as e:
                raise FileFailed(f"{self._path} cannot be written: {e.strerror}") from e


def read_log(run: Path) -> list[dict[str, Any]]:
    """Every whole line of a run's log."""
    return list(takewhile(lambda line: "steps" in line, read_lines(run / "log.jsonl")))
