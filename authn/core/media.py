"""Bytes that are about to be examined: limits and format sniffing before any decoder.

Decides whether a file may be looked at at all, and whether a decoder may get it. Pillow reads headers only;
nothing here decodes pixels, because an 874 kB PNG can cost a decoder gigabytes. Too many bytes are a refusal,
too many pixels are not: cryptographic evidence needs none. The bytes decide the type, never the name.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from authn.core.errors import MediaTooLarge, UnreadableMedia, UnsupportedMedia
from signer.core.sniff import by_brands
from signer.core.sniff import sniff as signable_type

MAX_MEDIA_BYTES = 256 * 1024 * 1024
MAX_PIXELS = 128_000_000
MAX_SIDECAR_BYTES = 64 * 1024 * 1024
SIDECAR_SUFFIX = ".c2pa"  # of a manifest store beside a file
LEAST_BYTES = 64  # the description of a manifest store alone is longer

_BY_PILLOW = frozenset(("image/webp", "image/tiff", "image/gif", "image/avif"))
_WITH_HEADER = frozenset((*_BY_PILLOW, "image/jpeg", "image/png"))
_SUFFIXES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".dng": "image/tiff", ".gif": "image/gif",
    ".heic": "image/heic", ".heif": "image/heic", ".avif": "image/avif", ".jxl": "image/jxl",
    ".mp4": "video/mp4", ".m4s": "video/mp4", ".mov": "video/quicktime", ".m4a": "audio/mp4",
    ".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".avi": "video/x-msvideo",
    ".svg": "image/svg+xml", ".pdf": "application/pdf",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    max_bytes: int = MAX_MEDIA_BYTES
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Media:
    """A whole file in memory. Engines get these bytes, so that an I/O fault can never look like tampering.

    ``sidecar``: a manifest store that came beside the file; it counts where the file embeds none.
    ``not_decoded``: why no decoder may get it, where none may."""

    data: bytes
    sha256: str
    media_type: str
    claimed_type: str | None
    name: str
    width: int | None = None
    height: int | None = None
    sidecar: bytes | None = None
    not_decoded: str = ""


def open_media(path: Path, limits: MediaLimits | None = None) -> Media:
    """A file, read completely and measured. Raises as ``unparsed_file`` and ``measured``."""
    return measured(unparsed_file(path, limits), limits)


def unparsed_file(path: Path, limits: MediaLimits | None = None) -> Media:
    """Read a file completely, and parse nothing in it. Raises ``UnreadableMedia`` for links, non-files, empty
    or unreadable files, ``MediaTooLarge`` over the limit, ``UnsupportedMedia`` for kinds not examined."""
    limits = limits or MediaLimits()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        if e.errno == errno.ELOOP:
            raise UnreadableMedia(f"{path.name} is a symbolic link; name the file it points to") from e
        raise UnreadableMedia(f"{path.name} cannot be opened: {e.strerror}") from e
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableMedia(f"{path.name or path} is {_no_file(status.st_mode)}")
        if status.st_size > limits.max_bytes:
            raise MediaTooLarge(f"{path.name} has {status.st_size} bytes; the limit is {limits.max_bytes}")
        with os.fdopen(fd, "rb", closefd=False) as f:
            data = f.read(limits.max_bytes + 1)
    except OSError as e:
        raise UnreadableMedia(f"{path.name} cannot be read: {e.strerror}") from e
    finally:
        os.close(fd)
    if len(data) != status.st_size:
        raise UnreadableMedia(f"{path.name} changed while it was read")
    return unparsed(data, path.name, limits)


def _no_file(mode: int) -> str:
    return "a folder; assay audit reports on all files in it" if stat.S_ISDIR(mode) else "not a regular file"


def media_of(data: bytes, name: str, limits: MediaLimits | None = None) -> Media:
    """Bytes that are already in memory, measured. Raises as ``unparsed`` and ``measured``."""
    return measured(unparsed(data, name, limits), limits)


def unparsed(data: bytes, name: str, limits: MediaLimits | None = None) -> Media:
    """Bytes that are already in memory (an upload, an archive member). Looks at no more than their beginning,
    so a process that must not be taken over may do it. Raises ``UnreadableMedia`` for no bytes,
    ``MediaTooLarge`` for too many, ``UnsupportedMedia`` for kinds that are not examined."""
    limits = limits or MediaLimits()
    if len(data) > limits.max_bytes:
        raise MediaTooLarge(f"{name} has {len(data)} bytes; the limit is {limits.max_bytes}")
    if not data:
        raise UnreadableMedia(f"{name} is empty")
    media_type = sniff(data)
    if media_type is None:
        raise UnsupportedMedia(f"{name} is not a kind of media that Assay examines")
    return Media(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=media_type,
        claimed_type=claimed_type(name),
        name=name,
    )


def with_sidecar(media: Media, store: bytes, name: str) -> Media:
    """The same media with a manifest store beside them. Raises ``MediaTooLarge`` and ``UnreadableMedia``."""
    if len(store) > MAX_SIDECAR_BYTES:
        raise MediaTooLarge(f"{name} has more than {MAX_SIDECAR_BYTES} bytes")
    if not store:
        raise UnreadableMedia(f"{name} is empty")
    return replace(media, sidecar=store)


def media_suffixes() -> tuple[str, ...]:
    """The endings of names that claim a media type, with their dot."""
    return tuple(_SUFFIXES)


def measured(media: Media, limits: MediaLimits | None = None) -> Media:
    """With the size that its header declares, and closed to decoders where that is over the limit. Runs a
    header parser, so strangers' files are measured in the confined process. Raises ``UnreadableMedia``."""
    most = (limits or MediaLimits()).max_pixels
    try:
        width, height = _header_size(media.data, media.media_type, most)
    except _BeyondPillow as e:
        return replace(media, not_decoded=str(e))
    if width is None and len(media.data) < LEAST_BYTES and media.media_type in _WITH_HEADER:
        held = f"{len(media.data)} bytes hold neither a picture nor a manifest"
        raise UnreadableMedia(f"{media.name} is cut: {held}")
    why = f"it declares {width} x {height} pixels; the limit is {most}" if _over(width, height, most) else ""
    return replace(media, width=width, height=height, not_decoded=why)


class _BeyondPillow(Exception):
    """The header declares so many pixels that Pillow does not say how many."""


def _over(width: int | None, height: int | None, most: int) -> bool:
    return width is not None and height is not None and width * height > most


def claimed_type(name: str) -> str | None:
    """The media type that a file name claims, if any."""
    return _SUFFIXES.get(PurePath(name).suffix.lower())


def sniff(data: bytes) -> str | None:
    """Media type by magic number, or None."""
    if (signable := signable_type(data)) is not None:
        return signable
    head = data[:64]
    if head[:4] == b"RIFF":  # of a form that is not examined, whatever follows it looks like
        return None
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if head[4:8] == b"ftyp":
        return by_brands(data)
    if head[4:8] in (b"moof", b"styp", b"sidx", b"moov"):
        return "video/mp4"
    if head.startswith((b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a")):
        return "image/jxl"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if b"<svg" in data[:1024] and head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return "image/svg+xml"
    return _sniff_sound(data)


def _sniff_sound(data: bytes) -> str | None:
    """An ID3 tag may stand before either kind (id3.org, v2.4 section 3.1)."""
    tagged, at = data.startswith(b"ID3"), 0
    if tagged:
        at = 10 + sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(data[6:10]))
    if data[at : at + 4] == b"fLaC":
        return "audio/flac"
    framed = data[0] == 0xFF and len(data) > 1 and data[1] & 0xE6 == 0xE2
    return "audio/mpeg" if tagged or framed else None


def _header_size(data: bytes, media_type: str, most: int) -> tuple[int | None, int | None]:
    """None where nobody could read it: cryptographic evidence needs no pixel, and nothing is decoded then."""
    if media_type == "image/heic":
        return _ispe_size(data)
    if media_type == "image/png":
        return _ihdr_size(data)
    if media_type == "image/jpeg":
        from detector.pixels.jpeg import jpeg_size  # not where media are only received

        return jpeg_size(data) or (None, None)
    if media_type == "image/avif" and _over(*_ispe_size(data), most):
        return _ispe_size(data)  # libavif refuses such a file without a word about its size
    return _pillow_size(data, media_type) if media_type in _BY_PILLOW else (None, None)


def _pillow_size(data: bytes, media_type: str) -> tuple[int | None, int | None]:
    """By the reader of the format itself: ``Image.open`` would keep a size over Pillow's own limit to itself.
    Raises ``_BeyondPillow`` where that reader does so too."""
    from PIL import AvifImagePlugin, GifImagePlugin, Image, ImageFile, TiffImagePlugin, WebPImagePlugin

    from detector.core.errors import NotApplicable, PixelsUnreadable
    from detector.pixels.guard import decoding

    reader: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
        "image/webp": WebPImagePlugin.WebPImageFile,
        "image/tiff": TiffImagePlugin.TiffImageFile,
        "image/gif": GifImagePlugin.GifImageFile,
        "image/avif": AvifImagePlugin.AvifImageFile,
    }
    try:
        with decoding(f"the {media_type} header"), reader[media_type](io.BytesIO(data)) as image:
            return image.size
    except NotApplicable as e:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise _BeyondPillow(f"it declares more than {most} pixels, and no limit allows that many") from e
    except PixelsUnreadable:
        return None, None


def _ihdr_size(data: bytes) -> tuple[int | None, int | None]:
    """The first chunk of a PNG (ISO/IEC 15948, 11.2.2); Pillow would also inflate text before the pixels and
    refuse what an image generator writes there."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        return None, None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if width and height else (None, None)


def _ispe_size(data: bytes) -> tuple[int | None, int | None]:
    """Largest ImageSpatialExtents of a HEIF file (ISO/IEC 23008-12, 6.5.3)."""
    best: tuple[int | None, int | None] = (None, None)
    area = 0
    at = data.find(b"ispe", 0, 65536)
    while at != -1:
        if len(data) >= at + 16:
            width, height = struct.unpack(">II", data[at + 8 : at + 16])
            if width * height > area:
                best, area = (width, height), width * height
        at = data.find(b"ispe", at + 4, 65536)
    return best
