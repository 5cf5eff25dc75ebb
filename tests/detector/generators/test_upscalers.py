from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from detector.core.errors import CorpusError, FileDamaged, FileFailed
from detector.generators.aligned.upscalers import MAX_INPUT_PIXELS, open_upscaler
from tests.detector.made import photo_like

HALF = struct.pack("<I", 0x01306B47)
FULL = struct.pack("<I", 0)

# A dense block, a doubling and a pixel shuffle: every kind of layer that published networks use.
PARAM = """7767517
13 20
Input in 0 1 data
Convolution c0 1 1 data f 0=8 1=3 4=1 5=1 6=216
Split s 1 4 f f0 f1 f2 f3
Convolution c1 1 1 f0 g 0=4 1=3 4=1 5=1 6=288 9=2 -23310=1,2.000000e-01
Concat j 2 1 f1 g h
Convolution c2 1 1 h r 0=8 1=3 4=1 5=1 6=864
Eltwise e 2 1 r f2 d 0=1 -23301=2,2.000000e-01,1.000000e+00
BinaryOp a 2 1 f3 d b
PReLU p 1 1 b q 0=8
Interp i 1 1 q u 0=1 1=2.000000e+00 2=2.000000e+00
Convolution c3 1 1 u o 0=12 1=3 4=1 5=1 6=864
PixelShuffle t 1 1 o z 0=2
Convolution c4 1 1 z out 0=3 1=1 4=0 5=1 6=9
"""
CONVOLUTIONS = ((8, 3, 3), (4, 8, 3), (8, 12, 3), (12, 8, 3), (3, 3, 1))


def network(folder: Path, *, param: str = PARAM, tail: bytes = b"", cut: int = 0) -> list[torch.Tensor]:
    """Writes tiny.param and tiny.bin; gives back the weights in file order."""
    rng = np.random.default_rng(0)
    data, kept = b"", []
    for n, (out, into, side) in enumerate(CONVOLUTIONS):
        kernel = rng.normal(0, 0.3, (out, into, side, side)).astype(np.float16 if n else np.float32)
        bias = rng.normal(0, 0.1, out).astype(np.float32)
        stored = kernel.tobytes()
        data += (HALF if n else FULL) + stored + bytes(-len(stored) % 4) + bias.tobytes()
        kept += [torch.from_numpy(kernel.astype(np.float32)), torch.from_numpy(bias)]
        if n == 2:  # the slopes of PReLU stand where PReLU stands
            slopes = rng.uniform(0, 0.5, 8).astype(np.float32)
            data += slopes.tobytes()
            kept.append(torch.from_numpy(slopes))
    (folder / "tiny.param").write_text(param)
    (folder / "tiny.bin").write_bytes(data[: len(data) - cut] + tail)
    return kept


def test_a_network_read_from_ncnn_files_computes_what_its_layers_say(tmp_path):
    w = network(tmp_path)
    pixels = photo_like(9, 13)
    f = F.conv2d(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255, w[0], w[1], padding=1)
    g = F.leaky_relu(F.conv2d(f, w[2], w[3], padding=1), 0.2)
    dense = F.conv2d(torch.cat([f, g], 1), w[4], w[5], padding=1) * 0.2 + f
    up = F.interpolate(F.prelu(f + dense, w[6]), scale_factor=2, mode="nearest")
    y = F.conv2d(F.pixel_shuffle(F.conv2d(up, w[7], w[8], padding=1), 2), w[9], w[10])
    expected = (y[0].permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    out = open_upscaler(tmp_path, "tiny")(pixels)
    assert out.shape == (36, 52, 3)
    assert expected.std() > 5
    assert np.array_equal(out, expected)


def test_the_digest_covers_both_files(tmp_path):
    network(tmp_path)
    first = open_upscaler(tmp_path, "tiny").digest
    data = bytearray((tmp_path / "tiny.bin").read_bytes())
    data[10] ^= 1
    (tmp_path / "tiny.bin").write_bytes(data)
    assert open_upscaler(tmp_path, "tiny").digest != first


@pytest.mark.parametrize("suffix", ["param", "bin"])
def test_a_missing_file_is_named(tmp_path, suffix):
    network(tmp_path)
    (tmp_path / f"tiny.{suffix}").unlink()
    with pytest.raises(FileFailed, match=rf"tiny\.{suffix} is missing"):
        open_upscaler(tmp_path, "tiny")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(("7767517", "7767518"), "not complete", id="another magic number"),
        pytest.param(("13 20", "14 20"), "not complete", id="a layer missing"),
        pytest.param(
            ("BinaryOp a 2 1 f3 d b", "BinaryOp a 2 1 f3 d b 0=2"), "BinaryOp with 0=2", id="product"
        ),
        pytest.param(("Split s", "Softmax s"), "a layer Softmax", id="unknown layer"),
        pytest.param(("9=2", "9=4"), "9=4", id="unknown activation"),
        pytest.param(("2 1 f1 g h", "2 1 f1 w h"), "'w'", id="a blob from nowhere"),
        pytest.param(("-23310=1,", "-23310=2,"), "another length", id="array length"),
        pytest.param(("0=8 1=3 4=1 5=1 6=216", "0=8 1=3 4=1 5=1 6=0"), "without weights", id="no weights"),
        pytest.param(("z 0=2", "z 0=1"), "tiny", id="channels that do not fit"),
        pytest.param(
            ("Interp i 1 1 q u 0=1 1=2.000000e+00 2=2.000000e+00", "Interp i 1 1 q u 0=1 1=1 2=1"),
            "four times",
            id="twice only",
        ),
        pytest.param((PARAM, ""), "not enough values", id="empty"),
    ],
)
def test_files_that_are_not_understood_are_refused(tmp_path, change, said):
    network(tmp_path, param=PARAM.replace(*change))
    with pytest.raises(FileDamaged, match=said):
        open_upscaler(tmp_path, "tiny")


@pytest.mark.parametrize(("cut", "tail"), [(4, b""), (0, b"\0\0\0\0")], ids=["short", "long"])
def test_weights_must_end_where_the_layers_end(tmp_path, cut, tail):
    network(tmp_path, cut=cut, tail=tail)
    with pytest.raises(FileDamaged, match="weights than layers"):
        open_upscaler(tmp_path, "tiny")


def test_a_weight_that_is_no_number_is_refused(tmp_path):
    network(tmp_path, cut=4, tail=struct.pack("<f", float("nan")))
    with pytest.raises(FileDamaged, match="no number"):
        open_upscaler(tmp_path, "tiny")


def test_a_picture_above_the_limit_is_refused(tmp_path):
    network(tmp_path)
    with pytest.raises(CorpusError, match="limit"):
        open_upscaler(tmp_path, "tiny")(np.zeros((1, MAX_INPUT_PIXELS + 1, 3), np.uint8))
