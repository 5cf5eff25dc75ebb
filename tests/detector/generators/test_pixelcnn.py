from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from detector.core.errors import OptionRefused
from detector.generators.families.pixelcnn import Pixelcnn, PixelNet
from detector.generators.spec import Spec
from tests.detector.generators.made import sixteen, train

SMALL = Spec(family="pixelcnn", side=10, channels=1, width=16, batch=16)
TINY = Spec(family="pixelcnn", side=2, channels=1, width=6, batch=16)


@torch.no_grad()
def test_the_probabilities_of_all_pictures_add_up_to_one():
    torch.manual_seed(0)
    family = Pixelcnn(TINY, values=3)
    for p in family.parameters():
        p.mul_(2)
    every = torch.tensor(list(itertools.product([-1.0, 0.0, 1.0], repeat=4))).view(81, 1, 2, 2)
    p = family.double().log_prob(every.double()).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-6)
    assert p.std() > 0.1 * p.mean()


def test_a_pixel_depends_on_all_pixels_before_it_and_on_no_other():
    torch.manual_seed(0)
    net = PixelNet(8, 4).double()
    side, row, column = 7, 3, 3
    x = torch.rand(1, 1, side, side, dtype=torch.double, requires_grad=True)
    net(x)[0, :, row, column].square().sum().backward()
    before = torch.arange(side**2).view(side, side) < row * side + column
    assert torch.equal(x.grad[0, 0] != 0, before)


@torch.no_grad()
def test_sixteen_pictures_become_likelier():
    x = sixteen(10, 1)
    family, log = train(Pixelcnn, SMALL, x, steps=40)
    assert log[0]["likelihood"] == pytest.approx(np.log(256), abs=0.2)  # it knows nothing yet
    assert log[-1]["likelihood"] < log[0]["likelihood"] - 1
    assert family.log_prob(x).mean() > family.log_prob(-x.flip(3)).mean()


@torch.no_grad()
def test_a_sample_follows_the_probabilities_that_the_network_gives():
    torch.manual_seed(0)
    family = Pixelcnn(TINY, values=2)
    for p in family.parameters():
        p.mul_(2)
    every = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4))).view(16, 1, 2, 2)
    expected = family.log_prob(every).exp()
    drawn = family.draw(4000, torch.Generator().manual_seed(1))
    places = ((drawn.flatten(1) > 0).long() * torch.tensor([8, 4, 2, 1])).sum(1)
    found = torch.bincount(places, minlength=16) / 4000
    assert (found - expected).abs().max() < 0.03
    assert expected.max() > 2 * expected.min()


@torch.no_grad()
def test_a_sample_drawn_column_by_column_is_what_the_whole_network_says_of_it():
    """Nothing is worked out twice, and each drawn value is the one that its full logits give."""
    torch.manual_seed(0)
    family = Pixelcnn(Spec(family="pixelcnn", side=14, channels=1, width=4), values=4)
    x = family.draw(2, torch.Generator().manual_seed(3))
    chance = torch.Generator().manual_seed(3)
    rows = torch.stack([torch.rand(2, 14, generator=chance) for _ in range(14)], 1)
    upto = family.net(x).softmax(1).cumsum(1)
    value = (upto < rows[:, None] * upto[:, -1:]).sum(1)
    assert torch.equal(value, ((x[:, 0] + 1) / 2 * 3).round().long())


@torch.no_grad()
def test_the_same_seed_gives_the_same_bytes():
    families = [train(Pixelcnn, SMALL, sixteen(10, 1), steps=2)[0] for _ in range(2)]
    a, b = (f.draw(2, torch.Generator().manual_seed(1)).numpy() for f in families)
    assert np.array_equal(a, b)


def test_colour_is_refused():
    with pytest.raises(OptionRefused, match="grey"):
        Pixelcnn(Spec(family="pixelcnn", channels=3))


@torch.no_grad()
def test_the_same_neighbours_at_another_place_foretell_another_pixel():
    """All that five layers see of two places in the middle of a blank picture is alike, but for the place."""
    torch.manual_seed(0)
    net, blank = PixelNet(4, 4).double(), torch.zeros(1, 1, 64, 48, dtype=torch.double)
    told = net(blank)[0, :, [30, 44], 24]
    assert (told[:, 0] - told[:, 1]).abs().max() > 1e-4
    net.planes = lambda x: torch.cat([x, torch.zeros_like(x), torch.zeros_like(x)], 1)
    told = net(blank)[0, :, [30, 44], 24]
    assert torch.allclose(told[:, 0], told[:, 1], atol=1e-12)
