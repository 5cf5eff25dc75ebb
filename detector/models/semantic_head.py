"""The heads of the whole-picture detector: linear maps on the numbers of an image encoder.

One head for every kind of making (text-to-image, GAN, edit or upscaling) was fitted against all real
pictures, calibrated by itself and is joined with the others by log-sum-exp: "generated" is "made by one of
these". One more tells what kind of content a picture has. All are linear, so a score can be taken apart into
the shares of blocks and patches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable
from detector.models.kinds import Kind

Array = NDArray[np.float32]
MAKINGS = ("t2i", "gan", "edit")
KINDS = (Kind.PHOTO, Kind.ART, Kind.RENDER, Kind.SCREENSHOT)  # of scans there are too few to tell them
FARTHEST = 8.0  # deviations; one odd number must not decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """``mean`` and ``scale`` (d,) standardise; ``making`` (makings, d) and ``making_bias`` give log-odds of
    each kind of making, with its line and its prior; ``content`` (kinds, d) and ``content_bias`` the logits
    of ``KINDS``."""

    mean: Array
    scale: Array
    making: Array
    making_bias: Array
    content: Array
    content_bias: Array

    def __post_init__(self) -> None:
        d = self.mean.shape[0]
        wanted = {
            "mean": (d,), "scale": (d,), "making": (len(MAKINGS), d), "making_bias": (len(MAKINGS),),
            "content": (len(KINDS), d), "content_bias": (len(KINDS),),
        }  # fmt: skip
        if any(getattr(self, name).shape != shape for name, shape in wanted.items()):
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
        """Of one picture (d,): the likeliest kind of content and its probability."""
        logits = standard @ self.content.T + self.content_bias
        odds = np.exp(logits - logits.max())
        best = int(odds.argmax())
        return KINDS[best], float(odds[best] / odds.sum())

    @staticmethod
    def distances(standard: Array) -> NDArray[np.float64]:
        """The root mean square of standardised values, (..., d) to (...)."""
        out: NDArray[np.float64] = np.sqrt((standard.astype(np.float64) ** 2).mean(-1))
        return out

    def tensors(self) -> dict[str, Array]:
        """What a file keeps."""
        names = ("mean", "scale", "making", "making_bias", "content", "content_bias")
        return {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in names}


def heads_from(tensors: Mapping[str, NDArray[np.floating]]) -> Heads:
    """Raises ``ModelUnavailable`` for tensors that are no heads."""
    try:
        return Heads(**{name: tensors[name].astype(np.float32) for name in Heads.__dataclass_fields__})
    except KeyError as e:
        raise ModelUnavailable(f"the weights hold no {e.args[0]}") from e
