"""The score of a whole picture taken apart into the patches that its encoder saw.

Heads are linear in the class token, the mean and the deviation of the patches of every block. So a score is
the mean over patches of a number for each, exactly: the mean of a feature is the mean over patches of its
values, and its deviation the mean of squared distances from that mean, over the deviation itself. Several
heads that are joined by log-sum-exp count by what each of them has in the sum. What is about no place (class
tokens, biases) is in every patch alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_TINY = 1e-6


def patch_logits(
    tokens: Floats, mean: Floats, scale: Floats, weights: Floats, biases: Floats, farthest: float
) -> NDArray[np.float64]:
    """(patches,): what the score would be if every patch were like this one; their mean is the score.

    ``tokens`` (blocks, 1 + patches, width), the class token first. ``mean``, ``scale`` (blocks, 3, width)
    standardise class token, mean and deviation of the patches, and no standardised number counts beyond
    ``farthest``; ``weights`` (heads, blocks, 3, width), ``biases`` (heads,)."""
    patches = tokens[:, 1:]
    middle, deviation = patches.mean(1), patches.std(1)
    standard = (np.stack([tokens[:, 0], middle, deviation], 1) - mean) / scale
    kept = np.clip(standard, -farthest, farthest)
    each = np.einsum("hbpw,bpw->h", weights, kept).astype(np.float64) + biases
    score = float(np.logaddexp.reduce(each))
    joined = np.einsum("h,hbpw->bpw", np.exp(each - score), weights)
    # Of a number that was cut every patch's part is cut alike.
    cut = (
        joined * np.divide(kept, standard, out=np.ones_like(standard), where=np.abs(standard) > _TINY) / scale
    )
    spread = (patches - middle[:, None]) ** 2 / np.maximum(deviation, _TINY)[:, None]
    found: NDArray[np.float64] = (
        np.einsum("bnw,bw->n", patches - mean[:, None, 1], cut[:, 1])
        + np.einsum("bnw,bw->n", spread - mean[:, None, 2], cut[:, 2])
    ).astype(np.float64)
    found += score - found.mean()
    return found
