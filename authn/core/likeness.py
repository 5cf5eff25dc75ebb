"""What a picture looks like, and what was found to look like it: values, and nothing that computes them.

Neither proof nor a guess about the file at hand: it says which photo that was signed here this one resembles.
It stands in a report beside both kinds of evidence, in neither, and no axis and no sentence reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

HASH_BITS = 256
SMALL_BYTES = 128 * 128
TURNS = 8
# Pictures within one; and of the largest, of which a white edge may be missing on a white page.
MOST_WITHIN, MOST_SMALL_WITHIN = 6, 2
LABEL = "recovered, not embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureHash:
    """PDQ, in hexadecimal: ``turned`` has one for each of ``detector.pixels.pdq.Turn``, upright first.
    ``quality`` is 0 to 100. Raises ``ValueError`` for what is none."""

    turned: tuple[str, ...]
    quality: int

    def __post_init__(self) -> None:
        whole = all(len(bytes.fromhex(t)) * 8 == HASH_BITS for t in self.turned)
        if len(self.turned) != TURNS or not whole or not 0 <= self.quality <= 100:
            msg = "no hash of a picture"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """``whole`` is the hash of the picture, None where it has none, for which ``why_not`` is the reason;
    ``within`` are those of pictures that are shown in it, on a screen or a page. ``small`` is the whole in
    grey, 128 x 128 bytes, for what it may be a crop of, and kept nowhere; empty where there is no ``whole``;
    ``small_within`` the same of the largest of ``within``. Raises ``ValueError`` for another size, and for
    more of them than there ever are: each is looked up in the caller's process."""

    whole: PictureHash | None = None
    within: tuple[PictureHash, ...] = ()
    why_not: str = ""
    small: bytes = b""
    small_within: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        whole = len(self.small) == (SMALL_BYTES if self.whole is not None else 0)
        if not whole or any(len(small) != SMALL_BYTES for small in self.small_within):
            msg = "no small picture of what has a hash"
            raise ValueError(msg)
        if len(self.within) > MOST_WITHIN or len(self.small_within) > MOST_SMALL_WITHIN:
            msg = "more pictures within one than are looked for"
            raise ValueError(msg)

    @property
    def nothing_to_compare(self) -> str:
        """Why neither the picture nor a part of it can be looked up; empty where one can."""
        return "" if self.whole or self.within else self.why_not


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedManifest:
    """The active manifest of a capture by its label, and the whole store that it lies in."""

    manifest_id: str
    store: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Whose captures are shown to whoever asks: everybody's, or those of one device."""

    device_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """One photo that was signed here and that the file looks like. ``signed_at`` is what its time-stamp says
    and ``taken_at`` when this service took it in; ``distance`` counts the bits of ``bits`` in which the
    hashes differ; ``turn``: how the file has to be turned to look like it; ``part`` is true where a picture
    within the file looks like it, ``cropped`` where the file looks like a crop of it. ``receipt`` and
    ``log_key`` prove that it is entry ``log_index`` of the log, and nothing about this file."""

    text: str
    label: str
    signed_at: datetime | None
    taken_at: datetime
    manifest_id: str
    record_sha256: str
    distance: int
    bits: int
    turn: str
    part: bool
    cropped: bool = False
    log_index: int
    log_key: str
    receipt: str
