"""What holds for every row of the table: being listed is enough to be tested."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from detector.core.errors import FileFailed, ModelUnavailable, NotApplicable, OptionRefused
from detector.generators import FAMILIES, family_row, make_family
from detector.generators.family import Aligned, Family, Likelihood
from detector.generators.source import ImageSource
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.store import Fitted, GeneratorCard, card_of, dump_card, open_family, parse_card, save_family
from tests.conftest import ROOT

SIDE = 16
# Only what keeps one step short; the rest of a row's recipe stays as it is.
SMALL = {"width": 8, "batch": 6, "latent": 8}
NAMES = sorted(FAMILIES)


def small(name: str, **overrides) -> Family:
    return make_family(name, side=SIDE, **{**SMALL, **overrides})


def source(name: str, n: int = 9) -> ImageSource:
    rng = np.random.default_rng(3)
    channels = family_row(name).spec.channels
    images = rng.integers(0, 256, (n, SIDE, SIDE, channels), dtype=np.uint8)
    return ImageSource(name="noise", images=images, labels=np.arange(n) % 2, class_names=("a", "b"))


def bytes_of(family: Family) -> bytes:
    return b"".join(v.contiguous().numpy().tobytes() for v in family.state_dict().values())


def fitted(name: str, steps: int = 2, run=None) -> Family:
    family = small(name)
    fit(family, source(name), Budget(steps=steps), seed=1, run=run)
    return family


def drawn(family: Family, n: int = 3) -> np.ndarray | None:
    try:
        return Fitted(family).sample(n, 7)
    except NotApplicable:
        return None


@pytest.mark.parametrize("name", NAMES)
def test_a_family_can_draw_or_pass_a_picture_through_itself(name):
    family = fitted(name)
    sampled, pictures = drawn(family), source(name).images[:3]
    assert sampled is not None or isinstance(family, Aligned)
    if sampled is not None:
        assert (sampled.shape, sampled.dtype) == ((3, SIDE, SIDE, pictures.shape[3]), np.uint8)
    asked = Fitted(family)
    if isinstance(family, Aligned):
        passed = asked.reconstruct(pictures)
        assert (passed.shape, passed.dtype) == (pictures.shape, np.uint8)
    else:
        with pytest.raises(NotApplicable, match="cannot pass one through itself"):
            asked.reconstruct(pictures)
    if isinstance(family, Likelihood):
        nats = asked.log_prob(pictures)
        assert nats.shape == (3,)
        assert np.isfinite(nats).all()
    else:
        with pytest.raises(NotApplicable, match="how likely"):
            asked.log_prob(pictures)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_weights_also_after_an_interruption(name, tmp_path):
    whole = fitted(name, 3)
    fitted(name, 1, tmp_path)
    resumed = fitted(name, 3, tmp_path)
    assert bytes_of(resumed) == bytes_of(whole)
    a, b = drawn(whole), drawn(resumed)
    assert (a is None) == (b is None)
    assert a is None or (a == b).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_family_on_disk_is_the_family_that_was_fitted(name, tmp_path):
    family = small(name)
    budget = Budget(steps=1)
    result = fit(family, source(name), budget, seed=1)
    card = save_family(family, tmp_path, card_of(family.spec, source(name), budget, result))
    opened = open_family(tmp_path)
    assert opened.card == card
    assert bytes_of(opened.family) == bytes_of(family)
    before, after = drawn(family), drawn(opened.family)
    assert before is None or (before == after).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_names_its_paper_and_the_module_begins_with_its_year(name):
    row = family_row(name)
    assert row.spec.family == name
    assert row.spec.paper
    text = (ROOT / (row.module.replace(".", "/") + ".py")).read_text(encoding="utf-8").split('"""')[1]
    assert re.search(r"\b(19|20)\d\d\b", text)


def test_the_table_is_listed_without_torch():
    program = "import sys, detector.generators as g; print(len(g.FAMILIES), 'torch' in sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == [str(len(FAMILIES)), "False"]


def card() -> GeneratorCard:
    family = make_family("gan", side=8, width=4)
    images = np.zeros((2, 8, 8, 1), np.uint8)
    of = ImageSource(name="black", images=images)
    return card_of(family.spec, of, Budget(steps=1), fit(family, of, Budget(steps=1), seed=0))


def test_a_card_survives_writing_and_reading():
    one = dataclasses.replace(card(), weights_sha256="0" * 64)
    assert parse_card(dump_card(one)) == one


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.update(card_version=99),
        lambda raw: raw.pop("seed"),
        lambda raw: raw.update(more=1),
        lambda raw: raw["spec"].update(family="nobody"),
        lambda raw: raw["spec"].update(colour="blue"),
        lambda raw: raw["spec"].update(side=0),
        lambda raw: raw.update(weights_sha256="short"),
        lambda raw: raw.update(budget={}),
        lambda raw: raw.update(spec=[]),
    ],
    ids=["version", "missing", "unknown", "family", "setting", "side", "digest", "budget", "no spec"],
)
def test_a_card_that_says_something_else_is_refused(change):
    raw = json.loads(dump_card(dataclasses.replace(card(), weights_sha256="0" * 64)))
    change(raw)
    with pytest.raises(ModelUnavailable):
        parse_card(json.dumps(raw))


def saved(folder) -> None:
    family = make_family("gan", side=8, width=4)
    save_family(family, folder, dataclasses.replace(card(), spec=family.spec))


def test_weights_that_differ_from_their_card_are_not_read(tmp_path):
    saved(tmp_path)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelUnavailable, match="the card says"):
        open_family(tmp_path)


def test_a_folder_without_a_generator_is_one_sentence(tmp_path):
    with pytest.raises(ModelUnavailable, match="holds no generator"):
        open_family(tmp_path / "nothing")


def test_a_generator_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileFailed, match="cannot be written"):
        saved(tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda f: f.sample(0, 0), "at least one picture"),
        (lambda f: f.sample(1, -1), "a seed from 0"),
        (lambda f: f.sample(2, 0, np.array([0])), "for each of 2 pictures"),
        (lambda f: f.sample(1, 0, np.array([10])), "one of 10 classes"),
    ],
    ids=["none", "seed", "too few labels", "no such class"],
)
def test_a_question_that_makes_no_sense_is_one_sentence(ask, said):
    with pytest.raises(OptionRefused, match=said):
        ask(Fitted(small("biggan")))


def test_a_family_without_classes_is_not_asked_for_one():
    with pytest.raises(OptionRefused, match="knows no classes"):
        Fitted(small("dcgan")).sample(1, 0, np.array([0]))


def test_an_unknown_family_or_setting_is_one_sentence():
    with pytest.raises(ModelUnavailable, match="there is no family 'stylegan'"):
        make_family("stylegan")
    with pytest.raises(OptionRefused, match="has no setting depth"):
        make_family("dcgan", depth=3)


def test_a_sample_does_not_depend_on_the_threads_of_the_caller():
    family = fitted("dcgan")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = drawn(family)
        torch.set_num_threads(2)
        assert (drawn(family) == one).all()
    finally:
        torch.set_num_threads(before)
