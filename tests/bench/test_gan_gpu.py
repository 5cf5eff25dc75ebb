"""The GPU benchmark runs; what it measures on a CPU is nobody's claim about a GPU."""

from __future__ import annotations

import json

import pytest
import torch

from detector.gan.flops import flops_per_picture
from tests.bench.gan_gpu import RECIPES, main


def test_the_benchmark_measures_and_compares_both_ways_of_a_step(tmp_path, capsys):
    code = main(["--device", "cpu", "--families", "dcgan", "--out", str(tmp_path)])
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [(x["kind"], x.get("step")) for x in lines] == [
        ("machine", None), ("check", None), ("speed", "plain"), ("speed", "recorded"),
    ]  # fmt: skip
    assert lines[1]["largest_difference"] == 0
    assert all(x["pictures_per_s"] > 0 and x["mfu_of_measured_peak"] > 0 for x in lines[2:])
    assert [json.loads(t) for t in (tmp_path / "results.jsonl").read_text().splitlines()] == lines


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_the_benchmark_says_so(tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 4
    assert "no CUDA device" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_recipes_for_a_gpu_are_wide_enough_for_it_and_larger_than_those_for_a_core(name):
    assert RECIPES[name]["width"] % 64 == 0
    assert flops_per_picture(name, **RECIPES[name]) > 2 * flops_per_picture(name)
