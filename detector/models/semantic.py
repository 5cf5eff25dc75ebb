"""The whole-picture detector: heads of our own on what the blocks of a frozen image encoder say of a picture.

The encoder is the image tower of CLIP ViT-B/16 (Radford et al. 2021) as 8-bit ONNX weights, a file that
comes in a package of its own; it is recognised by its digest. Of each of its twelve blocks three things are
read: the class token, and the mean and the deviation of the patches (Koutlis and Papadopoulos, "Leveraging
representations from intermediate encoder-blocks for synthetic image detection", ECCV 2024, read the class
tokens of all blocks). It sees content and style, not traces: a resized copy scores alike, and a human
artist's painting can look like a generator's. So what kind of content a picture has is asked too, and
without that there is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable, NotApplicable
from detector.models.card import open_card
from detector.models.encoder_file import read_encoder
from detector.models.onnx_session import open_session
from detector.models.places import parts_map
from detector.models.registry import model_files
from detector.models.score import Answer
from detector.models.score_map import ScoreMap
from detector.models.scorer import Reading, Scorer, Views, Words
from detector.models.semantic_head import FARTHEST, Heads, heads_from
from detector.models.semantic_parts import patch_logits
from detector.models.weights import read_weights
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, decode, open_cv2
from detector.pixels.orientation import orientation_of
from detector.pixels.upright import turned_back, upright

WIDTH = 768
_INNER = tuple(f"/vision_model/encoder/layers.{n}/Add_1_output_0" for n in range(11))
_OUTPUTS = (*_INNER, "onnx::Gather_1524")  # each (1, 197, 768); the first is no patch
BLOCKS = len(_OUTPUTS)
PARTS = ("class token", "mean of patches", "deviation of patches")
FEATURES = BLOCKS * len(PARTS) * WIDTH
_SHAPE = (BLOCKS, len(PARTS), WIDTH)
MIN_SIDE = 128
MAX_ASPECT = 16  # longer side by shorter; a strip of a million pixels would be enlarged to a gigabyte first
_SIDE = 224
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
_HANDED_ON = Encoding(media_type="image/jpeg", quality=75)
_HANDED_ON_SIDE = 512  # platforms shrink first, and then an encoding costs little
_WORDS = Words(
    reasons={
        Answer.SUPPORTS: "the picture as a whole looks more like the generated pictures of the "
        "calibration set",
        Answer.AGAINST: "the picture as a whole looks like the photos of the calibration set; so can a fake",
        Answer.INCONCLUSIVE: "the score lies between the operating points: it separates nothing",
    },
    outside="the picture looks like nothing that the head was fitted on, and there its score means nothing",
    unstable="the answer does not survive {flips} of {variants} re-encodings",
)

Embedding = NDArray[np.float32]
Tokens = NDArray[np.float32]  # (blocks, 1 + patches, width); the first token of a block is the class token


class Encoder(Protocol):
    def tokens(self, pixels: Pixels) -> Tokens:
        """What every block hands on, (12, 197, 768), of the middle square of a picture. Raises
        ``NotApplicable``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxEncoder:
    """One thread, so that the same file and runtime give the same numbers."""

    session: Any

    def tokens(self, pixels: Pixels) -> Tokens:
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise NotApplicable(f"{width} x {height} pixels; the shorter side must have {MIN_SIDE}")
        if max(height, width) > MAX_ASPECT * min(height, width):
            raise NotApplicable(
                f"{width} x {height} pixels; the middle square of so long a strip says nothing of it"
            )
        found = self.session.run(list(_OUTPUTS), {"pixel_values": encoder_input(pixels)})
        tokens: Tokens = np.concatenate(found)
        return tokens


def embedding_of(tokens: Tokens) -> Embedding:
    """(FEATURES,): block by block the ``PARTS``; rounded to what a cache of them keeps, so that heads read
    what they were fitted on."""
    patches = tokens[:, 1:]
    parts = np.stack([tokens[:, 0], patches.mean(1), patches.std(1)], 1)
    embedding: Embedding = parts.astype(np.float16).astype(np.float32).ravel()
    return embedding


def open_encoder(path: Path) -> OnnxEncoder:
    """Raises ``ModelUnavailable`` when the file is missing or another, or its runtime is not installed."""
    session = open_session(read_encoder(path, asking_for(_OUTPUTS)), "image encoder")
    return OnnxEncoder(session=session)


def asking_for(names: Sequence[str]) -> bytes:
    """What makes an ONNX model hand out inner values too, where it stands behind the model: that is a
    protocol buffer, and one appended to another is merged with it, lists joined: ``ModelProto{graph:
    GraphProto{output: [{name}]}}`` (fields 7, 12 and 1 of onnx.proto; Protocol Buffers, "Encoding", on
    merging)."""
    return b"".join(_field(7, _field(12, _field(1, name.encode()))) for name in names)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    if len(content) > 127:
        raise ValueError("a longer field needs a longer length")
    return bytes([number << 3 | 2, len(content)]) + content


def encoder_input(pixels: Pixels) -> Embedding:
    """(1, 3, 224, 224), normalised as the encoder was trained."""
    x = (_centre(pixels).astype(np.float32) / 255 - _MEAN) / _DEVIATION
    return x.transpose(2, 0, 1)[None].astype(np.float32, copy=False)


def _centre(pixels: Pixels) -> Pixels:
    """The middle square, 224 pixels a side."""
    cv2 = open_cv2()
    height, width = pixels.shape[:2]
    scale = _SIDE / min(height, width)
    size = (max(_SIDE, round(width * scale)), max(_SIDE, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    y, x = (small.shape[0] - _SIDE) // 2, (small.shape[1] - _SIDE) // 2
    middle: Pixels = small[y : y + _SIDE, x : x + _SIDE]
    return middle


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticDetector(Scorer):
    """The encoder and our heads, scored like any detector; a picture is one view."""

    encoder: Encoder
    heads: Heads
    words: ClassVar[Words] = _WORDS
    upright: ClassVar[bool] = True  # a face that lies on its side is another thing to the encoder

    def views(self, pixels: Pixels) -> Views:
        return pixels[None]

    def read(self, views: Views) -> Reading:
        standard = self.heads.standard(embedding_of(self.encoder.tokens(views[0])))
        kind, probability = self.heads.kind(standard)
        return Reading(
            logit=float(self.heads.logits(standard)), distance=float(self.heads.distances(standard)),
            kind=kind, kind_probability=probability,
        )  # fmt: skip

    def variants(self, views: Views) -> list[Views]:
        """The picture as a platform hands it on: smaller and encoded again."""
        (pixels,) = views
        scale = min(1.0, _HANDED_ON_SIDE / min(pixels.shape[:2]))
        return [through(resize(pixels, scale, "area"), _HANDED_ON)[None]]

    def score_map(self, data: bytes, media_type: str) -> ScoreMap:
        """The score of the middle square taken apart into the patches that the encoder saw, in the pixels of
        the decoder. Raises as ``score``."""
        pixels = decode(data, media_type)
        orientation = orientation_of(data, media_type)
        tokens = self.encoder.tokens(upright(pixels, orientation))
        heads = self.heads
        logits = patch_logits(
            tokens, heads.mean.reshape(_SHAPE), heads.scale.reshape(_SHAPE),
            heads.making.reshape(-1, *_SHAPE), heads.making_bias, FARTHEST,
        )  # fmt: skip
        side = math.isqrt(len(logits))
        placed = turned_back(logits.reshape(side, side), orientation)
        height, width = pixels.shape[:2]
        return parts_map(placed, height, width, self.card.operating_point.supports_logit)


def open_semantic(model_id: str, encoder: Path) -> SemanticDetector:
    """Raises ``ModelUnavailable``."""
    card = open_card(model_id)
    heads = heads_from(read_weights(card, model_files(model_id)[1]))
    if heads.mean.shape != (FEATURES,):
        raise ModelUnavailable(f"the heads of {model_id} do not fit the image encoder")
    return SemanticDetector(card=card, encoder=open_encoder(encoder), heads=heads)
