"""Where a fit runs, and when it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from detector.core.errors import OptionRefused
from detector.generators import make_family
from detector.zoo.fitting import device
from detector.zoo.fitting.budget import Budget, budget_of
from detector.zoo.fitting.device import fastest_precision, open_device, settled


def test_a_name_is_a_device_that_is_here_or_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert open_device("cpu") == torch.device("cpu")
    with pytest.raises(OptionRefused, match="tpu is no device that generators"):
        open_device("tpu")
    with pytest.raises(OptionRefused, match="no CUDA device here"):
        open_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert open_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("avx2 avx512_bf16", "bfloat16"), ("amx_bf16 fma", "bfloat16"), ("avx2 fma", "float32")],
    ids=["avx512", "amx", "neither"],
)
def test_the_precision_is_read_from_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, precision: str
) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: fpu {flags}\n")
    monkeypatch.setattr(device, "Path", lambda _name: tmp_path / "cpuinfo")
    monkeypatch.setattr(device.platform, "system", lambda: "Linux")
    assert fastest_precision(torch.device("cpu")) == precision
    monkeypatch.setattr(device.platform, "system", lambda: "Plan 9")
    assert fastest_precision(torch.device("cpu")) == "float32"


def test_a_card_says_itself_whether_it_multiplies_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    for supported, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda s=supported: s)
        assert fastest_precision(torch.device("cuda")) == precision


def test_a_family_is_settled_where_it_was_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    family = settled(make_family("gan", side=8, width=4), torch.device("meta"))
    assert family.device.type == "meta"
    assert {p.device.type for p in family.parameters()} == {"meta"}


def test_seconds_are_those_of_the_processor_on_a_cpu_and_those_of_the_clock_elsewhere() -> None:
    assert budget_of(None, 9.0, "cpu") == Budget(cpu_seconds=9.0)
    assert budget_of(5, 9.0, "cuda") == Budget(steps=5, wall_seconds=9.0)
    assert budget_of(5, None, "cuda:1") == Budget(steps=5)
    for wrong in ({}, {"steps": 0}, {"steps": 3, "wall_seconds": -1.0}):
        with pytest.raises(OptionRefused, match="a budget"):
            Budget(**wrong)
