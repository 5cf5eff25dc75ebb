"""Between bytes and tensors: uint8 (n, side, side, channels) outside, floats (n, channels, side, side) in
-1..1 inside. The one place that rounds."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.core.errors import CorpusError
from detector.generators.spec import ImageSource, Spec


def as_floats(images: NDArray[np.uint8] | Tensor) -> Tensor:
    x = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
    return x.permute(0, 3, 1, 2).float() / 127.5 - 1


def as_bytes(x: Tensor) -> NDArray[np.uint8]:
    y = ((x.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    out: NDArray[np.uint8] = np.ascontiguousarray(y.cpu().numpy())
    return out


def checked_pictures(images: NDArray[np.uint8], spec: Spec, grid: int = 0) -> NDArray[np.uint8]:
    """Raises ``CorpusError`` for an array that this spec cannot mean; with ``grid``, any sides that are
    multiples of it will do."""
    if images.dtype == np.uint8 and images.ndim == 4 and len(images) and images.shape[3] == spec.channels:
        sides = images.shape[1:3]
        if sides == (spec.side, spec.side) or (grid and all(s and s % grid == 0 for s in sides)):
            return images
    sides_wanted = f"multiples of {grid}" if grid else f"{spec.side}, {spec.side}"
    raise CorpusError(
        f"{spec.family} wants uint8 (n, {sides_wanted}, {spec.channels}), not {images.dtype} {images.shape}"
    )


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
