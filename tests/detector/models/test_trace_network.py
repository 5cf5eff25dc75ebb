"""The trace network as it ships: without the library it was trained with, and with the same numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.core.errors import ModelUnavailable
from detector.models.card import open_card
from detector.models.onnx_file import Graph, number, piece
from detector.models.onnx_session import open_session
from detector.models.registry import DEFAULT_MODEL, MODELS, model_files
from detector.models.trace_network import network_of
from detector.models.weights import checked_tensors, load_network, network_at, shipped_tensors
from detector.networks.traces import TraceNet, fake_score
from detector.pixels.residual import planes_of
from tests.detector.made import photo_like

ROOT = Path(__file__).parents[3]
SHIPPED = [m for m in MODELS if open_card(m).network == "traces"]


def crops_of_sides(height: int, width: int) -> np.ndarray:
    return np.stack([photo_like(height, width, seed) for seed in range(2)])


@pytest.mark.parametrize("sides", [(256, 256), (128, 128), (131, 129), (200, 201)])
@pytest.mark.parametrize("model_id", SHIPPED)
def test_features_logits_and_distances_are_those_of_the_trained_network(
    model_id: str, sides: tuple[int, int]
):
    card, path = open_card(model_id), model_files(model_id)[1]
    ours, theirs = network_at(card, path), load_network(card, path)
    crops = crops_of_sides(*sides)
    features = ours.features(crops)
    with torch.no_grad():
        expected = theirs.features(torch.from_numpy(crops.transpose(0, 3, 1, 2).copy()).float())
        logits = fake_score(theirs.family(expected))
        distance = theirs.distance(expected)
    assert np.abs(features - expected.numpy()).max() < 1e-3
    assert np.abs(ours.logits(features) - logits.numpy()).max() < 1e-3
    assert np.abs(ours.distance(features) - distance.numpy()).max() < 1e-3


def test_any_width_and_number_of_families_runs():
    torch.manual_seed(0)
    net = TraceNet(3, 8, sources=2, codecs=2).eval()
    ours = network_of({k: v.numpy() for k, v in shipped_tensors(net).items()})
    crops = crops_of_sides(64, 70)
    with torch.no_grad():
        expected = fake_score(net(torch.from_numpy(crops.transpose(0, 3, 1, 2).copy()).float()))
    assert ours.logits(ours.features(crops)) == pytest.approx(expected.numpy(), abs=1e-3)


def test_the_same_picture_gives_the_same_numbers_again_and_beside_others():
    network = network_at(open_card(DEFAULT_MODEL), model_files(DEFAULT_MODEL)[1])
    crops = crops_of_sides(128, 128)
    both = network.features(crops)
    assert (network.features(crops) == both).all()
    assert (network.features(crops[1:]) == both[1:]).all()


@pytest.mark.parametrize("name", ["stem.weight", "blocks.2.norm2.running_var", "family.bias", "domain_scale"])
def test_tensors_that_lack_one_or_have_another_shape_are_refused(name: str):
    tensors = checked_tensors(open_card(DEFAULT_MODEL), model_files(DEFAULT_MODEL)[1])
    with pytest.raises(ModelUnavailable, match="not those of a trace network"):
        network_of({k: v for k, v in tensors.items() if k != name})
    with pytest.raises(ModelUnavailable, match="not those of a trace network"):
        network_of(tensors | {name: np.zeros((3, 5), np.float32)})


def test_planes_are_luma_colour_and_what_the_upper_left_neighbour_does_not_say():
    crop = np.zeros((1, 3, 5, 3), np.uint8)
    crop[0, :, :, 0] = 200
    crop[0, 1, 1] = 100
    luma, colour, near = planes_of(crop)[0]
    assert luma[0, 0] == pytest.approx(59.8)
    assert colour[0, 0] == 200
    assert colour[1, 1] == 0
    assert near[1, 1] == pytest.approx(100 - 59.8, abs=1e-4)
    assert not near[:, 4].any(), "a last column without a partner says nothing"
    assert not near[2].any()


def test_numbers_and_lengths_of_any_size_are_written_as_the_format_asks():
    assert number(1, 300) == bytes([0x08, 0xAC, 0x02])
    assert piece(2, b"x" * 200)[:3] == bytes([0x12, 0xC8, 0x01])


def test_a_graph_of_one_node_is_a_file_that_the_runtime_takes():
    graph = Graph("twice")
    doubled = graph.add("Mul", "x", graph.constant(np.array([2.0], np.float32)))
    model = graph.model({"x": (1, "n")}, {"y": (doubled, (1, "n"))})
    session = open_session(model, "doubling")
    assert session.run(["y"], {"x": np.array([[1.5, -2.0]], np.float32)})[0].tolist() == [[3.0, -4.0]]


def test_the_detector_is_opened_and_scores_without_loading_the_library_it_was_trained_with():
    code = (
        "import sys, numpy as np; from detector import open_detector; "
        "rng = np.random.default_rng(0); picture = rng.integers(0, 255, (200, 200, 3)).astype(np.uint8); "
        "print(open_detector().raw(picture) < 99, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["True", "False"]
