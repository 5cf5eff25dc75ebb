"""Small autoencoders of our own that differ in how they enlarge: makers of fakes that every material has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from detector.core.progress import Report
from detector.generators.aligned.autoencoders import UPSAMPLERS, reconstruct, train_autoencoder
from detector.lab.steps.regions import Make
from detector.pixels.decode import Pixels


def autoencoders(
    photos: Sequence[Pixels], *, steps: int, seed: int, what: str, report: Report
) -> dict[str, Make]:
    """One for every way to enlarge, fitted on the photos; none where there are no photos."""
    makers: dict[str, Make] = {}
    for k, upsampler in enumerate(UPSAMPLERS if photos else ()):
        net = train_autoencoder(upsampler, list(photos), steps=steps, seed=seed + k)
        makers[f"ae_{upsampler}"] = partial(reconstruct, net)
        report(what, k + 1, len(UPSAMPLERS))
    return makers
