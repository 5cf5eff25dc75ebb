"""Many files in one request: a form with several, or one zip archive. The limits of one upload hold for all.

An archive is taken apart here, by the one reader of the standard library that parses lengths and inflates;
nothing in its files is looked at but their first bytes. How long its table is is known before it is read.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest as HTTPBadRequest
from werkzeug.exceptions import RequestEntityTooLarge

from authn.core.config import Settings
from authn.core.errors import BadRequest, MediaError, MediaTooLarge, UnreadableMedia
from authn.core.media import Media, MediaLimits, unparsed
from authn.service.batches import Refused
from authn.web.screening import only
from authn.web.uploads import safe_name

MOST_FILES = 1000
ZIP_TYPES = ("application/zip", "application/x-zip-compressed")
MAX_TABLE_BYTES = 1 << 20
_END = b"PK\5\6"
_END_BYTES, _LOCATOR_BYTES = 22, 20
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came: ``same`` tells two requests apart; ``files`` may be read once."""

    same: tuple[tuple[str, str], ...]
    files: Iterator[Media | Refused]


def read_many(request: Request, settings: Settings, fields: tuple[str, ...]) -> Sent:
    """The files of a form's fields ``file``, or of one archive: the body, or the only file. Raises
    ``BadRequest``, ``MediaTooLarge``, ``UnreadableMedia``."""
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    request.max_form_parts = MOST_FILES + len(fields)
    try:
        if request.mimetype in ZIP_TYPES:
            return _from_archive(request.get_data(cache=False), limits)
        if request.mimetype == "multipart/form-data":
            return _from_form(request, limits, fields)
    except RequestEntityTooLarge as e:
        raise MediaTooLarge(f"a batch has at most {MOST_FILES} files and {limits.max_bytes} bytes") from e
    except HTTPBadRequest as e:
        raise BadRequest("the body cannot be taken apart, or ended before it was complete") from e
    raise BadRequest("send files as multipart/form-data, or one archive as application/zip")


def _from_form(request: Request, limits: MediaLimits, fields: tuple[str, ...]) -> Sent:
    files = request.files.getlist("file")
    only(request.form, fields, "field")
    only(
        MultiDict((n, None) for n, _ in request.files.items(multi=True) if n != "file"), (), "field of a file"
    )
    if len(files) == 1 and files[0].mimetype in ZIP_TYPES:
        return _from_archive(files[0].stream.read(), limits)
    if not 1 <= len(files) <= MOST_FILES:
        raise BadRequest(f"a batch has 1 to {MOST_FILES} files in the field 'file', not {len(files)}")
    read = [(safe_name(f.filename), f.stream.read()) for f in files]
    same = tuple((name, hashlib.sha256(data).hexdigest()) for name, data in read)
    return Sent(same=same, files=(_taken(data, name, limits) for name, data in read))


def _from_archive(data: bytes, limits: MediaLimits) -> Sent:
    _check_table(data)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as e:
        raise UnreadableMedia("the archive is not a zip archive that can be read") from e
    members = [m for m in archive.infolist() if not m.is_dir()]
    if not 1 <= len(members) <= MOST_FILES:
        raise BadRequest(f"a batch has 1 to {MOST_FILES} files, not {len(members)}")
    if sum(m.file_size for m in members) > limits.max_bytes:
        raise MediaTooLarge(f"unpacked, the archive has more than {limits.max_bytes} bytes")
    return Sent(same=(("", hashlib.sha256(data).hexdigest()),), files=_members(archive, members, limits))


def _check_table(data: bytes) -> None:
    """The reader of the standard library reads all of the table, however long: by the end of the archive its
    length is known before. Raises ``UnreadableMedia``."""
    at = len(data) - _END_BYTES
    if not (at >= 0 and data[at : at + 4] == _END and data[-2:] == b"\0\0"):
        at = data.rfind(_END, max(0, len(data) - (1 << 16) - _END_BYTES))
    if at < 0 or len(data) < at + _END_BYTES:
        raise UnreadableMedia("the archive is not a zip archive")
    (table_bytes,) = struct.unpack("<L", data[at + 12 : at + 16])
    if data[max(0, at - _LOCATOR_BYTES) : at].startswith(b"PK\6\7") or table_bytes > MAX_TABLE_BYTES:
        raise UnreadableMedia("the archive is of the large kind (zip64), or its table is too long")


def _members(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], limits: MediaLimits
) -> Iterator[Media | Refused]:
    left = limits.max_bytes
    for member in members:
        name = safe_name(member.filename)
        try:
            data = _unpacked(archive, member, left)
        except MediaError as e:
            yield Refused(name=name, why=e)
            continue
        left -= len(data)
        yield _taken(data, name, limits)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Raises ``UnreadableMedia``, ``MediaTooLarge``: what a table says of a size is a claim."""
    if member.flag_bits & 1 or member.compress_type not in _PLAIN:
        raise UnreadableMedia("it is encrypted, or packed in another way than stored and deflated")
    found = bytearray()
    try:
        with archive.open(member) as f:
            while chunk := f.read(_CHUNK_BYTES):
                found += chunk
                if len(found) > most:
                    raise MediaTooLarge("unpacked, the archive has more bytes than the limit")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, struct.error) as e:
        raise UnreadableMedia("the archive is damaged here") from e
    return bytes(found)


def _taken(data: bytes, name: str, limits: MediaLimits) -> Media | Refused:
    try:
        return unparsed(data, name, limits)
    except MediaError as e:
        return Refused(name=name, why=e)
