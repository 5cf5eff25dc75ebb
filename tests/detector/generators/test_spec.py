"""What a family may be asked for, and how it is told."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from detector.core.errors import CorpusError, ModelUnavailable, OptionRefused
from detector.generators import FAMILIES, family_row, make_family, parse_settings, parse_spec
from detector.generators.families.pixelcnn import Pixelcnn


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("dcgan", {"side": 0}, "are at least 1"),
        ("dcgan", {"classes": -1}, "are at least 1"),
        ("dcgan", {"ema": 1.0}, "a decay in 0..1"),
        ("dcgan", {"learning_rate": 0.0}, "more than nothing"),
        ("dbm", {"learning_rate": -1.0}, "more than nothing"),
        ("r3gan", {"penalised": 0.0}, "a part of 1"),
        ("r3gan", {"gamma_last": -0.1}, "no gamma is negative"),
        ("flowmatch", {"patch": 3}, "patch divides side"),
        ("flowmatch", {"width": 12}, "8 divides width"),
        ("flowmatch", {"evaluations": 1}, "two evaluations"),
        ("wgan", {"batch": 8, "critic_steps": 3}, "equal parts"),
        ("biggan", {"critic_steps": 0}, "equal parts"),
        ("cyclegan", {"mode": "paint"}, "reconstruct or translate, not paint"),
        ("realnvp", {"scales": 6}, "halved once per scale"),
        ("realnvp", {"temperature": -1.0}, "no weight is negative"),
        ("recon", {"factor": 3}, "factor is 2, 4 or 8"),
        ("recon", {"levels": 1}, "two or more"),
        ("recon", {"adversarial": -0.1}, "no weight is negative"),
        ("dip", {"iterations": 0}, "one iteration or more"),
    ],
    ids=lambda v: v if isinstance(v, str) and " " not in v else "",
)
def test_a_setting_out_of_range_is_refused_in_the_name_of_its_family(
    name: str, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionRefused, match=f"^{name}: .*{said}"):
        replace(family_row(name).spec, **wrong)


def test_the_weights_of_a_seed_are_those_of_any_moment() -> None:
    first, again, other = (make_family("gan", seed=s, side=8, width=4).state_dict() for s in (3, 3, 4))
    assert all((first[k] == again[k]).all() for k in first)
    assert any((first[k] != other[k]).any() for k in first)


@pytest.mark.parametrize(
    ("name", "texts", "given"),
    [
        ("dcgan", ["width=8", "learning_rate=1e-3"], {"width": 8, "learning_rate": 1e-3}),
        ("biggan", ["few_labels=true"], {"few_labels": True}),
        ("vae", ["upsampler=shuffle"], {"upsampler": "shuffle"}),
        ("vae", [], {}),
    ],
    ids=["numbers", "switch", "word", "nothing"],
)
def test_settings_are_read_in_the_kind_of_their_field(
    name: str, texts: list[str], given: dict[str, Any]
) -> None:
    assert parse_settings(name, texts) == given


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("dcgan", "width", "is no setting of dcgan"),
        ("dcgan", "side=8", "is no setting"),
        ("dcgan", "upsampler=nearest", "is no setting"),
        ("dcgan", "width=many", "of the kind int"),
        ("dcgan", "learning_rate=nan", "of the kind float"),
        ("biggan", "few_labels=yes", "true or false"),
    ],
    ids=["no value", "decided by the data", "fixed", "no number", "not finite", "no switch"],
)
def test_another_setting_or_kind_is_one_sentence(name: str, text: str, said: str) -> None:
    with pytest.raises(OptionRefused, match=said):
        parse_settings(name, [text])


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_spec_comes_back_from_its_fields_and_from_no_others(name: str) -> None:
    spec = family_row(name).spec
    assert parse_spec(asdict(spec)) == spec
    for raw in (asdict(spec) | {"colour": 1}, {k: v for k, v in asdict(spec).items() if k != "side"}):
        with pytest.raises(OptionRefused, match="has exactly the fields"):
            parse_spec(raw)


def test_a_family_that_nobody_wrote_has_no_row() -> None:
    with pytest.raises(ModelUnavailable, match="no family 'nobody'"):
        parse_settings("nobody", [])
    with pytest.raises(KeyError):
        parse_spec({})


def test_what_the_networks_cannot_be_made_of_is_refused() -> None:
    for name, wrong, said in (
        ("pixelcnn", {"channels": 3}, "draws grey pictures"),
        ("biggan", {"classes": 0}, "give it classes"),
        ("vae", {"upsampler": "magic"}, "no upsampler 'magic'"),
        ("cyclegan", {"mode": "translate", "classes": 3}, "between two classes"),
    ):
        with pytest.raises(OptionRefused, match=said):
            make_family(name, **wrong)


def test_a_family_takes_pictures_and_labels_of_its_spec_only() -> None:
    import numpy as np

    from detector.generators.source import ImageSource

    def of(side: int, labels: list[int] | None = None) -> ImageSource:
        images = np.zeros((2, side, side, 1), np.uint8)
        return ImageSource(name="two", images=images, labels=None if labels is None else np.array(labels))

    grey = make_family("biggan", side=8, channels=1, width=4, classes=2)
    grey.accept(of(8, [0, 1]))
    for wrong, said in (
        (of(9, [0, 1]), r"wants pictures of \(8, 8, 1\), two has \(9, 9, 1\)"),
        (of(8), "two has no labels"),
        (of(8, [0, 2]), "not one of 2 classes"),
        (of(8, [0, -2]), "not one of 2 classes"),
        (of(8, [0, -1]), "few_labels=True infers them"),
    ):
        with pytest.raises(CorpusError, match=said):
            grey.accept(wrong)
    assert isinstance(make_family("pixelcnn", side=8, width=4), Pixelcnn)
