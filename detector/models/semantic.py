"""The optional second branch: what a picture looks like as a whole, read by a frozen image encoder.

The encoder is the image tower of CLIP ViT-B/16 (Radford et al. 2021) as 8-bit ONNX weights, a local file that
is never shipped and never downloaded here; it is recognised by its digest. What is read is not its last word,
which is about the subject, but the mean over all patches of what its tenth block of twelve hands on (Koutlis
and Papadopoulos, "Leveraging representations from intermediate encoder-blocks for synthetic image detection",
ECCV 2024, read several blocks for the same reason). On those 768 numbers stands one linear head of our own.
It sees content and style, not traces: a resized copy scores the same, and a human artist's painting can look
like a generator's. So it is a detector of its own, with its own calibration, and what it says is never merged
into another's ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable, NotApplicable
from detector.models.card import open_card
from detector.models.encoder_file import read_encoder
from detector.models.registry import model_files
from detector.models.score import Answer
from detector.models.scorer import Reading, Scorer, Views, Words
from detector.models.semantic_head import Head
from detector.models.weights import read_weights
from detector.pixels.augment import Encoding, resize, through
from detector.pixels.decode import Pixels, open_cv2

FEATURES = 768
_PATCHES = "/vision_model/encoder/layers.9/Add_1_output_0"  # (1, 197, 768), the first is no patch
MIN_SIDE = 128
MAX_ASPECT = 16  # longer side by shorter; a strip of a million pixels would be enlarged to a gigabyte first
_SIDE = 224
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
_HANDED_ON = 512  # shorter side of what a platform makes of a larger picture
_RE_ENCODINGS = (
    Encoding(media_type="image/jpeg", quality=75),
    Encoding(media_type="image/webp", quality=80),
)
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


class Encoder(Protocol):
    def embed(self, pixels: Pixels) -> Embedding:
        """The numbers (768,) of a whole picture. Raises ``NotApplicable``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxEncoder:
    """One thread, so that the same file and runtime give the same numbers."""

    session: Any

    def embed(self, pixels: Pixels) -> Embedding:
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise NotApplicable(f"{width} x {height} pixels; the shorter side must have {MIN_SIDE}")
        if max(height, width) > MAX_ASPECT * min(height, width):
            raise NotApplicable(
                f"{width} x {height} pixels; the middle square of so long a strip says nothing of it"
            )
        (found,) = self.session.run([_PATCHES], {"pixel_values": encoder_input(pixels)})
        embedding: Embedding = found[0, 1:].mean(0)
        return embedding


def open_encoder(path: Path) -> OnnxEncoder:
    """Raises ``ModelUnavailable`` when the file is missing or another, or its runtime is not installed."""
    data = read_encoder(path)
    try:
        import onnxruntime
    except ImportError as e:
        raise ModelUnavailable("onnxruntime, which runs the image encoder, is not installed here") from e
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        with_output(data, _PATCHES), options, providers=["CPUExecutionProvider"]
    )
    return OnnxEncoder(session=session)


def with_output(model: bytes, name: str) -> bytes:
    """An ONNX model that also hands out an inner value. A model is a protocol buffer, and one appended to
    another is merged with it, lists joined: ``ModelProto{graph: GraphProto{output: [{name}]}}`` (fields 7, 12
    and 1 of onnx.proto; Protocol Buffers, "Encoding", on merging)."""
    return model + _field(7, _field(12, _field(1, name.encode())))


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
    """The encoder and our head, scored like any detector; a picture is one view."""

    encoder: Encoder
    head: Head
    words: ClassVar[Words] = _WORDS

    def views(self, pixels: Pixels) -> Views:
        return pixels[None]

    def read(self, views: Views) -> Reading:
        embedding = self.encoder.embed(views[0]).astype(np.float64)
        return Reading(
            logit=float(self.head.logits(embedding)), distance=float(self.head.distances(embedding))
        )

    def variants(self, views: Views) -> list[Views]:
        """Of a reduced picture: platforms reduce what they hand on, and the encoder sees 224 pixels of it.
        Where a card vouches for the file as stored, and the copies take nothing back, one encoding is enough
        for a band."""
        pixels = resize(views[0], min(1.0, _HANDED_ON / min(views[0].shape[:2])), "area")
        if self.card.guarantees is not None:
            return [through(pixels, _RE_ENCODINGS[0])[None]]
        copies = (*(through(pixels, e) for e in _RE_ENCODINGS), resize(pixels, 0.5, "area"))
        return [copy[None] for copy in copies]


def open_semantic(model_id: str, encoder: Path) -> SemanticDetector:
    """Raises ``ModelUnavailable``."""
    card = open_card(model_id)
    tensors = read_weights(card, model_files(model_id)[1])
    try:
        head = Head(
            mean=tensors["mean"], scale=tensors["scale"], weight=tensors["weight"],
            bias=float(tensors["bias"][0]),
        )  # fmt: skip
    except KeyError as e:
        raise ModelUnavailable(f"the weights of {model_id} hold no head") from e
    return SemanticDetector(card=card, encoder=open_encoder(encoder), head=head)
