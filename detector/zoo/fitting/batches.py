"""Batches of a source, drawn on the device of a fit."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from detector.generators.pictures import as_floats
from detector.generators.source import ImageSource
from detector.generators.spec import Spec


class Batches:
    """All pictures on the device once, as bytes; a batch is drawn with replacement from ``rng``."""

    def __init__(
        self, source: ImageSource, spec: Spec, device: torch.device, *, balanced: bool = False
    ) -> None:
        self._images = torch.from_numpy(np.ascontiguousarray(source.images)).to(device)
        labels = source.labels if spec.classes and source.labels is not None else None
        self._labels = None if labels is None else torch.from_numpy(labels.astype(np.int64)).to(device)
        self._size, self._mirrors = spec.batch, source.mirrors
        self._halves = (
            [torch.from_numpy(np.flatnonzero(labels == c)) for c in (0, 1)]
            if balanced and labels is not None
            else []
        )

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor | None]:
        at = self._places(rng)
        flips = torch.rand(len(at), generator=rng) < 0.5
        at, flips = at.to(self._images.device), flips.to(self._images.device)
        x = as_floats(self._images[at])
        if self._mirrors:
            x = torch.where(flips[:, None, None, None], x.flip(3), x)
        return x.contiguous(), None if self._labels is None else self._labels[at]

    def _places(self, rng: torch.Generator) -> Tensor:
        if not self._halves:
            return torch.randint(len(self._images), (self._size,), generator=rng)
        size = self._size // 2
        return torch.cat([half[torch.randint(len(half), (size,), generator=rng)] for half in self._halves])
