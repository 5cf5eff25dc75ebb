"""Small deformations of pictures that leave what they show alone: the two views of a consistency loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

_BEND_POINTS = 5  # a side of the coarse grid that is bent


@dataclass(frozen=True, slots=True, kw_only=True)
class Warp:
    """The largest change of each kind, drawn evenly up to it: ``turn`` in radians, ``scale`` and ``shear`` as
    shares, ``shift`` in half sides. ``bend`` is the deviation of a smooth random displacement, in half sides
    (elastic distortion: Simard, Steinkraus, Platt 2003)."""

    turn: float
    scale: float
    shear: float
    shift: float
    bend: float = 0.0


def warped(x: Tensor, how: Warp, rng: torch.Generator) -> Tensor:
    """Each picture of (n, c, h, w) deformed in its own way; the edge goes on outside. ``rng`` is a CPU
    generator."""
    n, device = len(x), x.device
    turn, scale, shear, *shift = (2 * torch.rand(5, n, generator=rng) - 1).unbind()
    grow = 1 + how.scale * scale
    cos, sin = torch.cos(how.turn * turn) * grow, torch.sin(how.turn * turn) * grow
    across = torch.stack([cos, how.shear * shear - sin, how.shift * shift[0]], 1)
    down = torch.stack([sin, cos, how.shift * shift[1]], 1)
    grid = F.affine_grid(torch.stack([across, down], 1).to(device), list(x.shape), align_corners=False)
    if how.bend:
        coarse = how.bend * torch.randn(n, 2, _BEND_POINTS, _BEND_POINTS, generator=rng).to(device)
        smooth = F.interpolate(coarse, list(x.shape[2:]), mode="bilinear", align_corners=True)
        grid = grid + smooth.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
