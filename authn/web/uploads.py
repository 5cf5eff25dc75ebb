"""Reading what a client sends, with every limit applied while it streams in, and nothing on disk.

Content-Length may lie and chunked bodies have none: the limit counts the bytes that really arrive. How long a
client may take, and how many wait, is decided before (``authn.web.front``).
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
from dataclasses import replace
from datetime import datetime
from typing import IO

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest as HTTPBadRequest
from werkzeug.exceptions import RequestEntityTooLarge

from authn.core.config import Settings
from authn.core.errors import BadRequest, MediaTooLarge, UnreadableMedia, UnsupportedMedia
from authn.core.instants import parse_instant
from authn.core.media import Media, MediaLimits, unparsed, with_sidecar
from authn.web.screening import only

MULTIPART_OVERHEAD_BYTES = 64 * 1024
MAX_JSON_BYTES = 32 * 1024
SIDECAR = "manifest"
ORIGINAL = "original"
MAX_NAME_CHARACTERS = 200
RAW_TYPES = ("image/", "video/", "audio/")
OTHER_RAW_TYPES = ("application/octet-stream", "application/pdf")

_LOST_PLUS = re.compile(r" ([0-9]{2}:[0-9]{2})$")


class MemoryRequest(Request):
    """Keeps uploaded files in memory, which the limits bound; the default writes them to a shared disk."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()


def read_media(
    request: Request, settings: Settings, fields: tuple[str, ...] = (), *, sidecar: bool = False
) -> Media:
    """The file of a multipart form's one field ``file``, or the raw body. ``fields`` may stand beside it;
    with ``sidecar`` so may a manifest store, as the file ``manifest``.

    Raises ``MediaTooLarge``, ``UnsupportedMedia``, ``UnreadableMedia`` as ``unparsed``, ``BadRequest`` for a
    form that is not one, or has a field that nobody asked for.
    """
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    try:
        if request.mimetype == "multipart/form-data":
            return _from_form(request, limits, fields, others=(SIDECAR,) if sidecar else ())
        return _from_body(request, limits)
    except RequestEntityTooLarge as e:
        raise MediaTooLarge(
            f"the upload has more than {limits.max_bytes} bytes, or its form has more than one file needs"
        ) from e


def read_pair(request: Request, settings: Settings, fields: tuple[str, ...] = ()) -> tuple[Media, Media]:
    """The files ``file`` and ``original`` of a multipart form; together no larger than one file may be.
    Raises as ``read_media``."""
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    if request.mimetype != "multipart/form-data":
        raise BadRequest("send two files as multipart/form-data, in the fields 'file' and 'original'")
    try:
        file = _from_form(request, limits, fields, others=(ORIGINAL,))
        given = request.files.getlist(ORIGINAL)
    except RequestEntityTooLarge as e:
        raise MediaTooLarge(f"the two files together have more than {limits.max_bytes} bytes") from e
    if len(given) != 1 or not given[0].filename:
        raise BadRequest("the form must have exactly one file in the field 'original' too")
    return file, unparsed(given[0].stream.read(), safe_name(given[0].filename), limits)


def read_json(request: Request, fields: tuple[str, ...]) -> tuple[str, ...]:
    """The values of exactly these string fields of a JSON object. Raises ``BadRequest``; a body over
    ``MAX_JSON_BYTES`` raises werkzeug's ``RequestEntityTooLarge``."""
    found = read_object(request, MAX_JSON_BYTES)
    if strangers := found.keys() - set(fields):
        raise BadRequest(f"unknown field {min(strangers)[:40]!r}; known are {', '.join(fields)}")
    return string_fields(found, fields)


def read_object(request: Request, most: int) -> dict[str, object]:
    """One JSON object of at most ``most`` bytes, in which no name stands twice. Raises as ``read_json``."""
    request.max_content_length = most
    if request.mimetype != "application/json":
        raise BadRequest("send a JSON object as application/json")
    try:
        found = json.loads(request.get_data(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as e:
        raise BadRequest("the body is not JSON") from e
    if not isinstance(found, dict):
        raise BadRequest("the body is not a JSON object")
    return found


def string_fields(found: dict[str, object], fields: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ``BadRequest`` for one that is missing or no string."""
    values = tuple(found.get(name) for name in fields)
    for name, value in zip(fields, values, strict=True):
        if not isinstance(value, str):
            raise BadRequest(f"the field {name!r} is missing or is not a string")
    return tuple(str(value) for value in values)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def parse_as_of(text: str | None) -> datetime | None:
    """The field or query ``as_of``; None stays None. Raises ``BadRequest``."""
    if text is None:
        return None
    # A space before the offset is what a plus sign becomes in a query string that was not encoded.
    return parse_instant(_LOST_PLUS.sub(r"+\1", text.strip()), "as_of")


def parse_flag(name: str, text: str | None) -> bool | None:
    """``true`` or ``false``; None stays None. Raises ``BadRequest``."""
    if text is None:
        return None
    if text not in ("true", "false"):
        raise BadRequest(f"{name} must be true or false")
    return text == "true"


def _from_form(
    request: Request, limits: MediaLimits, fields: tuple[str, ...], *, others: tuple[str, ...]
) -> Media:
    try:
        files = request.files.getlist("file")
    except HTTPBadRequest as e:
        raise BadRequest("the form cannot be parsed") from e
    only(request.form, fields, "field")
    beside = MultiDict((name, None) for name, _ in request.files.items(multi=True) if name != "file")
    only(beside, others, "field of a file")
    if len(files) != 1:
        raise BadRequest(f"the form must have exactly one file in the field 'file', not {len(files)}")
    data = files[0].stream.read()
    if not data and not files[0].filename:
        raise UnreadableMedia("no file was chosen")
    media = unparsed(data, safe_name(files[0].filename), limits)
    if not media.claimed_type:
        media = replace(media, claimed_type=_claim(files[0].mimetype))
    store = request.files.get(SIDECAR) if SIDECAR in others else None
    # A browser sends a field in which no file was chosen.
    return with_sidecar(media, store.stream.read(), SIDECAR) if store and store.filename else media


def _from_body(request: Request, limits: MediaLimits) -> Media:
    kind = request.mimetype
    if not kind.startswith(RAW_TYPES) and kind not in OTHER_RAW_TYPES:
        raise UnsupportedMedia("send the file as multipart/form-data, or raw with its own Content-Type")
    try:
        data = request.get_data(cache=False)
    except HTTPBadRequest as e:
        raise BadRequest("the body ended before it was complete") from e
    return replace(unparsed(data, "upload", limits), claimed_type=_claim(kind))


def _claim(mimetype: str) -> str | None:
    return None if mimetype in ("", "application/octet-stream") else mimetype


def safe_name(name: str | None) -> str:
    """The last part of a client's file name, without control and direction characters."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if unicodedata.category(c)[0] != "C")
    return kept[-MAX_NAME_CHARACTERS:].strip() or "upload"
