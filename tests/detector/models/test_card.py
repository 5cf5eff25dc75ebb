"""A card is data: it comes back as it was, and anything else is refused in one sentence."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from detector.core.errors import FileFailed, ModelUnavailable
from detector.models import card as cards
from detector.models.card import ModelCard, dump_card, open_card, parse_card
from detector.models.given import Given
from detector.models.guarantees import Certified, Earned, Guarantees
from detector.models.kinds import Kind
from detector.models.registry import MODELS, SEMANTIC_MODEL, model_files
from detector.models.semantic import open_semantic
from detector.models.weights import checked_bytes, load_network, read_weights, save_tensors, shipped_tensors

FIRST = "traces-1"  # whose card has no guarantees
TEXT = dump_card(open_card(FIRST))
PARTS = ["calibration", "operating_point", "sets", "evaluation", "preprocessing", "left_out"]
PLACES = [field.name for field in fields(ModelCard)]
MAY_LACK = {
    "network", "domain_limit", "recipe", "guarantees", "judged", "tested", "cost", "attack", "backbone",
    "seen",
}  # fmt: skip


def changed(**values: Any) -> str:
    return json.dumps(json.loads(TEXT) | values)


@pytest.mark.parametrize("model_id", MODELS)
def test_the_shipped_text_is_what_the_card_writes(model_id: str):
    path, _ = model_files(model_id)
    assert dump_card(open_card(model_id)) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [n for n in PLACES if n not in MAY_LACK])
def test_a_card_that_lacks_a_field_is_refused(name: str):
    raw = json.loads(TEXT)
    del raw[name]
    with pytest.raises(ModelUnavailable, match="malformed"):
        parse_card(json.dumps(raw))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(PARTS),
    value=st.one_of(
        st.integers(), st.text(min_size=1), st.lists(st.integers(), min_size=1), st.just({"x": 1})
    ),
)
def test_a_part_of_another_form_is_refused(name: str, value: object):
    with pytest.raises(ModelUnavailable):
        parse_card(changed(**{name: value}))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_card_that_was_cut_or_scratched_is_a_card_or_a_typed_error(data: st.DataObject):
    at = data.draw(st.integers(0, len(TEXT) - 1))
    text = TEXT[:at] + data.draw(st.sampled_from(["", "}", '"', "null", "9", TEXT[at + 1 :]]))
    with suppress(ModelUnavailable):
        assert isinstance(parse_card(text), ModelCard)


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_a_card_of_another_version_says_which(version: object):
    with pytest.raises(ModelUnavailable, match=f"has version {version}; this program reads up to 2"):
        parse_card(changed(card_version=version))


def test_a_card_of_the_first_version_is_read_and_has_no_guarantees():
    first = parse_card(changed(card_version=1))
    assert first == parse_card(TEXT)
    assert (first.guarantees, first.judged, first.calibration.given) == (None, (), None)


CERTIFIED = Certified(
    kind=Kind.ART, goal=0.02, sure=0.95, log10_ratio=1.25, pictures=300, sources=21, false=1, bound=0.0157,
    by_source=0.0199,
)  # fmt: skip
EARNED = Earned(
    kind=Kind.PHOTO, min_side=400, max_side=None, log10_ratio=-0.9, bound=0.31, worst=0.2, sure=0.95,
    pictures=900, sources=40, generated=700, generators=30,
)  # fmt: skip
GIVEN = Given(
    centre=0.5, scale=2.0, terms=("size", "art"), flat=("art",), weights=(1.0, -0.5, 0.1, 0.2, 0.0),
    covariance=tuple(tuple(float(i == j) / 100 for i in range(5)) for j in range(5)), sides=(200.0, 2000.0),
    qualities=(50.0, 100.0), items=(("photo", 900, 700), ("art", 300, 200)),
)  # fmt: skip


def test_guarantees_come_back_as_they_were():
    guarantees = Guarantees(
        kind_limit=0.5,
        supports=(CERTIFIED, replace(CERTIFIED, kind=None, log10_ratio=None)),
        against=(EARNED,),
    )
    whole = open_card(FIRST)
    line = replace(whole.calibration, given=GIVEN)
    card = replace(whole, guarantees=guarantees, calibration=line, cost="1 s")
    found = parse_card(dump_card(card))
    assert found == card
    assert found.guarantees is not None
    assert found.guarantees.supports[0].kind is Kind.ART


def test_a_kind_that_is_none_is_refused():
    guarantees = Guarantees(kind_limit=0.5, supports=(CERTIFIED,), against=())
    text = dump_card(replace(open_card(FIRST), guarantees=guarantees))
    with pytest.raises(ModelUnavailable, match="malformed"):
        parse_card(text.replace('"kind": "art"', '"kind": "painting"'))


def in_the_table(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(cards, "model_files", lambda _id: (path, path))


def test_a_card_that_is_missing_no_text_or_anothers_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "card.json"
    in_the_table(monkeypatch, path)
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        open_card(FIRST)
    path.write_bytes(b"\xff")
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        open_card(FIRST)
    path.write_text(changed(model_id="x" * 99), encoding="utf-8")
    with pytest.raises(ModelUnavailable, match=rf"the card says 'x{{60}}', the table '{FIRST}'"):
        open_card(FIRST)


def card_for(data: bytes, **values: Any) -> ModelCard:
    from hashlib import sha256

    return parse_card(changed(weights_sha256=sha256(data).hexdigest(), **values))


def test_weights_are_read_as_numbers_only_when_their_digest_is_the_cards(tmp_path: Path):
    data = save({"bias": np.array([1.5], np.float32)})
    path = tmp_path / "w"
    path.write_bytes(data)
    assert checked_bytes(card_for(data), path) == data
    assert read_weights(card_for(data), path)["bias"].tolist() == [1.5]
    path.write_bytes(data + b" ")
    with pytest.raises(ModelUnavailable, match="digest"):
        read_weights(card_for(data), path)
    with pytest.raises(ModelUnavailable, match="no tensors"):
        path.write_bytes(b"nothing")
        read_weights(card_for(b"nothing"), path)


def test_a_network_that_is_not_here_is_named(tmp_path: Path):
    (tmp_path / "w").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match="names a network 'transformer' that is not here"):
        load_network(card_for(b"", network="transformer"), tmp_path / "w")


def test_weights_with_a_tensor_too_many_do_not_fit(tmp_path: Path):
    import torch

    _, shipped = model_files(FIRST)
    network = load_network(open_card(FIRST), shipped)
    more = dict(network.state_dict()) | {"second.head": torch.zeros(1)}
    save_tensors(more, tmp_path / "w")
    with pytest.raises(ModelUnavailable, match="do not fit"):
        load_network(card_for((tmp_path / "w").read_bytes()), tmp_path / "w")


def test_what_is_shipped_serves_scoring_and_not_training(tmp_path: Path):
    from hashlib import sha256

    from detector.networks.traces import TraceNet

    kept = shipped_tensors(TraceNet(2, 8, sources=3, codecs=4))
    assert {"family.weight", "domain_mean"} <= set(kept)
    assert not [name for name in kept if name.startswith(("source.", "codec."))]
    digest = save_tensors(kept, tmp_path / "w")
    assert digest == sha256((tmp_path / "w").read_bytes()).hexdigest()
    with pytest.raises(FileFailed):
        save_tensors(kept, tmp_path / "w" / "below")


def test_a_head_without_its_parts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = save({"mean": np.zeros(3, np.float32)})
    (tmp_path / "w").write_bytes(data)
    import detector.models.semantic as semantic

    monkeypatch.setattr(semantic, "open_card", lambda _id: card_for(data))
    monkeypatch.setattr(semantic, "model_files", lambda _id: (tmp_path / "none", tmp_path / "w"))
    with pytest.raises(ModelUnavailable, match="hold no"):
        open_semantic(SEMANTIC_MODEL, tmp_path / "no encoder")
