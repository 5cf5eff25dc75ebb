"""Makers of aligned fakes: a picture comes back as the same picture, through a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.errors import FileFailed
from detector.generators.aligned.autoencoders import UPSAMPLERS, SmallAutoencoder, Taef2, reconstruct
from tests.detector.made import photo_like

WIDE = 4


def published(folder: Path) -> None:
    """Two state dicts of the published form, four channels wide, with weights of chance."""
    rng = torch.Generator().manual_seed(0)

    def state(plan: list[str], given: int, wanted: int) -> dict[str, torch.Tensor]:
        out = {}
        convolutions = [i for i, name in enumerate(plan) if name in ("conv", "down")]
        for i, name in enumerate(plan):
            inside = given if i == convolutions[0] else WIDE
            outside = wanted if i == convolutions[-1] else WIDE
            if name in ("conv", "down"):
                out[f"{i}.weight"] = 0.3 * torch.randn(outside, inside, 3, 3, generator=rng)
            if name == "res":
                for part in ("0", "2", "4"):
                    out[f"{i}.conv.{part}.weight"] = 0.1 * torch.randn(WIDE, WIDE, 3, 3, generator=rng)
        return out

    torch.save(state(Taef2._ENCODER, 3, WIDE), folder / "taef2_encoder.pth")
    torch.save(state(Taef2._DECODER, WIDE, 3), folder / "taef2_decoder.pth")


def test_the_published_autoencoder_shrinks_eight_times_and_gives_back_the_side(tmp_path: Path) -> None:
    published(tmp_path)
    net, pixels = Taef2(tmp_path), photo_like(24, 32)
    latent = net.encode(pixels)
    assert latent.shape == (1, WIDE, 3, 4)
    back = net.reconstruct(pixels)
    assert (back.shape, back.dtype) == (pixels.shape, np.uint8)
    assert (back == net.decode(latent)).all()


def test_without_its_two_files_there_is_no_published_autoencoder(tmp_path: Path) -> None:
    with pytest.raises(FileFailed, match=r"taef2_encoder\.pth is missing"):
        Taef2(tmp_path)
    published(tmp_path)
    (tmp_path / "taef2_decoder.pth").unlink()
    with pytest.raises(FileFailed, match=r"taef2_decoder\.pth is missing"):
        Taef2(tmp_path)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_a_small_autoencoder_takes_any_even_sides_and_makes_the_same_of_the_same(upsampler: str) -> None:
    torch.manual_seed(0)
    net, pixels = SmallAutoencoder(upsampler, width=4, latent=2).eval(), photo_like(18, 26)
    first, again = (reconstruct(net, pixels) for _ in range(2))
    assert (first.shape, first.dtype) == (pixels.shape, np.uint8)
    assert (first == again).all()
