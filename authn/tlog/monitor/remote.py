"""Somebody else's log, read over HTTP (C2SP tlog-tiles). What it answers is data of a stranger."""

from __future__ import annotations

import http.client
from collections.abc import Callable

from authn.core.errors import ReceiptRefused, Unreachable
from authn.core.exchange import HttpAnswer, exchange
from authn.tlog.format.merkle import HASH_BYTES
from authn.tlog.format.note import MAX_CHARACTERS
from authn.tlog.format.receipt import Inclusion, parse_inclusion
from authn.tlog.format.tiles import MAX_ENTRY_BYTES, WIDTH, parse_entry_bundle, tile_path, tile_width

TIMEOUT_S = 30.0
MAX_BUNDLE_BYTES = WIDTH * (2 + MAX_ENTRY_BYTES)
MAX_NOTE_BYTES = MAX_CHARACTERS

# address and largest answer to an answer; raises OSError, HTTPException
Get = Callable[[str, int], HttpAnswer]


class WronglyServed(Exception):
    """The log answers with something that cannot be part of any tree; the message says what."""


def get_capped(url: str, max_bytes: int) -> HttpAnswer:
    """See ``authn.core.exchange``."""
    return exchange(url, None, timeout_s=TIMEOUT_S, max_bytes=max_bytes)


class RemoteLog:
    """The log below an address. Every method raises ``Unavailable`` when it cannot be read now."""

    def __init__(self, url: str, get: Get = get_capped) -> None:
        self._url = url.rstrip("/")
        self._get = get

    def checkpoint(self) -> str:
        """The newest note as it is served, not looked into."""
        return _text(self._fetched("checkpoint", MAX_NOTE_BYTES) or _missing("checkpoint"))

    def witnessed(self) -> str | None:
        """The newest note that enough witnesses of the log's own choice have signed; None where the log
        serves no such thing, which is Assay's own and no part of tlog-tiles."""
        found = self._fetched("witnessed", MAX_NOTE_BYTES)
        return None if found is None else _text(found)

    def leaf(self, index: int) -> bytes:
        """One leaf. Raises ``ReceiptRefused`` for an index that no log has."""
        if index >= 1 << 54:
            raise ReceiptRefused("no log has that many entries")
        bundle, at = divmod(index, WIDTH)
        try:
            return self.leaves(bundle, at + 1)[at]
        except WronglyServed as e:
            raise Unreachable(f"the log does not serve the entry: {e}") from e

    def inclusion(self, index: int) -> Inclusion:
        """The log's newest proof that it has an entry, not verified; Assay's own and no part of tlog-tiles.
        Raises ``ReceiptRefused`` for what is no proof."""
        path = f"receipt/{index}"
        return parse_inclusion(_text(self._fetched(path, MAX_NOTE_BYTES) or _missing(path)))

    def leaves(self, index: int, width: int) -> tuple[bytes, ...]:
        """So many leaves of a bundle. Raises ``WronglyServed``."""
        bundle = self._partial("tile/entries", index, width, MAX_BUNDLE_BYTES)
        try:
            found = parse_entry_bundle(bundle)
        except ValueError as e:
            raise WronglyServed(f"the bundle of entries {index} cannot be read") from e
        if len(found) < width:
            raise WronglyServed(f"the bundle of entries {index} has {len(found)} of {width} entries")
        return found[:width]

    def tile(self, level: int, index: int, size: int) -> bytes:
        """A tile as a tree of this size has it; nothing where it has none. Raises ``WronglyServed``."""
        width = tile_width(size, level, index)
        if not width:
            return b""
        tile = self._partial(f"tile/{level}", index, width, WIDTH * HASH_BYTES)
        if len(tile) < width * HASH_BYTES:
            raise WronglyServed(f"the tile {level}/{index} is too short")
        return tile[: width * HASH_BYTES]

    def _partial(self, kind: str, index: int, width: int, max_bytes: int) -> bytes:
        """A partial one may be gone as soon as the full one is there (tlog-tiles, "Partial tiles")."""
        found = self._fetched(f"{kind}/{tile_path(index, width)}", max_bytes)
        if found is None and width < WIDTH:
            found = self._fetched(f"{kind}/{tile_path(index)}", max_bytes)
        return found if found is not None else _missing(f"{kind}/{index}")

    def _fetched(self, path: str, max_bytes: int) -> bytes | None:
        """None for what is not found."""
        try:
            answer = self._get(f"{self._url}/{path}", max_bytes)
        except (OSError, http.client.HTTPException) as e:
            raise Unreachable(f"the log at {self._url} cannot be reached ({type(e).__name__})") from e
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return None
        if answer.status != http.HTTPStatus.OK:
            raise Unreachable(f"the log at {self._url} answers {answer.status} for {path}")
        return answer.content


def _missing(what: str) -> bytes:
    raise Unreachable(f"the log does not serve {what}")


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")  # a note with a replaced character is refused as a note
