"""Remembering signed photos by their looks, and finding those that a picture looks like.

What is found is said to look like the picture, and nothing more: its receipt proves that the photo was logged
here, not that the picture is that photo. Whoever may not see a photo's entry is not told that it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authn.core.errors import NotFound
from authn.core.instants import instant
from authn.core.likeness import HASH_BITS, LABEL, Looks, Recovered, Viewer
from authn.recovery.hashes import Hashes
from authn.recovery.segment import Words, words_of
from authn.store.pictures import FoundPicture, SignedPicture, SignedPictures
from authn.tlog.log.log import Log
from detector.pixels.pdq import Turn
from signer.proof.jumbf import active_alone

MOST_ANSWERS = 50
USUAL_ANSWERS = 10
TEXT = "This picture looks like a photo that was signed here at {when}."
PART_TEXT = "A part of this picture looks like a photo that was signed here at {when}."
# Of a capture without a time-stamp: when it was taken in, its signature was there.
BEFORE_TEXT = "This picture looks like a photo that was signed here before {when}."
PART_BEFORE_TEXT = "A part of this picture looks like a photo that was signed here before {when}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands behind one row of a query: how the picture was turned, and whether it is a part."""

    turn: str
    part: bool


class Recovery:
    """Safe to be shared by threads, not to be carried across a fork."""

    def __init__(self, store: SignedPictures, log: Log, folder: Path, *, keeps_manifests: bool) -> None:
        self._store = store
        self._log = log
        self._hashes = Hashes(store, folder)
        self._keeps_manifests = keeps_manifests

    def remember(self, picture: SignedPicture, manifest: bytes) -> None:
        """Once for each capture; the manifest only where the setting says so. Raises ``Unavailable``."""
        self._store.remember(picture, manifest if self._keeps_manifests else None)

    def look_up(
        self, looks: Looks, viewer: Viewer, most: int = USUAL_ANSWERS, *, but: str = ""
    ) -> tuple[Recovered, ...]:
        """The nearest first, each photo once, without the file whose digest is ``but``. Raises
        ``Unavailable``, among them ``Busy`` while the index is written."""
        return self._found(*queries_of(looks), viewer, most, but)

    def look_up_hash(self, pdq: bytes, viewer: Viewer, most: int = USUAL_ANSWERS) -> tuple[Recovered, ...]:
        """The same for a hash of 32 bytes, in no other turn than its own."""
        return self._found(words_of((pdq,)), [Asked(turn=Turn.UPRIGHT, part=False)], viewer, most, "")

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

    def _found(
        self, query: Words, asked: Sequence[Asked], viewer: Viewer, most: int, but: str
    ) -> tuple[Recovered, ...]:
        nearest: dict[int, tuple[Asked, int]] = {}
        for row, id_, distance in self._hashes.near(query) if len(query) else ():
            nearest.setdefault(id_, (asked[row], distance))
        answers: list[Recovered] = []
        ids = tuple(nearest)
        for at in range(0, len(ids), 4 * MOST_ANSWERS):
            there = {f.id: f for f in self._store.find(ids[at : at + 4 * MOST_ANSWERS], viewer.device_id)}
            for id_ in ids[at : at + 4 * MOST_ANSWERS]:
                if len(answers) == min(most, MOST_ANSWERS):
                    return tuple(answers)
                if id_ in there and there[id_].picture.subject_sha256 != but:
                    answers += self._answer(there[id_], *nearest[id_])
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
                text=_text(picture, part=asked.part),
                label=LABEL,
                signed_at=picture.signed_at,
                taken_at=picture.taken_at,
                manifest_id=picture.manifest_id,
                record_sha256=picture.record_sha256,
                distance=distance,
                bits=HASH_BITS,
                turn=asked.turn,
                part=asked.part,
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


def _text(picture: SignedPicture, *, part: bool) -> str:
    if picture.signed_at is None:
        return (PART_BEFORE_TEXT if part else BEFORE_TEXT).format(when=instant(picture.taken_at))
    return (PART_TEXT if part else TEXT).format(when=instant(picture.signed_at))
