"""Where and how a step runs: the plain CPU step, or a step recorded once as a CUDA graph and replayed.

On a GPU small networks are bound by the launching of kernels, not by arithmetic: a recorded step launches
once. Recording needs a step whose chance comes in as tensors (``Recordable``); any other family runs plainly.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from detector.core.errors import OptionRefused
from detector.generators.family import Family, Optimisers, Recordable

Precision = Literal["float32", "bfloat16"]
Step = Callable[[Tensor, Tensor | None, torch.Generator], dict[str, Tensor]]
_WARM_UP = 3


def choose_device(name: str) -> str:
    """``auto`` is a CUDA device where there is one."""
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def open_device(name: str) -> torch.device:
    """Raises ``OptionRefused`` for a device that is not here."""
    if name == "cpu":
        return torch.device("cpu")
    if name.partition(":")[0] != "cuda":
        raise OptionRefused(f"{name} is no device that generators are fitted on; cpu and cuda are")
    if not torch.cuda.is_available():
        raise OptionRefused("there is no CUDA device here")
    return torch.device(name)


def fastest_precision(place: torch.device) -> Precision:
    """bfloat16 where the processor multiplies it natively; elsewhere it is emulated and slower. Read from the
    processor, not measured, so that one machine always answers the same."""
    if place.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    info = Path("/proc/cpuinfo")
    if platform.system() == "Linux" and info.is_file():
        text = info.read_text(encoding="utf-8", errors="replace")
        if "avx512_bf16" in text or "amx_bf16" in text:
            return "bfloat16"
    return "float32"


def settled(family: Family, device: torch.device) -> Family:
    """Move a family; on a GPU, its pictures and filters lie with their channels last."""
    family.to(device)
    if device.type == "cuda":
        family.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return family


def recorded_step(family: Family, optimisers: Optimisers) -> Step:
    """The fastest way to take a step on the device of the family."""
    if family.device.type == "cuda" and isinstance(family, Recordable):
        return _Recorded(family, optimisers)
    return lambda real, labels, rng: family.train_step(optimisers, real, labels, rng)


class _Recorded:
    """One step as a CUDA graph. The first steps run plainly on a side stream, as recording asks; inputs are
    copied into fixed places, then the graph is replayed."""

    def __init__(self, family: Recordable, optimisers: Optimisers) -> None:
        self._family, self._optimisers = family, optimisers
        self._plain = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: dict[str, Tensor] = {}
        self._outputs: dict[str, Tensor] = {}

    def __call__(self, real: Tensor, labels: Tensor | None, rng: torch.Generator) -> dict[str, Tensor]:
        draws = self._family.drawn(len(real), rng)
        given = {"real": real.contiguous(memory_format=torch.channels_last), **draws}
        if labels is not None:
            given["labels"] = labels
        if self._graph is None and self._plain < _WARM_UP:
            self._plain += 1
            return self._on_side_stream(given)
        if self._graph is None:
            self._record(given)
        for key, value in given.items():
            self._inputs[key].copy_(value)
        assert self._graph is not None
        self._graph.replay()
        return {k: v.clone() for k, v in self._outputs.items()}

    def _take(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        draws = {k: v for k, v in given.items() if k not in {"real", "labels"}}
        return self._family.step(self._optimisers, given["real"], given.get("labels"), draws)

    def _on_side_stream(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            losses = self._take(given)
        torch.cuda.current_stream().wait_stream(stream)
        return losses

    def _record(self, given: dict[str, Tensor]) -> None:
        """Recording runs nothing: the step is taken by the replay that follows."""
        self._inputs = {k: v.clone() for k, v in given.items()}
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = self._take(self._inputs)
