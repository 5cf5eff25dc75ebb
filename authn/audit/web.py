"""Addresses as inputs: a GET each, with the standard library; sizes and times bounded, redirects followed."""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
from typing import IO

from authn.audit.entry import PIECE_BYTES, Entry, too_large
from authn.core.errors import AuditError, MediaTooLarge, SourceUnreachable, UnreadableMedia
from authn.core.media import MediaLimits

SCHEMES = ("https://", "http://")
TIMEOUT_S = 60.0
_FAULTS = (urllib.error.URLError, http.client.HTTPException, OSError, ValueError)


def is_web(text: str) -> bool:
    return text.lower().startswith(SCHEMES)


def opened(address: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    """A list to be read. Raises ``AuditError``."""
    try:
        return urllib.request.urlopen(address, timeout=TIMEOUT_S)  # type: ignore[no-any-return] # noqa: S310
    except _FAULTS as e:
        if isinstance(e, urllib.error.HTTPError):
            e.close()
        raise AuditError(f"the list {address} cannot be fetched: {_why(e)}") from e


def read_address(entry: Entry, limits: MediaLimits) -> bytes:
    """Raises ``UnreadableMedia`` where there is nothing to be had, ``MediaTooLarge``, ``SourceUnreachable``
    where the machine does not answer or says that the trouble is its own."""
    try:
        with urllib.request.urlopen(entry.ref, timeout=TIMEOUT_S) as answer:  # noqa: S310 the caller's own list
            declared = answer.headers.get("Content-Length")
            return _whole(_bounded(answer, limits), declared)
    except (UnreadableMedia, MediaTooLarge):
        raise
    except urllib.error.HTTPError as e:
        e.close()
        if e.code >= 500 or e.code == 429:
            raise SourceUnreachable(f"{entry.ref}: the server says {e.code} {e.reason}") from e
        raise UnreadableMedia(f"the server says {e.code} {e.reason}") from e
    except http.client.IncompleteRead as e:
        raise UnreadableMedia(f"it ends after {len(e.partial)} bytes") from e
    except _FAULTS as e:
        raise SourceUnreachable(f"{entry.ref} does not answer: {_why(e)}") from e


def _whole(data: bytes, declared: str | None) -> bytes:
    if declared is not None and declared.isdecimal() and len(data) != int(declared):
        raise UnreadableMedia(f"it ends after {len(data)} of {declared} bytes")
    return data


def _bounded(answer: IO[bytes], limits: MediaLimits) -> bytes:
    pieces, size = [], 0
    while piece := answer.read(PIECE_BYTES):
        size += len(piece)
        if size > limits.max_bytes:
            raise too_large(size, limits)
        pieces.append(piece)
    return b"".join(pieces)


def _why(e: Exception) -> str:
    said = f"{e.code} {e.reason}" if isinstance(e, urllib.error.HTTPError) else getattr(e, "reason", None)
    return str(said or e)[:300]
