"""What turns a region of a corpus photo into a fake of the same content, so that only its trace differs.

Autoencoders of our own, the published autoencoder of a latent diffusion model (clean, with a disturbed
latent, with a smoothed one: a diffusion model's latents are not those of any photo), and published GAN
upscalers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.progress import Report
from detector.generators.aligned.autoencoders import Taef2
from detector.generators.aligned.upscalers import Upscaler, open_upscaler
from detector.lab.steps.autoencoders import autoencoders
from detector.lab.steps.regions import Make
from detector.pixels.augment import resize
from detector.pixels.decode import Pixels

_AUTOENCODER_STEPS = 400


def open_makers(
    root: Path, pool: list[Pixels], upscalers: Path | None, seed: int, report: Report
) -> dict[str, tuple[Make, float]]:
    """Name -> maker and weight."""
    rng = np.random.default_rng([seed, 3])
    taef2 = Taef2(root / "weights" / "taef2")
    out: dict[str, tuple[Make, float]] = {
        "taef2": (taef2.reconstruct, 3.0),
        "taef2_noise": (partial(disturbed, taef2, rng), 1.5),
        "taef2_smooth": (partial(smoothed, taef2, rng), 1.5),
    }
    if upscalers is not None:
        large = open_upscaler(upscalers, "realesrgan-x4plus")
        small = open_upscaler(upscalers, "realesr-animevideov3-x4")
        out["srgan_large"] = (partial(_enlarged, large, 4, rng), 1.2)
        out["srgan_small"] = (partial(_enlarged, small, 4, rng), 1.0)
        out["srgan_half"] = (partial(_enlarged, small, 2, rng), 1.2)
    own = autoencoders(pool, steps=_AUTOENCODER_STEPS, seed=seed, what="training autoencoders", report=report)
    out |= {name: (make, 0.8) for name, make in own.items()}
    return out


def disturbed(taef2: Taef2, rng: np.random.Generator, region: Pixels) -> Pixels:
    latent = taef2.encode(region)
    noise = torch.from_numpy(rng.normal(size=latent.shape).astype(np.float32))
    return taef2.decode(latent + float(rng.uniform(0.05, 0.3)) * latent.std() * noise)


def smoothed(taef2: Taef2, rng: np.random.Generator, region: Pixels) -> Pixels:
    """Lower the resolution of the latent and raise it again: less detail than the picture had."""
    latent = taef2.encode(region)
    low = F.interpolate(latent, scale_factor=float(rng.uniform(0.55, 0.9)), mode="bicubic")
    return taef2.decode(F.interpolate(low, size=latent.shape[2:], mode="bicubic"))


def _enlarged(upscaler: Upscaler, factor: int, rng: np.random.Generator, region: Pixels) -> Pixels:
    """Shrink by ``factor``, let the upscaler bring it to four times that, shrink the rest."""
    side = len(region) // 4 * 4
    small = resize(region[:side, :side], 1 / factor, "area" if rng.random() < 0.7 else "cubic")
    return resize(upscaler(small), factor / 4, "cubic")
