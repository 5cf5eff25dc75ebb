"""Public invisible marks that generators leave in their pictures: which known payload is there, if any.

Two carriers of the library ShieldMnt/invisible-watermark 0.2.0 (MIT) are read, by code of our own with the
same arithmetic: ``dwtDct`` and ``dwtDctSvd``. Both lie in the blue difference U: one step of the Haar
wavelet, then in each square of 4 x 4 of its low band one bit, modulo ``STEP``; square n holds bit n mod L of
a payload of L bits. Programs that hand the library floats (Diffusers, the code of Stability and of Black
Forest Labs) mark a U around 0 and not around 128, where the library's reader of bytes reads many bits wrong:
so every picture is read in both ways.

A payload is found where so many of its bits agree that fair coins would do it for one of all payloads and
readings in less than ``ALPHA`` of pictures. Photos are no coins: what they do was counted
(docs/cards/watermarks.md). And other people's marks are no coins either: texts share the upper bits of their
letters, so that of a payload that is a text more have to agree (``needed``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import ceil, comb, log10, sqrt

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.pixels.decode import Pixels, open_cv2

STEP = 36.0  # of the library: between two values with the same bit
BLOCK = 4
ALPHA = 1e-6
# Of n bits a random text of letters agrees with a known one in that share, with that deviation / sqrt(n).
TEXT_MEAN, TEXT_DEVIATION, TEXT_DEVIATIONS = 0.663, 0.45, 5
LEAST_PIXELS = 256 * 256  # the library marks no smaller picture
MAX_BLOCKS = 1 << 14  # the upper megapixel: every bit of the longest payload 73 times
LEAST_VOTES = 4  # squares for each bit
_HAAR = 0.7071067811865476
_LEAST = 1e-300  # where a square is black

Bits = tuple[int, ...]


class Carrier(StrEnum):
    DWT_DCT = "dwtDct"
    DWT_DCT_SVD = "dwtDctSvd"


class Reading(StrEnum):
    """How the program that marked handed its picture to the library."""

    BYTES = "bytes"
    FLOATS = "floats"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """``published``: where the program's source says so, or said so."""

    name: str
    bits: Bits
    program: str
    published: str
    is_text: bool = True


def _of_text(text: str) -> Bits:
    return tuple(int(b) for b in np.unpackbits(np.frombuffer(text.encode(), np.uint8)))


def _of_number(number: int) -> Bits:
    """As those programs do it: without leading zeros."""
    return tuple(int(b) for b in f"{number:b}")


PAYLOADS = (
    Payload(
        name="StableDiffusionV1",
        bits=_of_text("StableDiffusionV1"),
        program="Stable Diffusion 1",
        published="github.com/CompVis/stable-diffusion scripts/txt2img.py",
    ),
    Payload(
        name="StableDiffusionV1-Inpainting",
        bits=_of_text("StableDiffusionV1-Inpainting"),
        program="Stable Diffusion 1 in-painting",
        published="github.com/runwayml/stable-diffusion scripts/inpaint_st.py",
    ),
    Payload(
        name="SDV2",
        bits=_of_text("SDV2"),
        program="Stable Diffusion 2",
        published="github.com/Stability-AI/stablediffusion scripts/txt2img.py",
    ),
    Payload(
        name="SDXL",
        bits=_of_number(0b101100111110110010010000011110111011000110011110),
        program="Stable Diffusion XL (Stability's own code, or Diffusers)",
        is_text=False,
        published="github.com/huggingface/diffusers src/diffusers/pipelines/stable_diffusion_xl/watermark.py",
    ),
    Payload(
        name="FLUX.1",
        bits=_of_number(0b001010101111111010000111100111001111010100101110),
        program="FLUX.1 (Black Forest Labs' own code)",
        is_text=False,
        published="github.com/black-forest-labs/flux src/flux/util.py",
    ),
    Payload(
        name="InvokeAI",
        bits=_of_text("InvokeAI"),
        program="InvokeAI",
        published="github.com/invoke-ai/InvokeAI invokeai/app/invocations/image.py",
    ),
    Payload(
        name="HumanSD",
        bits=_of_text("HumanSD"),
        program="HumanSD",
        published="github.com/IDEA-Research/HumanSD scripts/gradio/pose2img.py",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How far one payload agrees with what one reading found; ``needed`` agreements make it a mark."""

    payload: Payload
    carrier: Carrier
    reading: Reading
    agreeing: int
    needed: int

    @property
    def found(self) -> bool:
        return self.agreeing >= self.needed

    @property
    def log10_by_chance(self) -> float:
        """How often so many bits of fair coins, or more, agree."""
        length = len(self.payload.bits)
        return log10(sum(comb(length, k) for k in range(self.agreeing, length + 1))) - length * log10(2)


READINGS = (
    (Carrier.DWT_DCT, Reading.BYTES),
    (Carrier.DWT_DCT, Reading.FLOATS),
    (Carrier.DWT_DCT_SVD, Reading.BYTES),
)
_TESTS = len(READINGS) * len(PAYLOADS)


def needed(payload: Payload) -> int:
    """The fewest bits of a payload that must agree: what coins do not do, and what other texts do not."""
    length = len(payload.bits)
    share = min(1.0, TEXT_MEAN + TEXT_DEVIATIONS * TEXT_DEVIATION / sqrt(length))
    return max(beyond_chance(length), ceil(share * length) if payload.is_text else 0)


@cache
def beyond_chance(length: int) -> int:
    """The fewest of ``length`` bits that fair coins reach in fewer than ``ALPHA`` of pictures, for any of all
    payloads and readings together."""
    limit, tail = ALPHA / _TESTS, 0.0
    for k in range(length, -1, -1):
        tail += comb(length, k) / 2**length
        if tail > limit:
            return k + 1
    return 0


def matches(pixels: Pixels) -> tuple[Match, ...]:
    """Every payload by every reading, the least likely by chance first.

    ``pixels``: height x width x 3, RGB, as decoded. Raises ``NotApplicable`` for pictures that the library
    does not mark, and for those whose upper part has no colour, which holds nothing that could be read.
    """
    height, width = pixels.shape[:2]
    if height * width < LEAST_PIXELS or min(height, width) < 2 * BLOCK:
        raise NotApplicable(f"{width} x {height} pixels: the programs mark none of fewer than 256 x 256")
    found = []
    for reading in Reading:
        low = low_band(pixels, reading)
        if low.min() == low.max():
            raise NotApplicable("its upper part, in which these marks are read, has no colour to hold them")
        for carrier in (c for c, r in READINGS if r is reading):
            votes = block_bits(low, carrier)
            found += [_match(p, carrier, reading, votes) for p in PAYLOADS]
    return tuple(sorted(found, key=lambda m: m.log10_by_chance))


def _match(payload: Payload, carrier: Carrier, reading: Reading, votes: NDArray[np.bool_]) -> Match:
    length = len(payload.bits)
    agreeing = 0
    if votes.size >= LEAST_VOTES * length:
        agreeing = int((majority(votes, length) == np.array(payload.bits, bool)).sum())
    return Match(payload=payload, carrier=carrier, reading=reading, agreeing=agreeing, needed=needed(payload))


def low_band(pixels: Pixels, reading: Reading) -> NDArray[np.floating]:
    """The low band of U after one step of the Haar wavelet, at most ``MAX_BLOCKS`` squares of 4 x 4 of it,
    whole rows from above. Rounds as PyWavelets does, so that no bit on an edge falls to the other side."""
    cv2 = open_cv2()
    side = 2 * BLOCK
    across = pixels.shape[1] // side
    rows = min(pixels.shape[0] // side, max(1, MAX_BLOCKS // max(1, across)))
    part = np.ascontiguousarray(pixels[: rows * side, : across * side])
    if reading is Reading.FLOATS:
        u = cv2.cvtColor(part.astype(np.float32), cv2.COLOR_RGB2YUV)[:, :, 1]
        half = u.dtype.type(_HAAR)
    else:
        u = cv2.cvtColor(part, cv2.COLOR_RGB2YUV)[:, :, 1].astype(np.float64)
        half = np.float64(_HAAR)
    lines = half * u[1::2] + half * u[0::2]
    low: NDArray[np.floating] = half * lines[:, 1::2] + half * lines[:, 0::2]
    return low


def block_bits(low: NDArray[np.floating], carrier: Carrier) -> NDArray[np.bool_]:
    """One bit for each square of 4 x 4, in rows."""
    rows, across = low.shape[0] // BLOCK, low.shape[1] // BLOCK
    squares = low[: rows * BLOCK, : across * BLOCK].reshape(rows, BLOCK, across, BLOCK).swapaxes(1, 2)
    flat = np.ascontiguousarray(squares).reshape(-1, BLOCK * BLOCK)
    if carrier is Carrier.DWT_DCT:
        sizes = np.abs(flat[:, 1:])
        value = sizes[np.arange(len(sizes)), sizes.argmax(axis=1)]
    else:
        value = _largest_singular(flat)
    bits: NDArray[np.bool_] = value % STEP > STEP / 2
    return bits


def _largest_singular(flat: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of each square (n x 16): the cosine transform is orthonormal, so a square's own are those of its
    transform. The largest eigenvalue of A'A, by squaring it four times."""
    squares = np.ascontiguousarray(flat.T, dtype=np.float64).reshape(BLOCK, BLOCK, -1)
    product = np.einsum("kin,kjn->ijn", squares, squares)
    power = product
    for _ in range(4):
        power = power / np.maximum(np.einsum("iin->n", power), _LEAST)
        power = np.einsum("ikn,kjn->ijn", power, power)
    total = np.maximum(np.einsum("iin->n", power), _LEAST)
    largest: NDArray[np.floating] = np.sqrt(np.einsum("ijn,jin->n", power, product) / total)
    return largest


def majority(votes: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """The payload's bits as the library decides them: of each bit's squares, whether more than 127 / 255
    say 1."""
    at = np.arange(votes.size) % length
    ones = np.bincount(at, weights=votes, minlength=length)
    bits: NDArray[np.bool_] = ones / np.bincount(at, minlength=length) * 255 > 127
    return bits
