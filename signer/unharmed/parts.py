"""What a media file is made of, in the order of the file, without the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """``start`` to ``end`` are bytes of the file; ``said`` is compared by value: where else a part points to,
    in a form that does not depend on where the manifest stands."""

    name: str
    start: int = 0
    end: int = 0
    said: object = None


def first_difference(before: bytes, old: Sequence[Part], after: bytes, new: Sequence[Part]) -> str | None:
    """The name of the first part that is missing, added, moved or changed; None where all are the same."""
    view = memoryview(before)
    for was, now in zip_longest(old, new):
        if was is None:
            return f"what the file holds: {now.name} would be added"
        if now is None or now.name != was.name:
            return f"what the file holds: {was.name} would be gone"
        if now.said != was.said or now.end - now.start != was.end - was.start:
            return str(was.name)
        # compares in place: a slice of 100 MB would be a copy of 100 MB
        if not after.startswith(view[was.start : was.end], now.start, now.end):
            return str(was.name)
    return None
