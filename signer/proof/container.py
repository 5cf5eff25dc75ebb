"""Where a C2PA manifest store lies inside a media file (C2PA 2.x section 11.3, "Embedding manifests").

``ManifestMalformed`` needs a store that was found: its first bytes name C2PA. A container that is broken, too
long or of an unknown kind, and in which no store was seen, is ``ContainerUnreadable``: nobody is accused for
the shape of a file (docs/decisions/0012-where-we-look-for-a-store.md).
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator

from signer.core.errors import ContainerUnreadable, ManifestMalformed, UnsupportedMedia
from signer.proof.containers import audio, boxes, documents, pictures
from signer.proof.containers.places import Budget, Finder, Place, Span, names_store


def read_manifest(data: bytes, media_type: str) -> bytes | None:
    """The manifest store, or None where the file was looked through and embeds none.

    Raises ``ManifestMalformed`` for a store that was found and is torn or doubled, ``ContainerUnreadable``
    where none was found but the file could not be looked through, ``UnsupportedMedia`` for a kind of
    container that is not read here.
    """
    found = manifest_place(data, media_type)
    return found.of(data) if found else None


def replace_manifest(data: bytes, media_type: str, manifest: bytes) -> bytes:
    """The same file with another store of exactly the same length. Raises as ``read_manifest``."""
    spans = manifest_spans(data, media_type)
    if sum(s.end - s.start for s in spans) != len(manifest):
        raise ManifestMalformed("the new manifest store has another length")
    out = bytearray(data)
    at = 0
    for span in spans:
        size = span.end - span.start
        out[span.start : span.end] = manifest[at : at + size]
        at += size
    if media_type == "image/png":
        _repair_png_checksum(out, spans[0])
    return bytes(out)


def manifest_spans(data: bytes, media_type: str) -> tuple[Span, ...]:
    """Spans of the file that hold the store, in order; empty without one. Raises as ``read_manifest``, and
    ``UnsupportedMedia`` where the container writes the store in another coding."""
    return spans_of(manifest_place(data, media_type), media_type)


def spans_of(found: Place | None, media_type: str) -> tuple[Span, ...]:
    """The same of a place that was found already. Raises ``UnsupportedMedia`` as ``manifest_spans``."""
    if found and found.content is not None:
        raise UnsupportedMedia(f"a manifest inside {media_type} is not written as it is")
    return found.spans if found else ()


def in_places(data: bytes, media_type: str) -> Iterator[bytes]:
    """What lies in each place for a manifest store, be it one or not, as far as the container can be read."""
    finder = _FINDERS.get(media_type)
    if finder is not None:
        with contextlib.suppress(ContainerUnreadable, struct.error, IndexError):
            for place in finder(data, Budget()):
                yield place.of(data)


def supports(media_type: str) -> bool:
    """Whether files of this type are looked through for a manifest store."""
    return media_type in _FINDERS


def has_more_parts(data: bytes, media_type: str, limit: int) -> bool:
    """Whether a container has more boxes, chunks, segments or tags than ``limit``; counts no further."""
    budget = Budget(limit)
    finder = _FINDERS.get(media_type)
    if finder is not None:
        with contextlib.suppress(ContainerUnreadable, struct.error, IndexError):
            for _ in finder(data, budget):
                pass
    return budget.spent


def manifest_place(data: bytes, media_type: str) -> Place | None:
    """Where the store lies, or None where there is none: two would let two readers look at different ones.
    Raises as ``read_manifest``."""
    stores, others, broken = [], 0, ""
    try:
        for place in _places(data, media_type):
            if names_store(place.head(data)):
                stores.append(place)
            else:
                others += 1
    except ContainerUnreadable as e:
        broken = e.detail
    except (struct.error, IndexError):
        broken = f"the {media_type} structure is broken"
    if len(stores) > 1:
        raise ManifestMalformed("the file embeds more than one manifest store")
    if stores:
        if stores[0].torn:
            raise ManifestMalformed("pieces of the manifest store are missing or doubled")
        return stores[0]
    if others:
        raise ContainerUnreadable("the place for a manifest store holds something that is none")
    if broken:
        raise ContainerUnreadable(broken)
    return None


def _places(data: bytes, media_type: str) -> Iterator[Place]:
    finder = _FINDERS.get(media_type)
    if finder is None:
        raise UnsupportedMedia(f"manifests inside {media_type} are not located here")
    return finder(data, Budget())


def _repair_png_checksum(out: bytearray, span: Span) -> None:
    checksum = zlib.crc32(out[span.start - 4 : span.end])
    out[span.end : span.end + 4] = struct.pack(">I", checksum)


_FINDERS: dict[str, Finder] = {
    "image/jpeg": pictures.jpeg,
    "image/png": pictures.png,
    "image/webp": boxes.riff,
    "audio/wav": boxes.riff,
    "video/x-msvideo": boxes.riff,
    "image/tiff": pictures.tiff,
    "image/gif": pictures.gif,
    "image/heic": boxes.bmff,
    "image/heif": boxes.bmff,
    "image/avif": boxes.bmff,
    "image/jxl": boxes.jxl,
    "image/svg+xml": documents.svg,
    "application/pdf": documents.pdf,
    "audio/mpeg": audio.id3,
    "audio/flac": audio.id3,
    "video/mp4": boxes.bmff,
    "video/quicktime": boxes.bmff,
    "audio/mp4": boxes.bmff,
}
