"""Fitting linear heads on the numbers of an encoder, many at a time: those of every fold and those that ship.

All heads share one matrix of pictures and differ in which rows teach them, so one pass over the memory
serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.errors import CalibrationError
from detector.models.semantic_head import FARTHEST

Array = NDArray[np.float32]
_Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
RIDGE = 0.1
CONTENT_RIDGE = 0.03
_STEPS = 60
_ROWS = 1024  # standardised at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Standardised views of pictures, (views x n, d): all pictures in one view, then in the next."""

    x: torch.Tensor
    mean: Array
    scale: Array
    views: int

    @property
    def pictures(self) -> int:
        return len(self.x) // self.views


def design_of(views: list[NDArray[np.float16]], shares: NDArray[np.float64]) -> Design:
    """Mean and deviation by the shares of the pictures (n,), over all views."""
    n, d = views[0].shape
    w = torch.from_numpy((shares / shares.sum() / len(views)).astype(np.float32))[:, None]
    mean, square = torch.zeros(d), torch.zeros(d)
    for part, rows in _blocks(views):
        y = torch.from_numpy(part.astype(np.float32))
        mean += (w[rows] * y).sum(0)
        square += (w[rows] * y**2).sum(0)
    scale = (square - mean**2).clamp_min(0).sqrt() + 1e-4
    x = torch.empty(len(views) * n, d)
    at = 0
    for part, _ in _blocks(views):
        x[at : at + len(part)] = standardised(part, mean, scale)
        at += len(part)
    return Design(x=x, mean=mean.numpy(), scale=scale.numpy(), views=len(views))


def _blocks(views: list[NDArray[np.float16]]) -> list[tuple[NDArray[np.float16], slice]]:
    n = len(views[0])
    cuts = [slice(i, min(n, i + _ROWS)) for i in range(0, n, _ROWS)]
    return [(view[cut], cut) for view in views for cut in cuts]


def standardised(part: NDArray[np.float16], mean: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return ((torch.from_numpy(part.astype(np.float32)) - mean) / scale).clamp(-FARTHEST, FARTHEST)


def fit_binary(
    design: Design, fake: NDArray[np.bool_], weights: NDArray[np.float64], *, ridge: float = RIDGE
) -> tuple[Array, Array]:
    """Logistic regressions, one a column of ``weights`` (n, heads), which says how much each picture teaches
    it; both classes weigh the same in each. Returns (d, heads) and (heads,). By L-BFGS. Raises
    ``CalibrationError`` where a head has one class."""
    w = torch.from_numpy(np.tile(weights, (design.views, 1)).astype(np.float32))
    y = torch.from_numpy(np.tile(fake, design.views))
    for chosen in (y, ~y):
        sums = w[chosen].sum(0, keepdim=True)
        if not bool((sums > 0).all()):
            raise CalibrationError("a head needs real and generated pictures")
        w[chosen] = w[chosen] / sums / 2
    sign = (y.float() * 2 - 1)[:, None]

    def loss(theta: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return (w * F.softplus(-sign * (design.x @ theta + bias))).sum() + ridge * theta.square().sum()

    return _minimised(loss, design.x.shape[1], weights.shape[1])


def fit_content(
    design: Design, kinds: NDArray[np.int64], weights: NDArray[np.float64], classes: int
) -> tuple[Array, Array]:
    """Multinomial regressions, one a column of ``weights`` (n, heads); ``kinds`` (n,) is -1 for pictures
    that teach nothing. Every kind that occurs weighs the same. Returns (heads, d, classes) and (heads,
    classes)."""
    known = np.flatnonzero(kinds >= 0)
    rows = torch.from_numpy(np.concatenate([known + v * design.pictures for v in range(design.views)]))
    x, y = design.x[rows], torch.from_numpy(np.tile(kinds[known], design.views))
    w = torch.from_numpy(np.tile(weights[known], (design.views, 1)).astype(np.float32))
    for kind in range(classes):
        mine = y == kind
        w[mine] = w[mine] / w[mine].sum(0, keepdim=True).clamp_min(1e-12)
    w = w / w.sum(0, keepdim=True)
    heads = weights.shape[1]

    def loss(theta: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        z = (x @ theta + bias).view(-1, heads, classes)
        each = F.cross_entropy(z.transpose(1, 2), y[:, None].expand(-1, heads), reduction="none")
        return (w * each).sum() + CONTENT_RIDGE * theta.square().sum()

    theta, bias = _minimised(loss, design.x.shape[1], heads * classes)
    return (
        np.ascontiguousarray(theta.reshape(-1, heads, classes).transpose(1, 0, 2)),
        bias.reshape(heads, classes),
    )


def _minimised(loss: _Loss, d: int, columns: int) -> tuple[Array, Array]:
    theta, bias = torch.zeros(d, columns, requires_grad=True), torch.zeros(columns, requires_grad=True)
    solver = torch.optim.LBFGS(
        [theta, bias], max_iter=_STEPS, history_size=10, line_search_fn="strong_wolfe", tolerance_change=1e-7
    )

    def closure() -> torch.Tensor:
        solver.zero_grad()
        value = loss(theta, bias)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(closure)  # type: ignore[no-untyped-call]
    return theta.detach().numpy(), bias.detach().numpy()
