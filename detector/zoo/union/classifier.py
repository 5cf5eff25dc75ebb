"""The classifier of the classes: the small network of ``detector.zoo.semi`` without its generator, taught by
what an arm of the experiment may see. Every arm has the same first weights, steps and batch size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.threads import one_thread
from detector.generators.blocks import adam
from detector.generators.pictures import as_floats
from detector.generators.source import ImageSource
from detector.zoo.semi.family import Classifier, SemiSpec
from detector.zoo.semi.warp import Warp, warped

BATCH = 64
AUGMENTATION = Warp(turn=0.13, scale=0.1, shear=0.15, shift=0.12)  # and mirrored, where that means nothing
_WIDTH = 16  # few labels fill no wider network
_RATE = 2e-3
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What one classifier is taught with: each part gives the same share of every batch."""

    parts: tuple[ImageSource, ...]
    classes: int
    augmented: bool = False


def taught(lessons: Lessons, steps: int, *, seed: int) -> nn.Module:
    """A classifier after so many steps, in evaluation mode; the last weights count."""
    shape = lessons.parts[0].images.shape
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(seed)
        spec = SemiSpec(side=shape[1], channels=shape[3], classes=lessons.classes, width=_WIDTH)
        net: nn.Module = Classifier(spec).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = adam(net.parameters(), _RATE, (0.9, 0.999))
        rng = torch.Generator().manual_seed(seed)
        batches = _Batches(lessons)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = _RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            x, labels = batches.draw(rng)
            loss = F.cross_entropy(net(x), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        net.eval()
        return net


class _Batches:
    def __init__(self, lessons: Lessons) -> None:
        self._lessons = lessons
        self._parts = [(as_floats(p.images), torch.from_numpy(_labels(p))) for p in lessons.parts]

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        size = BATCH // len(self._parts)
        drawn = [
            (x[at], y[at]) for x, y in self._parts for at in [torch.randint(len(y), (size,), generator=rng)]
        ]
        x, labels = torch.cat([d[0] for d in drawn]), torch.cat([d[1] for d in drawn])
        if self._lessons.augmented:
            x = warped(x, AUGMENTATION, rng)
            if self._lessons.parts[0].mirrors:
                flips = torch.rand(len(x), generator=rng) < 0.5
                x = torch.where(flips[:, None, None, None], x.flip(3), x)
        return x.contiguous(memory_format=torch.channels_last), labels


@torch.no_grad()
def right(net: nn.Module, source: ImageSource) -> NDArray[np.bool_]:
    """Which pictures get the class that they are labelled with."""
    chunks = (source.images[at : at + _AT_ONCE] for at in range(0, len(source.images), _AT_ONCE))
    with one_thread():
        given = [net(as_floats(c)).argmax(1).numpy() for c in chunks]
    return np.asarray(np.concatenate(given) == _labels(source))


def _labels(source: ImageSource) -> NDArray[np.int64]:
    assert source.labels is not None
    return source.labels
