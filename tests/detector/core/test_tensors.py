"""State as tensors by name, the moving average of weights, and one thread for numbers that come again."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from detector.core.average import Average
from detector.core.tensors import load_optimiser, named, optimiser_tensors, under
from detector.core.threads import one_thread

OPTIMISERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "adam": lambda net: torch.optim.Adam(net.parameters(), lr=0.01),
    "amsgrad": lambda net: torch.optim.AdamW(net.parameters(), lr=0.01, amsgrad=True),
    "momentum": lambda net: torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9),
    "plain": lambda net: torch.optim.SGD(net.parameters(), lr=0.01),
}


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def steps(net: nn.Module, optimiser: torch.optim.Optimizer, count: int, seed: int = 1) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        optimiser.zero_grad()
        net(torch.randn(8, 3, generator=generator)).square().mean().backward()
        optimiser.step()


def test_names_are_put_under_a_prefix_and_found_there_again():
    tensors = {"a": torch.ones(1), "b.c": torch.zeros(2)}
    both = named("net.", tensors) | named("average.", tensors)
    assert sorted(both) == ["average.a", "average.b.c", "net.a", "net.b.c"]
    assert under("net.", both) == tensors
    assert under("none.", both) == {}


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_an_optimiser_goes_on_as_if_it_had_never_been_stored(kind: str):
    net = network()
    optimiser = OPTIMISERS[kind](net)
    steps(net, optimiser, 3)
    again = copy.deepcopy(net)
    stored = {name: tensor.clone() for name, tensor in optimiser_tensors(optimiser).items()}
    restored = OPTIMISERS[kind](again)
    load_optimiser(restored, stored)
    steps(net, optimiser, 2, seed=5)
    steps(again, restored, 2, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_what_is_stored_of_an_optimiser_is_tensors_by_number_and_name(kind: str):
    net = network()
    optimiser = OPTIMISERS[kind](net)
    assert optimiser_tensors(optimiser) == {}
    steps(net, optimiser, 1)
    for name, tensor in optimiser_tensors(optimiser).items():
        number, _, what = name.partition(".")
        assert isinstance(tensor, torch.Tensor), name
        assert what, name
        assert int(number) < len(list(net.parameters()))


def test_the_first_steps_count_for_less_so_that_initial_weights_are_soon_forgotten():
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = Average(net, decay=0.999)
    nn.init.ones_(net.weight)
    expected = 0.0
    for step in range(5):
        average.update(step)
        expected += (1 - expected) * (1 - (1 + step) / (10 + step))
        assert average.tensors["weight"].item() == pytest.approx(expected)


def test_late_steps_count_as_the_decay_says():
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = Average(net, decay=0.9)
    nn.init.ones_(net.weight)
    average.update(10_000)
    assert average.tensors["weight"].item() == pytest.approx(0.1)


def test_counters_are_copied_and_not_averaged():
    net = network()
    average = Average(net, decay=0.5)
    net(torch.randn(8, 3))
    average.update(0)
    assert average.tensors["1.num_batches_tracked"].item() == 1


def test_the_average_is_put_in_place_of_the_weights():
    net = network()
    average = Average(net, decay=0.5)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with torch.no_grad():
        net[0].weight += 1
    average.put_in_place()
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_an_average_can_be_kept_in_a_copy_of_the_module():
    net, kept = network(), network(seed=3)
    average = Average(net, decay=0.0, into=kept)
    average.update(100)
    assert torch.equal(kept[0].weight, net[0].weight)


def test_without_decay_nothing_is_kept_and_nothing_put_in_place():
    net = network()
    average = Average(net, decay=0.0)
    weight = net[0].weight.detach().clone()
    average.update(1)
    average.put_in_place()
    assert average.tensors == {}
    assert torch.equal(net[0].weight, weight)


@pytest.mark.parametrize("breaks", [False, True])
def test_one_thread_is_given_back_even_after_a_failure(breaks: bool):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError) if breaks else one_thread(), one_thread():
            assert torch.get_num_threads() == 1
            if breaks:
                raise RuntimeError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
