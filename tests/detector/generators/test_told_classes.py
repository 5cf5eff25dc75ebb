"""Families that can be told classes: what is drawn of a class looks like that class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from detector.core.errors import CorpusError, NotApplicable
from detector.generators import make_family
from detector.generators.family import Family
from detector.generators.source import ImageSource
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.union.samples import TOLD_CLASSES

SMALL = {"side": 16, "channels": 1, "width": 8, "latent": 8, "batch": 16, "classes": 2, "ema": 0.5}
STEPS = {"biggan": 40, "dcgan": 60, "flowmatch": 60, "vae": 60}


def dark_and_bright(labels: list[int]) -> ImageSource:
    rng = np.random.default_rng(0)
    told = np.array(labels, np.int64)
    images = 40 + 170 * told[:, None, None, None] + rng.integers(-20, 20, (len(told), 16, 16, 1))
    return ImageSource(name="tones", images=images.astype(np.uint8), labels=told)


def fitted(name: str, steps: int) -> Family:
    family = make_family(name, seed=1, **_settings(name))
    fit(family, dark_and_bright([0, 1] * 16), Budget(steps=steps), seed=1)
    return family


def _settings(name: str) -> dict[str, Any]:
    return SMALL | ({"width": 4} if name == "biggan" else {})


@pytest.mark.parametrize("name", TOLD_CLASSES)
def test_what_is_drawn_of_a_class_looks_like_it(name: str) -> None:
    family = fitted(name, STEPS[name])
    dark, bright = (
        family.draw(16, torch.Generator().manual_seed(3), torch.full((16,), c)).mean((1, 2, 3))
        for c in (0, 1)
    )
    assert (bright > dark).float().mean() > 0.9
    assert bright.mean() - dark.mean() > 0.3


@pytest.mark.parametrize("name", TOLD_CLASSES)
def test_where_no_class_is_named_chance_names_them(name: str) -> None:
    family = fitted(name, 1)
    with torch.no_grad():
        once, again = (family.draw(6, torch.Generator().manual_seed(5)) for _ in range(2))
    assert once.shape == (6, 1, 16, 16)
    assert (once == again).all()


@pytest.mark.parametrize("name", ["dcgan", "vae"])
def test_a_label_that_nobody_named_is_refused_by_a_family_that_infers_none(name: str) -> None:
    with pytest.raises(CorpusError, match="is not one of 2 classes"):
        fit(make_family(name, **SMALL), dark_and_bright([0, 1, -1, 1]), Budget(steps=1), seed=0)


def test_a_vae_that_was_told_classes_cannot_say_what_a_picture_without_one_is_worth() -> None:
    family = make_family("vae", **SMALL)
    for asked in ("reconstruct", "log_prob"):
        with pytest.raises(NotApplicable, match="learned classes; it can only draw"):
            getattr(family, asked)(torch.zeros(2, 1, 16, 16))
