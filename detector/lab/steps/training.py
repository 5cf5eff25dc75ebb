"""The training loop: deterministic on one CPU thread, resumable after every epoch.

Each batch mixes all families of fakes (a batch of one family would let batch normalisation tell the classes
apart), and every fake stands beside a real region: its twin with the same draw of encodings, crop and flip
when it was made from one, else a real region with draws of its own. Each is seen twice, nearly clean and
degraded. Losses: cross-entropy over camera and families, and over "any family"; a margin between the members
of an aligned pair; agreement of the two views; the compression; and the two adversaries. What is kept is the
running average of the weights.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.average import Average
from detector.core.errors import FileDamaged, FolderTaken
from detector.core.files import write_whole
from detector.core.tensors import load_optimiser, named, optimiser_tensors, under
from detector.core.threads import one_thread
from detector.lab.steps.training_set import CODECS, Batch, TrainingOptions, TrainingSet, batch_of
from detector.models.weights import TRAINING_ONLY, save_tensors
from detector.networks.traces import Heads, TraceNet, fake_score

_VIEWS, _SIDES = 2, 2
_OF_FAMILIES = ("family.", "domain_")

Start = Mapping[str, NDArray[np.float32]]  # tensors of a trace network, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    epoch: int
    loss: float
    real_accuracy: float
    fake_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learner:
    """What is learned, its average, and the optimiser between them."""

    net: TraceNet
    average: TraceNet
    optimiser: torch.optim.Optimizer


def train(
    data: TrainingSet, options: TrainingOptions, run: Path, *, start: Start | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> TraceNet:  # fmt: skip
    """Train, or go on from the last finished epoch in ``run``; the result is the same. ``start`` are tensors
    of a trace network to begin from instead of chance, and ``options.start`` names them. Writes
    ``log.jsonl`` and checkpoints. Raises ``FolderTaken`` when ``run`` belongs to other options or other
    pictures, ``FileDamaged`` for a start of another shape, or that is a part of a network."""
    run.mkdir(parents=True, exist_ok=True)
    _claim_run(run, options, data)
    learner = _learner(data, options, start)
    first = _resume(run, learner)
    average = Average(learner.net, options.averaging, into=learner.average)
    total = options.epochs * options.steps_per_epoch
    with one_thread():
        for epoch in range(first, options.epochs):
            # A generator per epoch: a resumed run draws what an uninterrupted one would have drawn.
            rng = np.random.default_rng([options.seed, epoch])
            torch.manual_seed(options.seed * 1_000_003 + epoch)  # dropout
            losses, hits = [], []
            for step in range(options.steps_per_epoch):
                done = epoch * options.steps_per_epoch + step
                loss, hit = _step(learner, batch_of(data, options, rng), options, done / total)
                average.update(done)
                losses.append(loss)
                hits.append(hit)
                progress(done + 1, total)
            real, fake = np.mean(hits, 0)
            result = EpochResult(
                epoch=epoch, loss=float(np.mean(losses)), real_accuracy=float(real), fake_accuracy=float(fake)
            )
            _checkpoint(run, learner, result)
    return learner.average.eval()


def _learner(data: TrainingSet, options: TrainingOptions, start: Start | None) -> _Learner:
    torch.manual_seed(options.seed)
    nets = [
        TraceNet(len(data.families), options.width, sources=len(data.sources), codecs=CODECS)
        for _ in range(2)
    ]
    if start is not None:
        _begin_from(nets[0], start)
    nets[1].load_state_dict(nets[0].state_dict())
    optimiser = torch.optim.AdamW(nets[0].parameters(), options.learning_rate, weight_decay=1e-2)
    return _Learner(net=nets[0], average=nets[1].eval(), optimiser=optimiser)


def _begin_from(net: TraceNet, start: Start) -> None:
    """Everything but the last layer and where its pictures lie, which belong to other families: all of what
    ships, so that no part of the network is left to chance."""
    own = net.state_dict()
    tensors = {k: torch.from_numpy(v.copy()) for k, v in start.items() if not k.startswith(_OF_FAMILIES)}
    if any(k not in own or own[k].shape != v.shape for k, v in tensors.items()) or not tensors:
        raise FileDamaged("the tensors to start from are not those of a trace network of this width")
    lacking = [k for k in own if k not in tensors and not k.startswith((*_OF_FAMILIES, *TRAINING_ONLY))]
    if lacking:
        more = f" and {len(lacking) - 1} more" if lacking[1:] else ""
        raise FileDamaged(f"the tensors to start from are a part of a trace network: {lacking[0]}{more} lack")
    net.load_state_dict(own | tensors)


def _step(
    learner: _Learner, batch: Batch, options: TrainingOptions, part: float
) -> tuple[float, tuple[float, float]]:
    rate = options.learning_rate * min(1.0, part / 0.05 + 0.02) * 0.5 * (1 + math.cos(math.pi * part))
    for group in learner.optimiser.param_groups:
        group["lr"] = rate
    reversal = options.reversal * (2 / (1 + math.exp(-6 * part)) - 1)
    learner.net.train()
    with torch.autocast("cpu", torch.bfloat16):
        heads = learner.net.heads(batch.pixels, reversal=reversal)
    loss = total_loss(heads, batch, options)
    learner.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(learner.net.parameters(), 5.0)
    learner.optimiser.step()
    score, fake = fake_score(heads.family.float()).detach(), batch.family > 0
    return float(loss.detach()), (
        float((score[~fake] < 0).float().mean()),
        float((score[fake] > 0).float().mean()),
    )


def total_loss(heads: Heads, batch: Batch, options: TrainingOptions) -> Tensor:
    """The sum of all parts; the order of a batch is (view, real or fake, pair)."""
    logits = heads.family.float()
    score = fake_score(logits)
    soft = (batch.family > 0).float() * (1 - 2 * options.label_smoothing) + options.label_smoothing
    loss = F.cross_entropy(logits, batch.family, label_smoothing=options.label_smoothing)
    loss = loss + F.binary_cross_entropy_with_logits(score, soft)
    views = score.view(_VIEWS, _SIDES, -1)
    margin = F.softplus(1 - (views[:, 1] - views[:, 0]))[:, batch.aligned]
    if margin.numel():
        loss = loss + options.margin_weight * margin.mean()
    gap = (views[0] - views[1]).clamp(-6, 6)
    loss = loss + options.agreement_weight * (gap**2).mean()
    compression = (heads.compression.float() - batch.quality) ** 2
    loss = loss + options.compression_weight * compression.mean()
    adversaries = F.cross_entropy(heads.codec.float(), batch.codec)
    known = batch.source >= 0
    if bool(known.any()):
        adversaries = adversaries + F.cross_entropy(heads.source.float()[known], batch.source[known])
    return loss + options.adversary_weight * adversaries


def _claim_run(run: Path, options: TrainingOptions, data: TrainingSet) -> None:
    path = run / "options.json"
    text = json.dumps(asdict(options) | {"training_set": data.digest}, indent=1) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise FolderTaken(f"{run.name} was begun with other options or pictures; choose another folder")
    write_whole(path, text.encode())


def _checkpoint(run: Path, learner: _Learner, result: EpochResult) -> None:
    """Tensors first, then the line of the log: an epoch counts when its line is there."""
    tensors = named("opt.", optimiser_tensors(learner.optimiser))
    tensors |= named("net.", learner.net.state_dict()) | named("avg.", learner.average.state_dict())
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


def _resume(run: Path, learner: _Learner) -> int:
    """Load the last finished epoch; returns the number of the next one."""
    log = read_log(run)
    if not log:
        return 0
    path = run / f"epoch-{log[-1].epoch:03d}.safetensors"
    try:
        tensors = load_file(path)
        learner.net.load_state_dict(under("net.", tensors))
        learner.average.load_state_dict(under("avg.", tensors))
    except (OSError, SafetensorError, RuntimeError) as e:
        raise FileDamaged(f"{path.name} cannot be read; remove {run.name} and train again") from e
    load_optimiser(learner.optimiser, under("opt.", tensors))
    return log[-1].epoch + 1
