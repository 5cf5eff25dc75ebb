"""What the generators do on a GPU: pictures per second, share of the measured peak, quality over time.

    python -m tests.bench.gan_gpu --data cifar10 --corpus DIR --out DIR [--seconds 45] [--families dcgan]

Made for ten minutes with the defaults on one GPU (``make install-judge`` before: without MobileNetV2 the
quality is that of pixels). It prints JSON lines and appends them to ``OUT/results.jsonl``:

``machine``   the device, torch, and the peak of an 8192^3 bfloat16 matrix product measured here
``check``     the recorded step against the plain one: largest difference of a weight after five steps each
``speed``     median pictures/s over windows of 50 steps after 50 to warm up, plain and recorded, and MFU:
              arithmetic per picture, counted on meta tensors, times pictures/s, over the measured peak
``quality``   the kernel distance on MobileNetV2 features (never called FID) after each quarter of the budget;
              schedules that end with a budget end with each part, and a wall second is one of fitting alone
``failed``    what diverged, did not fit into the memory of this GPU, or has no pictures of its own

Without ``--data`` the quality part is left out and speed is measured on noise. ``--device cpu`` runs
everything small, as the test beside this file does: its numbers say nothing about a GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detector.core.errors import CorpusError, DetectorError, FitFailed, ModelUnavailable, NotApplicable
from detector.data.splits import Split
from detector.generators import make_family
from detector.generators.family import Family
from detector.generators.source import ImageSource
from detector.zoo.fitting.batches import Batches
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.device import fastest_precision, open_device, recorded_step, settled
from detector.zoo.fitting.fit import fit, step_rng
from detector.zoo.judging.features import mobilenet_extractor, pixel_extractor
from detector.zoo.judging.quality import kid
from detector.zoo.sources.clusters import clustered
from detector.zoo.sources.data import open_source
from detector.zoo.store import Fitted
from tests.bench.flops import flops_per_picture

# Channels in multiples of 64, large batches, every penalty on the whole batch: what a GPU has room for.
RECIPES: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 64, "batch": 256, "ema": 0.999},
    "r3gan": {"width": 64, "batch": 256, "ema": 0.999, "penalised": 1.0, "learning_rate": 3e-4},
    "wgan": {"width": 64, "batch": 384, "ema": 0.999},
    "biggan": {"width": 64, "batch": 256, "ema": 0.999, "critic_steps": 2, "latent": 128},
    "lapgan": {"width": 64, "batch": 256, "ema": 0.999},
    "flowmatch": {"width": 128, "batch": 256, "patch": 2, "learning_rate": 3e-4},
    "cyclegan": {"width": 64, "batch": 128, "ema": 0.999},
    "vae": {"width": 128, "batch": 256, "ema": 0.999},
    "recon": {"width": 64, "batch": 256, "ema": 0.999},
    "realnvp": {"width": 64, "batch": 128, "ema": 0.999},
}
DEFAULT = "dcgan,r3gan,wgan,biggan,lapgan,flowmatch"
TINY = {"width": 8, "batch": 6, "latent": 8}
PARTS = 4


def line(kind: str, **values: object) -> dict[str, object]:
    return {"kind": kind, **values}


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds_of(device: torch.device, run: Any, times: int) -> float:
    """Seconds that ``times`` calls take: between two events on a GPU, by the clock elsewhere."""
    wait(device)
    if device.type == "cuda":
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        for _ in range(times):
            run()
        last.record()
        wait(device)
        return float(first.elapsed_time(last)) / 1000
    before = time.perf_counter()
    for _ in range(times):
        run()
    return time.perf_counter() - before


def matrix_peak(device: torch.device) -> float:
    """FLOP/s of a square bfloat16 product, the best of five windows."""
    side, times = (8192, 20) if device.type == "cuda" else (512, 4)
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    windows = [seconds_of(device, lambda: a @ b, times) for _ in range(6)]
    return 2 * side**3 * times / min(windows[1:])


def noise(family: Family) -> ImageSource:
    spec = family.spec
    shape = (4096 if spec.batch > 16 else 32, spec.side, spec.side, spec.channels)
    rng = np.random.default_rng(0)
    labels = np.arange(shape[0]) % max(1, spec.classes)
    return ImageSource(name="noise", images=rng.integers(0, 256, shape, dtype=np.uint8), labels=labels)


def made(name: str, device: torch.device, **overrides: Any) -> Family:
    family = settled(make_family(name, **overrides), device).train()
    family.bf16 = fastest_precision(device) == "bfloat16"
    return family


def speed(
    name: str, recipe: dict[str, Any], device: torch.device, peak: float
) -> Iterator[dict[str, object]]:
    warm, window, count = (50, 50, 5) if device.type == "cuda" else (1, 2, 2)
    flops = flops_per_picture(name, **recipe)
    for way in ("plain", "recorded"):
        family = made(name, device, **recipe)
        optimisers, batches = family.optimisers(), Batches(noise(family), family.spec, device)
        step = recorded_step(family, optimisers)
        if way == "plain":
            step = lambda x, y, rng, f=family, o=optimisers: f.train_step(o, x, y, rng)  # noqa: E731
        rng = step_rng(0, 0)

        def run(step: Any = step, batches: Batches = batches, rng: torch.Generator = rng) -> None:
            step(*batches.draw(rng), rng)

        seconds_of(device, run, warm)
        each = [family.spec.batch * window / seconds_of(device, run, window) for _ in range(count)]
        rate = statistics.median(each)
        yield line(
            "speed", family=name, step=way, pictures_per_s=round(rate, 1), slowest=round(min(each), 1),
            fastest=round(max(each), 1), gflop_per_picture=round(flops / 1e9, 4),
            mfu_of_measured_peak=round(flops * rate / peak, 5), recipe=recipe,
        )  # fmt: skip


def check(name: str, recipe: dict[str, Any], device: torch.device) -> dict[str, object]:
    """Five steps of each way from the same weights and draws, full precision."""
    ends = []
    for way in ("plain", "recorded"):
        family = made(name, device, **recipe)
        family.bf16 = False
        optimisers, batches = family.optimisers(), Batches(noise(family), family.spec, device)
        step = recorded_step(family, optimisers)
        for n in range(5):
            rng = step_rng(0, n)
            x, y = batches.draw(rng)
            if way == "plain":
                family.train_step(optimisers, x, y, rng)
            else:
                step(x, y, rng)
        wait(device)
        ends.append(torch.cat([p.detach().flatten().float().cpu() for p in family.parameters()]))
    largest = float((ends[0] - ends[1]).abs().max())
    return line("check", family=name, largest_difference=largest, of_weights=len(ends[0]))


def quality(
    name: str, recipe: dict[str, Any], data: ImageSource, held_out: ImageSource, options: argparse.Namespace
) -> Iterator[dict[str, object]]:
    """A fit in parts, each going on from the checkpoint of the one before."""
    try:
        extractor = mobilenet_extractor(options.device)
    except ModelUnavailable:
        extractor = pixel_extractor()
    n = min(options.samples, len(held_out.images))
    real = extractor.of(held_out.images[:n], lambda _done, _total: None)
    run = Path(options.out) / name
    for part in range(1, PARTS + 1):
        family = make_family(name, **recipe)
        budget = Budget(wall_seconds=options.seconds * part / PARTS)
        result = fit(family, data, budget, seed=0, run=run, device=options.device)
        sampled = Fitted(family).sample(n, 0)
        found = kid(real, extractor.of(sampled, lambda _done, _total: None))
        yield line(
            "quality", family=name, features=extractor.name, steps=result.steps, pictures=result.images,
            seconds=budget.wall_seconds, kid=found.value, low=found.low, high=found.high, n=n,
        )  # fmt: skip


def everything(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    device = open_device(options.device)
    peak = matrix_peak(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    yield line("machine", device=name, torch=torch.__version__, matrix_peak_tflops=round(peak / 1e12, 3))
    for family in options.families.split(","):
        try:
            yield from of_family(family, device, peak, options)
        except (FitFailed, NotApplicable, torch.OutOfMemoryError) as e:
            yield line("failed", family=family, why=str(e).split(". ")[0])


def of_family(
    family: str, device: torch.device, peak: float, options: argparse.Namespace
) -> Iterator[dict[str, object]]:
    recipe = {**RECIPES[family], **(TINY if device.type == "cpu" else {})}
    yield check(family, recipe, device)
    yield from speed(family, recipe, device, peak)
    if not options.data:
        return
    spec, corpus = make_family(family).spec, Path(options.corpus) if options.corpus else None
    data, held_out = (
        open_source(options.data, spec.side, seed=0, split=s, corpus=corpus)
        for s in (Split.TRAIN, Split.TEST)
    )
    if spec.classes:
        data = clustered(data, spec.classes, seed=0)
    yield from quality(family, recipe, data, held_out, options)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gan_gpu")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--families", default=DEFAULT, help=f"of {', '.join(RECIPES)}; default {DEFAULT}")
    parser.add_argument("--data", default="", help="cifar10, or a folder of photos; none: noise, speed only")
    parser.add_argument("--corpus", default="", help="the folder that holds train/cifar10")
    parser.add_argument("--seconds", type=float, default=45.0, help="of fitting per family")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--out", default="gan-gpu")
    options = parser.parse_args(arguments)
    try:
        if unknown := set(options.families.split(",")) - set(RECIPES):
            raise CorpusError(f"{min(unknown)} has no recipe for a GPU; {', '.join(RECIPES)} have")
        Path(options.out).mkdir(parents=True, exist_ok=True)
        with (Path(options.out) / "results.jsonl").open("a", encoding="utf-8") as f:
            for found in everything(options):
                text = json.dumps(found)
                print(text, flush=True)
                f.write(text + "\n")
    except (DetectorError, OSError) as e:
        print(e, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
