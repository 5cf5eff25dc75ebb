"""What a held process may say that a picture looks like."""

from __future__ import annotations

import pytest

from authn.confinement.codec import NotOfSchema, decode, encode
from authn.core.likeness import MOST_SMALL_WITHIN, MOST_WITHIN, SMALL_BYTES, TURNS, Looks, PictureHash
from detector.pixels.within import MOST

HASH = PictureHash(turned=("00" * 32,) * TURNS, quality=100)
SMALL = bytes(SMALL_BYTES)


def test_no_more_pictures_within_one_come_from_a_held_process_than_are_looked_for() -> None:
    """Each costs its caller a look-up, and one frame of bytes can be named as often as somebody likes."""
    assert MOST == MOST_WITHIN
    looks = Looks(within=(HASH,) * MOST_WITHIN, small_within=(SMALL,) * MOST_SMALL_WITHIN)
    frames: list[bytes] = []
    plain = encode(Looks, looks, frames)
    assert decode(Looks, plain, frames) == looks
    assert isinstance(plain, dict)
    for name in ("within", "small_within"):
        many = plain[name]
        assert isinstance(many, list)
        with pytest.raises(NotOfSchema):
            decode(Looks, {**plain, name: many * 2}, frames)
