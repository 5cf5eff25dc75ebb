"""Remembering signed photos by their looks, and finding those that a picture looks like.

What is found is said to look like the picture, and nothing more: its receipt proves that the photo was logged
here, not that the picture is that photo. Whoever may not see a photo's entry is not told that it is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authn.core.errors import NotFound
from authn.core.instants import instant
from authn.core.likeness import HASH_BITS, LABEL, Looks, Recovered, Viewer
from authn.recovery.hashes import INNER, Hashes
from authn.recovery.segment import Words, words_of
from authn.store.pictures import FoundPicture, SignedPicture, SignedPictures
from authn.tlog.log.log import Log
from detector.pixels.crops import grid_hashes, inner_hash, nearest, opened
from detector.pixels.pdq import Turn
from signer.proof.jumbf import active_alone

MOST_ANSWERS = 50
CROP_RADIUS = 20  # bits, after the place was looked for; docs/recovery.md says what was measured
MOST_LOOKED_AT = 20  # candidates of a crop
USUAL_ANSWERS = 10
TEXT = "This picture looks like a photo that was signed here at {when}."
PART_TEXT = "A part of this picture looks like a photo that was signed here at {when}."
# Of a capture without a time-stamp: when it was taken in, its signature was there.
BEFORE_TEXT = "This picture looks like a photo that was signed here before {when}."
CROP_TEXT = "This picture looks like a crop of a photo that was signed here at {when}."
CROP_BEFORE_TEXT = "This picture looks like a crop of a photo that was signed here before {when}."
PART_BEFORE_TEXT = "A part of this picture looks like a photo that was signed here before {when}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands behind one row of a query: how the picture was turned, and whether it is a part."""

    turn: str
    part: bool
    cropped: bool = False


Near = tuple[Asked, int, int]  # how it was asked, the number of a hash, in how many bits they differ


class Recovery:
    """Safe to be shared by threads, not to be carried across a fork."""

    def __init__(self, store: SignedPictures, log: Log, folder: Path, *, keeps_manifests: bool) -> None:
        self._store = store
        self._log = log
        self._hashes = Hashes(store, folder)
        self._inner = Hashes(store, folder, kind=INNER)
        self._keeps_manifests = keeps_manifests

    def remember(self, picture: SignedPicture, manifest: bytes) -> None:
        """Once for each capture; the manifest only where the setting says so. Raises ``Unavailable``."""
        self._store.remember(picture, manifest if self._keeps_manifests else None)

    def look_up(
        self, looks: Looks, viewer: Viewer, most: int = USUAL_ANSWERS, *, but: str = ""
    ) -> tuple[Recovered, ...]:
        """The nearest first, each photo once, without the file whose digest is ``but``; where the picture as
        it is looks like none, those that it may be a crop of. Raises ``Unavailable``, among them ``Busy``
        while the index is written."""
        query, asked = queries_of(looks)
        near = ((asked[row], id_, apart) for row, id_, apart in self._near(query))
        return self._found(near, viewer, most, but) or self._found(self._crops(looks), viewer, most, but)

    def look_up_hash(self, pdq: bytes, viewer: Viewer, most: int = USUAL_ANSWERS) -> tuple[Recovered, ...]:
        """The same for a hash of 32 bytes, in no other turn than its own."""
        upright = Asked(turn=Turn.UPRIGHT, part=False)
        near = ((upright, id_, apart) for _, id_, apart in self._near(words_of((pdq,))))
        return self._found(near, viewer, most, "")

    def manifest(self, manifest_id: str, viewer: Viewer, *, alone: bool = False) -> bytes:
        """The manifest store of a capture, or a store of its active manifest ``alone``. Raises ``NotFound``:
        not here, not kept, or not to be seen."""
        found = self._store.of_manifest(manifest_id, viewer.device_id)
        store = None if found is None else self._store.store_of(found.picture)
        if store is None:
            raise NotFound("there is no such manifest, or its store was not kept")
        return active_alone(store) if alone else store

    def forget(self, manifest_id: str, viewer: Viewer) -> None:
        """Delete hash and manifest of a capture; its entry in the log stays. Raises ``NotFound``."""
        found = self._store.of_manifest(manifest_id, viewer.device_id)
        if found is None or not self._store.forget(found.picture.record_sha256):
            raise NotFound("there is no such manifest")

    def close(self) -> None:
        """Wait for what is being written."""
        self._hashes.close()
        self._inner.close()

    def _near(self, query: Words) -> Iterable[tuple[int, int, int]]:
        return self._hashes.near(query) if len(query) else ()

    def _crops(self, looks: Looks) -> Iterable[Near]:
        """Photos whose inside lies somewhere in the picture, or in one that it shows, the nearest first. On a
        white page a picture ends where its white edge begins, so what is seen of it is a crop."""
        shown = ((looks.small, False), *((small, True) for small in looks.small_within))
        found = [near for small, part in shown if small for near in self._crops_in(small, part=part)]
        return sorted(found, key=lambda near: near[2])

    def _crops_in(self, small: bytes, *, part: bool) -> Iterable[Near]:
        picture = opened(small)
        places: dict[int, int] = {}
        for place, id_, _ in self._inner.near(words_of((grid_hashes(picture).tobytes(),))):
            places.setdefault(id_, place)
        ids = tuple(places)[:MOST_LOOKED_AT]
        apart = ((nearest(picture, inner, places[id_]), id_) for id_, inner in self._store.inner_of(ids))
        asked = Asked(turn=Turn.UPRIGHT, part=part, cropped=True)
        return ((asked, id_, bits) for bits, id_ in apart if bits <= CROP_RADIUS)

    def _found(self, near: Iterable[Near], viewer: Viewer, most: int, but: str) -> tuple[Recovered, ...]:
        closest: dict[int, tuple[Asked, int]] = {}
        for asked, id_, distance in near:
            closest.setdefault(id_, (asked, distance))
        answers: list[Recovered] = []
        ids = tuple(closest)
        for at in range(0, len(ids), 4 * MOST_ANSWERS):
            there = {f.id: f for f in self._store.find(ids[at : at + 4 * MOST_ANSWERS], viewer.device_id)}
            for id_ in ids[at : at + 4 * MOST_ANSWERS]:
                if len(answers) == min(most, MOST_ANSWERS):
                    return tuple(answers)
                if id_ in there and there[id_].picture.subject_sha256 != but:
                    answers += self._answer(there[id_], *closest[id_])
        return tuple(answers)

    def _answer(self, found: FoundPicture, asked: Asked, distance: int) -> tuple[Recovered, ...]:
        """Nothing for a photo whose entry in the log was forgotten."""
        try:
            receipt = self._log.receipt(found.log_index)
        except NotFound:
            return ()
        picture = found.picture
        return (
            Recovered(
                text=_text(picture, asked),
                label=LABEL,
                signed_at=picture.signed_at,
                taken_at=picture.taken_at,
                manifest_id=picture.manifest_id,
                record_sha256=picture.record_sha256,
                distance=distance,
                bits=HASH_BITS,
                turn=asked.turn,
                part=asked.part,
                cropped=asked.cropped,
                log_index=found.log_index,
                log_key=str(self._log.verifier),
                receipt=receipt.text(),
            ),
        )


def queries_of(looks: Looks) -> tuple[Words, list[Asked]]:
    """One row for each turn of the picture, and of each picture that is shown in it."""
    rows: list[NDArray[np.uint64]] = []
    asked: list[Asked] = []
    for part, hash_ in ((False, looks.whole), *((True, h) for h in looks.within)):
        if hash_ is not None:
            rows.append(words_of(bytes.fromhex(t) for t in hash_.turned))
            asked += [Asked(turn=turn, part=part) for turn in Turn]
    return (np.concatenate(rows) if rows else words_of(())), asked


def inner_of(looks: Looks) -> bytes | None:
    """The hash of the inside of a picture that has one that says something."""
    return inner_hash(opened(looks.small)) if looks.small else None


def _text(picture: SignedPicture, asked: Asked) -> str:
    at, before = (
        (PART_TEXT, PART_BEFORE_TEXT)
        if asked.part
        else (CROP_TEXT, CROP_BEFORE_TEXT)
        if asked.cropped
        else (TEXT, BEFORE_TEXT)
    )
    if picture.signed_at is None:
        return before.format(when=instant(picture.taken_at))
    return at.format(when=instant(picture.signed_at))
