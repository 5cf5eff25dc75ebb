"""What a fit keeps: everything comes back in place, and what is of another fit does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from detector.core.average import Average
from detector.core.errors import FileDamaged, FileFailed, FolderTaken
from detector.zoo.fitting.checkpoint import Log, Position, claim, load_checkpoint, read_log, save_checkpoint

AT = Position(steps=7, images=70, cpu_seconds=0.1 + 0.2, wall_seconds=1e-9)


class State:
    """A network that has taken two steps, its average and its optimiser."""

    def __init__(self, seed: int, side: int = 3) -> None:
        torch.manual_seed(seed)
        self.net = torch.nn.Sequential(torch.nn.Linear(side, 2), torch.nn.BatchNorm1d(2))
        self.average = Average(self.net, 0.9)
        self.optimisers = (torch.optim.Adam(self.net.parameters(), 0.1),)
        for step in range(2):
            self.optimisers[0].zero_grad()
            self.net(torch.rand(4, side)).square().sum().backward()
            self.optimisers[0].step()
            self.average.update(step)

    def save(self, run: Path, at: Position = AT) -> None:
        save_checkpoint(run, at, self.net, self.average.tensors, self.optimisers)

    def load(self, run: Path) -> Position | None:
        return load_checkpoint(run, self.net, self.average.tensors, self.optimisers)

    def tensors(self) -> list[torch.Tensor]:
        moments = [v for s in self.optimisers[0].state.values() for _, v in sorted(s.items())]
        return [
            v.clone() for v in (*self.net.state_dict().values(), *self.average.tensors.values(), *moments)
        ]


def test_networks_averages_moments_and_the_place_come_back_to_the_bit(tmp_path: Path) -> None:
    one, other = State(0), State(1)
    one.save(tmp_path)
    assert any(not torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))
    assert other.load(tmp_path) == AT
    assert all(torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))


def test_before_the_first_checkpoint_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    assert State(0).load(tmp_path) is None


def test_a_checkpoint_of_another_network_or_version_is_not_used(tmp_path: Path) -> None:
    State(0, side=4).save(tmp_path)
    with pytest.raises(FileDamaged, match="fit again"):
        State(0).load(tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / "checkpoint.safetensors", {"format": "other"})
    with pytest.raises(FileDamaged, match="not a checkpoint of this version"):
        State(0).load(tmp_path)


def test_weights_that_are_tied_are_kept_too(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    net[1].weight = net[0].weight
    save_checkpoint(tmp_path, Position(), net, {}, ())
    assert load_checkpoint(tmp_path, net, {}, ()) == Position()


def test_a_folder_belongs_to_the_first_fit_that_claims_it(tmp_path: Path) -> None:
    claim(tmp_path / "run", {"seed": 1, "spec": {"side": 8}})
    claim(tmp_path / "run", {"spec": {"side": 8}, "seed": 1})
    with pytest.raises(FolderTaken, match="run was begun with another"):
        claim(tmp_path / "run", {"seed": 2, "spec": {"side": 8}})


def test_a_log_without_a_folder_is_nowhere_and_a_folder_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    nowhere = Log(None)
    nowhere.add({"steps": 1})
    nowhere.cut(0)
    with pytest.raises(FileFailed, match="cannot be written"):
        Log(tmp_path / "gone").add({"steps": 1})
    Log(tmp_path / "gone").cut(0)
    assert list(tmp_path.iterdir()) == []


def test_a_log_is_cut_to_the_steps_of_the_checkpoint(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for steps in (50, 100, 150):
        log.add({"steps": steps, "losses": {}})
    log.cut(100)
    assert [line["steps"] for line in read_log(tmp_path)] == [50, 100]
    (tmp_path / "log.jsonl").write_text('{"steps": 1}\n[2]\n{"steps": 3}\n')
    assert read_log(tmp_path) == [{"steps": 1}]
