"""The trainer: budgets, interruption, averaging; on the smallest family there is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.average import Average
from detector.core.errors import FileDamaged, FitFailed, FolderTaken, LabError, OptionRefused
from detector.generators import make_family
from detector.generators.family import Family
from detector.generators.source import ImageSource
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.checkpoint import read_log
from detector.zoo.fitting.device import fastest_precision
from detector.zoo.fitting.fit import FitResult, fit, step_rng
from tests.conftest import ROOT
from tests.waiting import PATIENCE_S

STEPS = Budget(steps=6)


def source(n: int = 12, side: int = 8, seed: int = 0) -> ImageSource:
    images = np.random.default_rng(seed).integers(0, 256, (n, side, side, 1), dtype=np.uint8)
    return ImageSource(name="noise", images=images)


def small(**overrides) -> Family:
    return make_family("gan", side=8, width=8, latent=4, batch=8, ema=0.9, **overrides)


def weights_of(family: Family) -> bytes:
    return b"".join(v.numpy().tobytes() for v in family.state_dict().values())


def fitted(run: Path | None = None, budget: Budget = STEPS, seed: int = 0, **more) -> tuple[bytes, FitResult]:
    family = small()
    result = fit(family, source(), budget, seed=seed, run=run, **more)
    return weights_of(family), result


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    assert fitted()[0] == fitted()[0]
    assert fitted()[0] != fitted(seed=1)[0]


def test_a_fit_leaves_the_threads_and_the_global_chance_of_its_caller_alone():
    torch.manual_seed(5)
    threads, expected = torch.get_num_threads(), torch.initial_seed()
    fitted()
    assert (torch.get_num_threads(), torch.initial_seed()) == (threads, expected)


def test_a_fit_with_a_larger_budget_goes_on_to_the_same_bytes(tmp_path):
    whole, result = fitted(tmp_path / "whole")
    fitted(tmp_path / "cut", Budget(steps=3))
    resumed, again = fitted(tmp_path / "cut")
    assert again.steps == result.steps == 6
    assert resumed == whole


def test_a_finished_fit_is_not_done_again(tmp_path):
    whole, result = fitted(tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    again, second = fitted(tmp_path)
    assert (again, second.steps, second.losses) == (whole, result.steps, result.losses)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


PROGRAM = """
import sys, time, pathlib
import detector.zoo.fitting.fit as f
from tests.detector.zoo.test_fit import small, source, weights_of
from detector.zoo.fitting.budget import Budget
f.WINDOW_STEPS, f.CHECKPOINT_SECONDS = 5, 0.0
family = small()
f.fit(family, source(), Budget(steps=int(sys.argv[2])), seed=0, run=pathlib.Path(sys.argv[1]),
      report=lambda p: print(p.steps, flush=True))
"""


def begun(run: Path, steps: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(run), str(steps)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_a_fit_that_was_ended_by_a_signal_resumes_to_the_same_bytes(tmp_path, number):
    process = begun(tmp_path, 100_000)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE_S)
    code = process.returncode
    assert code == -number or (number == signal.SIGINT and code in {130, 1, -2})
    done = read_log(tmp_path)[-1]["steps"]
    total = done + 40
    resumed, result = fitted(tmp_path, Budget(steps=total))
    assert result.steps == total
    assert resumed == fitted(budget=Budget(steps=total))[0]


def test_after_a_signal_the_one_who_listened_before_is_told(tmp_path):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda n, _f: heard.append(n))
    try:
        steps = []

        def stop(progress) -> None:
            steps.append(progress.steps)
            signal.raise_signal(signal.SIGTERM)

        fitted(tmp_path, Budget(steps=500), report=stop)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (heard, steps) == ([signal.SIGTERM], [50])
    assert (tmp_path / "checkpoint.safetensors").is_file()


def test_a_run_of_another_seed_source_or_family_is_refused(tmp_path):
    fitted(tmp_path, Budget(steps=1))
    with pytest.raises(FolderTaken, match="another family, seed or source"):
        fitted(tmp_path, seed=1)
    with pytest.raises(FolderTaken, match="another family, seed or source"):
        fit(small(), source(seed=9), STEPS, seed=0, run=tmp_path)
    with pytest.raises(FolderTaken, match="another family, seed or source"):
        fit(make_family("gan", side=8, width=9), source(), STEPS, seed=0, run=tmp_path)


def test_a_damaged_checkpoint_is_one_sentence(tmp_path):
    fitted(tmp_path, Budget(steps=1))
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FileDamaged, match="cannot be used"):
        fitted(tmp_path)


def test_lines_of_the_log_after_the_checkpoint_are_cut_off(tmp_path):
    fitted(tmp_path, Budget(steps=2))
    with (tmp_path / "log.jsonl").open("a") as f:
        f.write('{"steps": 50, "losses": {}}\n{"steps": 10')
    fitted(tmp_path, Budget(steps=4))
    assert [line["steps"] for line in read_log(tmp_path)] == [2, 4]


def test_a_budget_in_cpu_seconds_ends_the_fit():
    before = time.process_time()
    result = fitted(budget=Budget(cpu_seconds=0.3))[1]
    assert result.steps > 0
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Budget(), "needs a number of steps"),
        (lambda: Budget(steps=0), "more than nothing"),
        (lambda: fit(small(), source(side=9), STEPS, seed=0), "wants pictures of"),
        (lambda: fit(small(), source(), STEPS, seed=-1), "a seed is a number from 0"),
        (lambda: fit(small(), source(), STEPS, seed=0, device="tpu"), "no device that generators"),
        (lambda: fit(make_family("biggan", channels=1), source(side=32), STEPS, seed=0), "has no labels"),
    ],
    ids=["no budget", "empty budget", "wrong side", "negative seed", "unknown device", "no labels"],
)
def test_what_cannot_be_is_one_sentence(make, said):
    with pytest.raises(LabError, match=said):
        make()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_one_sentence():
    with pytest.raises(OptionRefused, match="no CUDA device"):
        fit(small(), source(), STEPS, seed=0, device="cuda")


def test_a_device_whose_memory_is_full_is_one_sentence():
    class Large(type(small())):
        def fake(self, draws):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80 GiB")

    with pytest.raises(FitFailed, match="gan does not fit into the memory of cpu; a smaller side"):
        fit(Large(small().spec), source(), STEPS, seed=0)


def test_a_fit_that_diverges_says_so_and_keeps_its_last_checkpoint(tmp_path):
    class Broken(type(small())):
        def generator_loss(self, real, fake, labels, draws):
            return {"generator": super().generator_loss(real, fake, labels, draws)["generator"] * torch.inf}

    torch.manual_seed(0)
    with pytest.raises(FitFailed, match="diverged before step 3"):
        fit(Broken(small().spec), source(), Budget(steps=3), seed=0, run=tmp_path)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_the_average_follows_its_formula():
    module = torch.nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(1.0)
    average = Average(module, 0.9)
    module.weight.data.fill_(3.0)
    average.update(0)
    # min(0.9, 1/10) = 0.1 of the old value is kept
    assert float(average.tensors["weight"]) == pytest.approx(0.1 * 1 + 0.9 * 3)
    average.put_in_place()
    assert float(module.weight.detach()) == pytest.approx(2.8)


def test_neighbouring_seeds_and_steps_draw_differently():
    drawn = {float(torch.rand((), generator=step_rng(s, t))) for s in range(5) for t in range(5)}
    assert len(drawn) == 25


def test_the_precision_of_a_machine_is_always_the_same():
    assert fastest_precision(torch.device("cpu")) in {"float32", "bfloat16"}
    assert fastest_precision(torch.device("cpu")) == fastest_precision(torch.device("cpu"))


def test_mirrored_pictures_are_drawn_only_from_a_source_that_allows_it():
    from detector.zoo.fitting.batches import Batches

    images = np.zeros((1, 8, 8, 1), np.uint8)
    images[0, :, 0] = 255
    spec = small().spec
    for mirrors, expected in ((False, {0}), (True, {0, 7})):
        batches = Batches(ImageSource(name="x", images=images, mirrors=mirrors), spec, torch.device("cpu"))
        x, _ = batches.draw(step_rng(0, 0))
        assert {int(column) for column in x[:, 0, 0].argmax(1)} == expected


def batches_of(classes: int, count: int, **more):
    """Each picture is of one tone, ten times its label."""
    from detector.zoo.fitting.batches import Batches

    labels = np.arange(count) % classes
    tones = np.broadcast_to(10 * labels[:, None, None, None], (count, 8, 8, 1)).astype(np.uint8)
    spec = make_family("dcgan", side=8, channels=1, width=4, classes=classes, batch=64).spec
    source = ImageSource(name="tones", images=tones, labels=labels)
    x, labels = Batches(source, spec, torch.device("cpu"), **more).draw(step_rng(0, 0))
    return ((x[:, 0, 0, 0] + 1) * 127.5).round().long(), labels


def test_a_label_stays_with_its_picture_in_a_batch():
    tones, labels = batches_of(5, 40)
    assert torch.equal(tones, 10 * labels)
    assert set(labels.tolist()) == set(range(5))


def test_of_two_sources_each_is_half_of_every_batch_the_first_one_first():
    tones, labels = batches_of(2, 9, balanced=True)
    assert labels.tolist() == [0] * 32 + [1] * 32
    assert torch.equal(tones, 10 * labels)


def test_the_rate_of_a_step_is_the_first_rate_times_what_the_family_says_also_after_going_on(tmp_path):
    rates = []

    class Fading(type(small())):
        def rate(self, part: float) -> float:
            return 1 - part

        def step(self, optimisers, *given):
            rates.append(optimisers[0].param_groups[0]["lr"])
            return super().step(optimisers, *given)

    for steps in (4, 8):
        torch.manual_seed(0)
        fit(Fading(small().spec), source(), Budget(steps=steps), seed=0, run=tmp_path)
    first = small().spec.learning_rate
    expected = [first * (1 - k / 4) for k in range(4)] + [first * (1 - k / 8) for k in range(4, 8)]
    assert rates == pytest.approx(expected)


def test_a_line_of_the_log_is_the_mean_of_the_losses_since_the_last(tmp_path):
    class Counting(type(small())):
        taken = 0

        def step(self, *given):
            self.taken += 1
            return {"taken": torch.tensor(float(self.taken))}

    torch.manual_seed(0)
    fit(Counting(small().spec), source(), Budget(steps=120), seed=0, run=tmp_path)
    lines = [(line["steps"], line["images"], line["losses"]["taken"]) for line in read_log(tmp_path)]
    assert lines == [(50, 400, 25.5), (100, 800, 75.5), (120, 960, 110.5)]
