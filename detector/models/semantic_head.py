"""The heads of the whole-picture detector: linear maps on the numbers of an image encoder.

One head for every kind of making (text-to-image, GAN, edit or upscaling) was fitted against all real
pictures, calibrated by itself and is joined with the others by log-sum-exp: "generated" is "made by one of
these". Two more tell whether a face fills a picture, and what kind of content it has. All are linear, so a
score can be taken apart into the shares of blocks and patches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable
from detector.models.kinds import Kind

Array = NDArray[np.float32]
MAKINGS = ("t2i", "gan", "edit")
KINDS = (Kind.PHOTO, Kind.ART, Kind.RENDER, Kind.SCREENSHOT)  # of scans there are too few to tell them
_PORTRAIT = ("portrait", "portrait_bias")  # weights of earlier releases lack them
FARTHEST = 8.0  # deviations; one odd number must not decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """``mean`` and ``scale`` (d,) standardise; ``making`` (makings, d) and ``making_bias`` give log-odds of
    each kind of making, with its line and its prior; ``content`` (kinds, d) and ``content_bias`` the logits
    of ``KINDS``. ``portrait`` (1, d) and ``portrait_bias`` (1,): from 0 on a picture counts as a portrait;
    None where nobody taught them that."""

    mean: Array
    scale: Array
    making: Array
    making_bias: Array
    content: Array
    content_bias: Array
    portrait: Array | None = None
    portrait_bias: Array | None = None

    def __post_init__(self) -> None:
        d = self.mean.shape[0]
        wanted = {
            "mean": (d,), "scale": (d,), "making": (len(MAKINGS), d), "making_bias": (len(MAKINGS),),
            "content": (len(KINDS), d), "content_bias": (len(KINDS),),
        }  # fmt: skip
        if self.portrait is not None or self.portrait_bias is not None:
            wanted |= {"portrait": (1, d), "portrait_bias": (1,)}
        if any(getattr(getattr(self, name), "shape", None) != shape for name, shape in wanted.items()):
            raise ModelUnavailable("the weights of the heads do not fit together")

    def standard(self, embeddings: Array) -> Array:
        """(..., d): in deviations from the mean, none farther than ``FARTHEST``."""
        out: Array = np.clip((embeddings - self.mean) / self.scale, -FARTHEST, FARTHEST)
        return out

    def makings(self, standard: Array) -> NDArray[np.float64]:
        """Log-odds (..., makings) of standardised embeddings."""
        out: NDArray[np.float64] = (standard @ self.making.T + self.making_bias).astype(np.float64)
        return out

    def logits(self, standard: Array) -> NDArray[np.float64]:
        """(..., d) to (...): the log-odds of any making."""
        out: NDArray[np.float64] = np.logaddexp.reduce(self.makings(standard), axis=-1)
        return out

    def kind(self, standard: Array) -> tuple[Kind, float]:
        """Of one picture (d,): the likeliest kind of content and its probability. Whether it is a portrait is
        asked first: one that was retouched is likest a render."""
        if self.portrait is not None and self.portrait_bias is not None:
            odds = float(standard @ self.portrait[0] + self.portrait_bias[0])
            if odds >= 0:
                return Kind.PORTRAIT, 1 / (1 + math.exp(-odds))
        logits = standard @ self.content.T + self.content_bias
        each = np.exp(logits - logits.max())
        best = int(each.argmax())
        return KINDS[best], float(each[best] / each.sum())

    @staticmethod
    def distances(standard: Array) -> NDArray[np.float64]:
        """The root mean square of standardised values, (..., d) to (...)."""
        out: NDArray[np.float64] = np.sqrt((standard.astype(np.float64) ** 2).mean(-1))
        return out

    def tensors(self) -> dict[str, Array]:
        """What a file keeps."""
        kept = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: np.ascontiguousarray(x, np.float32) for name, x in kept.items() if x is not None}


def heads_from(tensors: Mapping[str, NDArray[np.floating]]) -> Heads:
    """Raises ``ModelUnavailable`` for tensors that are no heads."""
    try:
        names = [n for n in Heads.__dataclass_fields__ if n in tensors or n not in _PORTRAIT]
        return Heads(**{name: tensors[name].astype(np.float32) for name in names})
    except KeyError as e:
        raise ModelUnavailable(f"the weights hold no {e.args[0]}") from e
