"""The training loop: deterministic on one CPU thread, resumable after every epoch.

Each batch mixes all families of fakes, and every fake stands beside a real region: its twin with the same
draw of encodings, crop and flip when it was made from one, else a real region with a draw of its own. Loss:
cross-entropy over camera and families, plus a margin between the two members of a pair.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.augment import CodecDraw, codec_match, draw_codec
from detector.errors import CorpusError
from detector.networks.residual import ResidualNet, fake_score
from detector.pixels import Pixels
from detector.training_set import FAMILIES, TrainingSet
from detector.weights import save_tensors

# How often each family is drawn; the real generator most, then the published decoder.
FAMILY_SHARES = (0.44, 0.24, 0.08, 0.08, 0.08, 0.08)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """All that decides the result, written beside it."""

    seed: int = 0
    epochs: int = 14
    steps_per_epoch: int = 80
    pairs_per_batch: int = 16
    crop_side: int = 128
    width: int = 24
    learning_rate: float = 3e-3
    margin_weight: float = 0.5
    label_smoothing: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    epoch: int
    loss: float
    real_accuracy: float
    fake_accuracy: float


def train(
    data: TrainingSet,
    options: TrainingOptions,
    run: Path,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> ResidualNet:
    """Train, or go on from the last finished epoch in ``run``; the result is the same. Writes ``log.jsonl``
    and checkpoints. Raises ``CorpusError`` when ``run`` belongs to other options."""
    run.mkdir(parents=True, exist_ok=True)
    _claim_run(run, options)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    net = ResidualNet(len(FAMILIES), options.width)
    optimiser = torch.optim.AdamW(net.parameters(), options.learning_rate, weight_decay=1e-3)
    first = _resume(run, net, optimiser)
    total = options.epochs * options.steps_per_epoch
    for epoch in range(first, options.epochs):
        # A generator per epoch: a resumed run draws what an uninterrupted one would have drawn.
        rng = np.random.default_rng([options.seed, epoch])
        losses, hits = [], []
        for step in range(options.steps_per_epoch):
            done = epoch * options.steps_per_epoch + step
            _set_rate(optimiser, options.learning_rate, done / total)
            loss, hit = _step(net, optimiser, batch_of(data, options, rng), options)
            losses.append(loss)
            hits.append(hit)
            progress(done + 1, total)
        real, fake = np.mean(hits, 0)
        result = EpochResult(
            epoch=epoch, loss=float(np.mean(losses)), real_accuracy=float(real), fake_accuracy=float(fake)
        )
        _checkpoint(run, net, optimiser, result)
    return net.eval()


def _set_rate(optimiser: torch.optim.Optimizer, peak: float, part: float) -> None:
    """Short warm-up, then a cosine to zero."""
    rate = peak * min(1.0, part / 0.05 + 0.02) * 0.5 * (1 + np.cos(np.pi * part))
    for group in optimiser.param_groups:
        group["lr"] = float(rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Reals first, then as many fakes; ``family`` is 0 for reals; ``aligned`` marks the pairs with a twin."""

    pixels: Tensor
    family: Tensor
    aligned: Tensor


def batch_of(data: TrainingSet, options: TrainingOptions, rng: np.random.Generator) -> Batch:
    shares = np.array(FAMILY_SHARES)
    present = np.isin(np.arange(len(FAMILIES)), data.family)
    shares = shares * present / (shares * present).sum()
    reals, fakes, families, aligned = [], [], [], []
    for _ in range(options.pairs_per_batch):
        family = int(rng.choice(len(FAMILIES), p=shares))
        n = int(rng.choice(np.flatnonzero(data.family == family)))
        twin = int(data.twin[n])
        real = data.real[twin if twin >= 0 else _draw_real(data, rng)]
        view = _draw_view(options, rng)
        fakes.append(_see(data.fake[n], view))
        reals.append(_see(real, view if twin >= 0 else _draw_view(options, rng)))
        families.append(1 + family)
        aligned.append(twin >= 0)
    pixels = torch.from_numpy(np.stack(reals + fakes)).permute(0, 3, 1, 2).float()
    return Batch(
        pixels=pixels,
        family=torch.tensor([0] * len(reals) + families),
        aligned=torch.tensor(aligned),
    )


def _draw_real(data: TrainingSet, rng: np.random.Generator) -> int:
    """Every source of real photos equally often, whatever its size."""
    source = rng.choice(np.unique(data.real_set[~data.paired]))
    return int(rng.choice(np.flatnonzero((data.real_set == source) & ~data.paired)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    draw: CodecDraw
    at: tuple[float, float]
    mirrored: bool
    side: int


def _draw_view(options: TrainingOptions, rng: np.random.Generator) -> _View:
    return _View(
        draw=draw_codec(rng),
        at=(float(rng.random()), float(rng.random())),
        mirrored=bool(rng.random() < 0.5),
        side=options.crop_side,
    )


def _see(region: Pixels, view: _View) -> Pixels:
    """The view's part of a region after its encodings. The crop comes last, so that the phase of the block
    grid is no constant; encoding no more than the crop and a margin saves half of the time."""
    margin = 24
    region = _part(region, min(len(region), int(np.ceil(view.side / view.draw.scale)) + margin), view.at)
    crop = _part(codec_match(region, view.draw), view.side, view.at[::-1])
    return crop[:, ::-1] if view.mirrored else crop


def _part(pixels: Pixels, side: int, at: tuple[float, float]) -> Pixels:
    y, x = round(at[0] * (pixels.shape[0] - side)), round(at[1] * (pixels.shape[1] - side))
    return pixels[y : y + side, x : x + side]


def _step(
    net: ResidualNet, optimiser: torch.optim.Optimizer, batch: Batch, options: TrainingOptions
) -> tuple[float, tuple[float, float]]:
    net.train()
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(batch.pixels)
    score = fake_score(logits.float())
    real, fake = score.chunk(2)
    loss = F.cross_entropy(logits.float(), batch.family, label_smoothing=options.label_smoothing)
    is_fake = (batch.family > 0).float() * 0.9 + 0.05
    loss = loss + F.binary_cross_entropy_with_logits(score, is_fake)
    margin = F.softplus(1 - (fake - real))[batch.aligned]
    if len(margin):
        loss = loss + options.margin_weight * margin.mean()
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimiser.step()
    return float(loss.detach()), (float((real < 0).float().mean()), float((fake > 0).float().mean()))


def _claim_run(run: Path, options: TrainingOptions) -> None:
    path = run / "options.json"
    text = json.dumps(asdict(options), indent=1) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise CorpusError(f"{run.name} was begun with other options; choose another folder")
    path.write_text(text, encoding="utf-8")


def _checkpoint(run: Path, net: ResidualNet, optimiser: torch.optim.Optimizer, result: EpochResult) -> None:
    """Tensors first, then the line of the log: an epoch counts when its line is there."""
    state = {f"{i}.{k}": v for i, s in optimiser.state_dict()["state"].items() for k, v in s.items()}
    tensors = {f"net.{k}": v for k, v in net.state_dict().items()} | {f"opt.{k}": v for k, v in state.items()}
    save_tensors(tensors, run / f"epoch-{result.epoch:03d}.safetensors")
    with (run / "log.jsonl").open("a", encoding="utf-8") as f:
        f.write(json.dumps(asdict(result)) + "\n")
        f.flush()
        os.fsync(f.fileno())
    if result.epoch:
        (run / f"epoch-{result.epoch - 1:03d}.safetensors").unlink(missing_ok=True)


def read_log(run: Path) -> tuple[EpochResult, ...]:
    """Finished epochs; a line that a crash cut short is left out."""
    path = run / "log.jsonl"
    results = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            results.append(EpochResult(**json.loads(line)))
        except (ValueError, TypeError):
            break
    return tuple(results)


def _resume(run: Path, net: ResidualNet, optimiser: torch.optim.Optimizer) -> int:
    """Load the last finished epoch; returns the number of the next one."""
    log = read_log(run)
    if not log:
        return 0
    path = run / f"epoch-{log[-1].epoch:03d}.safetensors"
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as e:
        raise CorpusError(f"{path.name} cannot be read; remove {run.name} and train again") from e
    net.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("net.")})
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("opt."):
            number, name = key[4:].split(".", 1)
            state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return log[-1].epoch + 1
