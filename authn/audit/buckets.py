"""Buckets as sources: S3, Google Cloud Storage and Azure, through ``obstore`` (``assay[buckets]``).

Credentials and endpoints come from where the clouds' own tools have them (``AWS_*``, ``GOOGLE_*``,
``AZURE_*``, or the machine's own role). An object is known by its entity tag and read only under it, so what
changed after it was listed is never taken for what was listed. Where the source itself does not answer, the
audit stops and goes on later: an outage is no property of a file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from authn.audit.entry import CHANGED, Entry, left_out, too_large
from authn.audit.inputs import ARCHIVE_NAMES
from authn.audit.names import shown
from authn.audit.select import EVERYTHING, Selection
from authn.core.errors import SourceRefused, SourceUnknown, SourceUnreachable, UnreadableMedia
from authn.core.extras import need
from authn.core.media import MediaLimits

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3://", "s3a://", "gs://", "az://", "azure://", "abfs://", "abfss://", "adl://")
RETRY_S = 60.0
_STATUS = re.compile(r"status code: (\d{3})")
_REFUSED = re.compile(  # some come as 400; a token that is not to be had comes as whatever its server said
    r"ExpiredToken|InvalidToken|InvalidAccessKeyId|AuthenticationFailed|Error performing token request"
)
TAG_STARTS = ('"', "W/")
LISTED_AT_ONCE = 1000
IN_ARCHIVE = "it is an archive in a bucket; only archives in folders are opened"


def is_bucket(text: str) -> bool:
    return text.lower().startswith(SCHEMES)


class BucketInputs:
    """The objects of a bucket below the prefix that its address names."""

    def __init__(self, url: str, limits: MediaLimits, *, select: Selection = EVERYTHING) -> None:
        self._url = url
        self._limits = limits
        self._select = select
        self._store = open_store(url)

    def entries(self) -> Iterator[Entry]:
        for found in self._listed():
            entry = self._entry(found)
            if self._select.takes(entry.name):
                yield entry

    def places(self) -> Iterator[tuple[str, int]]:
        return ((e.ref, e.size) for e in self.entries())

    def _listed(self) -> Iterator[Any]:
        import obstore

        with _failing(self._url):
            for chunk in obstore.list(self._store, chunk_size=LISTED_AT_ONCE):
                yield from (found for found in chunk if not found["path"].endswith("/"))

    def _entry(self, found: Any) -> Entry:
        path, size = found["path"], found["size"]
        if path.lower().endswith(ARCHIVE_NAMES):
            return left_out(path, path, UnreadableMedia(IN_ARCHIVE), size=size)
        if size > self._limits.max_bytes:
            return left_out(path, path, too_large(size, self._limits), size=size)
        return Entry(name=shown(path), ref=path, size=size, mark=mark_of(found))

    def read(self, entry: Entry) -> bytes:
        return read_object(self._store, self._url, entry, self._limits)

    def close(self) -> None:
        """Connections end with the process."""


def open_store(url: str) -> ObjectStore:
    """Raises ``SystemLacking`` without the extra, ``SourceUnknown`` for an address that is none."""
    need("buckets")
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        return from_url(url, retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=RETRY_S)})
    except (BaseError, ValueError) as e:
        raise SourceUnknown(f"{url} is no address of a bucket: {_first_line(e)}") from e


def mark_of(found: Any) -> str:
    """The entity tag, as a request may ask for it; where there is none, the time of change. Azure's listing
    leaves out the quotes that its answers have."""
    tag = found.get("e_tag")
    if not tag:
        return str(found["last_modified"].isoformat())
    return str(tag) if tag.startswith(TAG_STARTS) else f'"{tag}"'


def read_object(store: ObjectStore, url: str, entry: Entry, limits: MediaLimits) -> bytes:
    """The whole object as it was listed; as it is now where nobody has listed it (no ``mark``). Raises as
    ``Inputs.read``."""
    import obstore
    from obstore.exceptions import (
        PermissionDeniedError,
        PreconditionError,
    )

    tagged = entry.mark.startswith(TAG_STARTS)
    try:
        with _failing(url, passing=(FileNotFoundError, PreconditionError, PermissionDeniedError)):
            got = obstore.get(store, entry.ref, options={"if_match": entry.mark} if tagged else {})
            size = int(got.meta["size"])
            if entry.mark and (size, mark_of(got.meta)) != (entry.size, entry.mark):
                raise UnreadableMedia(CHANGED)
            if size > limits.max_bytes:
                raise too_large(size, limits)
            data = bytes(got.bytes())
    except FileNotFoundError as e:
        _still_there(store, url)
        raise UnreadableMedia("it is gone since the audit was planned") from e
    except PreconditionError as e:
        raise UnreadableMedia(CHANGED) from e
    except PermissionDeniedError as e:
        _still_there(store, url)  # the key still opens the bucket, so this object is closed to it
        raise UnreadableMedia("the bucket does not give it: permission denied") from e
    if len(data) != size:
        raise UnreadableMedia(f"it ends after {len(data)} of {size} bytes")
    return data


def _still_there(store: ObjectStore, url: str) -> None:
    """Raises ``SourceUnknown``, ``SourceRefused`` or ``SourceUnreachable`` where it is the bucket."""
    import obstore

    with _failing(url):
        next(iter(obstore.list(store, chunk_size=1)), None)


@contextmanager
def _failing(url: str, *, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """What the store says, as an error of ours; ``passing`` go through as they are. Listing has one kind of
    error for everything: the server's status and code stand in its text."""
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    started_s = time.monotonic()
    try:
        yield
    except passing:
        raise
    except (BaseError, TimeoutError, OSError) as e:
        status = _STATUS.search(str(e))
        code = status[1] if status else ""
        refused = isinstance(e, PermissionDeniedError | UnauthenticatedError) or code in ("401", "403")
        if refused or _REFUSED.search(str(e)):
            raise SourceRefused(f"{url} does not let us in: {_first_line(e)}") from e
        if isinstance(e, FileNotFoundError) or code == "404":
            raise SourceUnknown(f"{url} does not exist: {_first_line(e)}") from e
        waited_s = time.monotonic() - started_s
        raise SourceUnreachable(f"{url} does not answer ({waited_s:.0f} s): {_first_line(e)}") from e


def _first_line(e: Exception) -> str:
    """An error of ``obstore`` has its debugging form in the lines after the first."""
    return str(e).strip().partition("\n")[0][:300]
