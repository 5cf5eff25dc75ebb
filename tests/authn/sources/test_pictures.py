"""The pixels of a file are decoded once for all who look at them, and kept no longer than the file."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from authn.core.config import load_settings
from authn.core.media import media_of
from authn.examine.opening import sources
from authn.sources import pictures as module
from authn.sources.learned import LearnedSource
from authn.sources.pictures import Pictures
from authn.sources.symmetry import SymmetrySource
from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.pixels.decode import decode
from tests.detector.made import encoded, photo_like


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of all that was decoded."""
    seen: list[str] = []

    def counted(data: bytes, media_type: str) -> np.ndarray:
        seen.append(media_type)
        return decode(data, media_type)

    monkeypatch.setattr(module, "decode", counted)
    return seen


def test_all_sources_of_an_examiner_look_at_the_same_pixels(decoded: list[str], face_models: Path) -> None:
    settings = load_settings(environ={"ASSAY_FACE_MODELS": str(face_models)})
    looking = [s for s in sources(settings) if s.reads_pixels]
    assert len(looking) > 1
    media = media_of(encoded(photo_like(300, 300)), "a.jpg")
    for source in looking:
        source.examine(media)
    assert decoded == ["image/jpeg"]


def test_what_does_not_decode_is_tried_once_and_told_to_everybody(decoded: list[str]) -> None:
    pictures, whole = Pictures(), encoded(photo_like(300, 300))
    for data, error in (
        (whole[: len(whole) // 2], PixelsUnreadable),
        (encoded(photo_like(9, 9), "GIF"), NotApplicable),
    ):
        media = media_of(data, "a")
        for _ in range(3):
            with pytest.raises(error):
                pictures.of(media)
    assert decoded == ["image/jpeg", "image/gif"]


def test_the_pixels_go_with_the_file_and_nobody_writes_to_them() -> None:
    pictures = Pictures()
    media = media_of(encoded(photo_like(40, 40)), "a.jpg")
    again = media_of(encoded(photo_like(40, 50)), "a.jpg")
    pixels = pictures.of(media)
    assert pixels is pictures.of(media)
    with pytest.raises(ValueError, match="read-only"):
        pixels[:] = 0
    kept = weakref.ref(pixels)
    del pixels, media
    gc.collect()
    assert kept() is None
    assert pictures.of(again).shape == (40, 50, 3)


def test_sources_that_share_nothing_decode_for_themselves(decoded: list[str], face_models: Path) -> None:
    media = media_of(encoded(photo_like(300, 300)), "a.jpg")
    for source in (LearnedSource(), SymmetrySource([face_models])):
        source.examine(media)
    assert len(decoded) == 2
