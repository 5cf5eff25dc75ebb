"""The places in sounds, drawings, documents and boxes: as a writer may write them, and as an attacker may."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
import time
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, TextStringObject

from signer.core.errors import ContainerUnreadable, ManifestMalformed, UnsupportedMedia
from signer.proof.container import read_manifest, replace_manifest
from signer.proof.containers.places import MAX_PARTS
from tests.doubles.containers import JXL_SIGNATURE, box, id3_frame, id3_tag, jumbf, unsigned

STORE = box(
    b"jumb",
    box(b"jumd", bytes.fromhex("6332706100110010800000aa00389b71") + b"\x03c2pa\0")
    + box(b"jumb", b"\xff\0\xff\xe0" * 40),
)
HEADER = b"\x03application/c2pa\0c2pa\0a store\0"
WIDE = b"\x01application/c2pa\0\xff\xfec\0\0\0\xff\xfea\0\0\1b\0\0\0"


def unsynchronised(body: bytes) -> bytes:
    """What ID3 does to bytes that look like a frame of sound (v2.4, section 6.1)."""
    return body.replace(b"\xff\0", b"\xff\0\0").replace(b"\xff\xe0", b"\xff\0\xe0")


SOUNDS = {
    "version 2.4": id3_tag(id3_frame(b"TIT2", b"\x03a"), id3_frame(b"GEOB", HEADER + STORE)),
    "version 2.3": id3_tag(id3_frame(b"GEOB", HEADER + STORE, 3), version=3),
    "version 2.2": id3_tag(id3_frame(b"GEO", HEADER + STORE, 2), version=2),
    "UTF-16": id3_tag(id3_frame(b"GEOB", WIDE + STORE)),
    "the older type": id3_tag(
        id3_frame(b"GEOB", b"\0application/x-c2pa-manifest-store\0\0\0" + STORE)
    ),
    "a frame unsynchronised": id3_tag(id3_frame(b"GEOB", unsynchronised(HEADER + STORE), flags=b"\0\x02")),
    "a frame with its length": id3_tag(id3_frame(b"GEOB", bytes(4) + HEADER + STORE, flags=b"\0\x01")),
    "an extended header": id3_tag(b"\0\0\0\x06\x01\0", id3_frame(b"GEOB", HEADER + STORE), flags=0x40),
    "objects of others beside it": id3_tag(
        id3_frame(b"GEOB", b"\0text/plain\0\0\0hello"), id3_frame(b"GEOB", HEADER + STORE)
    ),
}  # fmt: skip


@pytest.mark.parametrize("tag", SOUNDS.values(), ids=list(SOUNDS))
@pytest.mark.parametrize("kind", ["audio/mpeg", "audio/flac"])
def test_a_store_in_the_tag_of_a_sound_is_found(tag: bytes, kind: str) -> None:
    found = read_manifest(tag + unsigned()[kind], kind)
    assert found is not None
    assert found.rstrip(b"\0") == STORE.rstrip(b"\0")


def test_a_tag_that_is_unsynchronised_as_a_whole_is_read() -> None:
    body = unsynchronised(id3_frame(b"GEOB", HEADER + STORE, 3))
    assert read_manifest(id3_tag(body, version=3, flags=0x80), "audio/mpeg") == STORE


SOUNDLESS = {
    "a frame beyond its tag": id3_tag(b"GEOB" + b"\0\0\x7f\x7f\0\0" + HEADER),
    "a tag beyond the file": id3_tag(id3_frame(b"TIT2", b"\x03a"))[:-15],
    "a compressed object": id3_tag(id3_frame(b"GEOB", zlib.compress(HEADER + STORE), flags=b"\0\x08")),
    "version 9": id3_tag(version=9),
    "a size of no kind": b"ID3\4\0\0\xff\xff\xff\xff" + bytes(99),
    "an object of C2PA that is none": id3_tag(id3_frame(b"GEOB", HEADER + b"hello")),
    "countless frames": id3_tag(*[id3_frame(b"GEOB", b"")] * (MAX_PARTS + 1)),
}


@pytest.mark.parametrize("tag", SOUNDLESS.values(), ids=list(SOUNDLESS))
def test_a_tag_that_cannot_be_looked_through_is_said_so(tag: bytes) -> None:
    with pytest.raises(ContainerUnreadable):
        read_manifest(tag, "audio/mpeg")


def test_two_objects_of_c2pa_are_two_stores() -> None:
    with pytest.raises(ManifestMalformed, match="more than one"):
        read_manifest(id3_tag(*[id3_frame(b"GEOB", HEADER + STORE)] * 2), "audio/mpeg")


def drawing(metadata: bytes, *, doctype: bytes = b"") -> bytes:
    return (
        b'<?xml version="1.0"?>'
        + doctype
        + b'<svg xmlns="http://www.w3.org/2000/svg">'
        + metadata
        + b"<g/></svg>"
    )


def manifest(text: bytes) -> bytes:
    ours = b'<c2pa:manifest xmlns:c2pa="http://c2pa.org/manifest">' + text + b"</c2pa:manifest>"
    return b"<metadata>" + ours + b"</metadata>"


BASE64 = base64.b64encode(STORE)
DRAWINGS = {
    "one line": drawing(manifest(BASE64)),
    "many lines": drawing(manifest(b"\n  ".join(BASE64[i : i + 60] for i in range(0, len(BASE64), 60)))),
    "CDATA": drawing(manifest(b"<![CDATA[" + BASE64 + b"]]>")),
    "a DTD elsewhere": drawing(
        manifest(BASE64), doctype=b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://127.0.0.1:9/svg11.dtd">'
    ),
    "entities of an editor": drawing(
        manifest(BASE64), doctype=b'<!DOCTYPE svg [<!ENTITY ns_svg "http://www.w3.org/2000/svg">]>'
    ),
    "broken behind it": drawing(manifest(BASE64))[:-6] + b"<",
    "UTF-16": drawing(manifest(BASE64)).decode().encode("utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("data", DRAWINGS.values(), ids=list(DRAWINGS))
def test_a_store_in_the_metadata_of_a_drawing_is_found(data: bytes) -> None:
    assert read_manifest(data, "image/svg+xml") == STORE


ELSEWHERE = {
    "in a group": drawing(b"<g>" + manifest(BASE64) + b"</g>"),
    "in a comment": drawing(b"<!--" + manifest(BASE64) + b"-->"),
    "in an attribute": drawing(b'<metadata a="' + BASE64 + b'"/>'),
    "of another prefix": drawing(manifest(BASE64).replace(b"c2pa:", b"x:")),
}  # fmt: skip


@pytest.mark.parametrize("data", ELSEWHERE.values(), ids=list(ELSEWHERE))
def test_what_stands_elsewhere_in_a_drawing_is_no_store(data: bytes) -> None:
    assert read_manifest(data, "image/svg+xml") is None


LAUGHS = b"<!DOCTYPE svg [<!ENTITY a0 'ha'>" + b"".join(
    f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>".encode() for i in range(1, 10)
)
HOSTILE_DRAWINGS = {
    "no XML": b"<svg <<<" + manifest(BASE64),
    "a billion laughs": drawing(manifest(b"&a9;"), doctype=LAUGHS + b"]>"),
    "placeholder": drawing(manifest(b"here be a manifest")),
    "countless elements": drawing(b"<a/>" * (MAX_PARTS + 1) + manifest(BASE64)),
    "no end": drawing(b"<a>" * (MAX_PARTS + 1) + manifest(BASE64)),
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><svg>' + manifest(BASE64),
    "one endless attribute": b"<svg c2pa:manifest='" + b"a" * 30_000_000,
    "longer than any drawing": drawing(manifest(BASE64) + b" " * 65 * 1024 * 1024),
}


@pytest.mark.parametrize("data", HOSTILE_DRAWINGS.values(), ids=list(HOSTILE_DRAWINGS))
def test_a_hostile_drawing_costs_little_and_is_not_looked_through(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ContainerUnreadable):
        read_manifest(data, "image/svg+xml")
    assert time.process_time() - began < 5


@pytest.mark.parametrize("data", [b"<svg <<<", b"<svg " + b"a" * 10_000_000], ids=["no XML", "endless"])
def test_a_drawing_that_names_no_manifest_has_none_however_broken_it_is(data: bytes) -> None:
    assert read_manifest(data, "image/svg+xml") is None


def test_a_drawing_opens_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(BASE64)
    external = f'<!DOCTYPE svg [<!ENTITY store SYSTEM "{secret.as_uri()}">]>'.encode()
    with pytest.raises(ContainerUnreadable):  # the place is there, and empty
        read_manifest(drawing(manifest(b"&store;"), doctype=external), "image/svg+xml")


def document(*contents: bytes, relationship: str = "/C2PA_Manifest", deflated: bool = False) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    associated = ArrayObject()
    for content in contents:
        stream = DecodedStreamObject()
        stream.set_data(content)
        file = writer._add_object(stream.flate_encode() if deflated else stream)
        spec = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Filespec"),
                NameObject("/AFRelationship"): NameObject(relationship),
                NameObject("/UF"): TextStringObject("manifest.c2pa"),
                NameObject("/EF"): DictionaryObject({NameObject("/F"): file}),
            }
        )
        associated.append(writer._add_object(spec))
    writer.root_object[NameObject("/AF")] = associated
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


ENDING = b"\nstartxref\n9\n%%EOF"


@pytest.mark.parametrize("deflated", [False, True])
def test_a_store_that_a_document_associates_is_found(deflated: bool) -> None:
    assert read_manifest(document(STORE, deflated=deflated), "application/pdf") == STORE


def test_other_files_of_a_document_are_no_store() -> None:
    assert read_manifest(document(STORE, relationship="/Data"), "application/pdf") is None


def test_two_manifests_of_a_document_are_two_stores() -> None:
    with pytest.raises(ManifestMalformed, match="more than one"):
        read_manifest(document(STORE, STORE), "application/pdf")


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n" + bytes(100),
        unsigned()["application/pdf"][:300],
        document(b"hello"),
        b"%PDF-1.7\n1 0 obj" + b"[" * 100_000 + ENDING,
        document(STORE)[:200],
        b"%PDF-1.7\n" + b" " * 20_000_000 + ENDING,
        b"%PDF-1.7\n" + b"\n" * 20_000_000 + ENDING,
        b"%PDF-1.7\n" + b"1" * 20_000_000 + ENDING,
        b"%PDF-1.7\n" + b"1 0 obj\n<<>>\nendobj\n" * 500_000 + ENDING,
    ],
    ids=[
        "zeros", "cut", "no store in the place", "deep", "cut before the store", "endless spaces",
        "endless lines", "an endless number", "countless objects",
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_read_is_said_so_and_costs_little(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ContainerUnreadable):
        read_manifest(data, "application/pdf")
    assert time.process_time() - began < 5


def gif_extension(name: bytes, body: bytes) -> bytes:
    blocks = b"".join(bytes([b - a]) + body[a:b] for a, b in pairwise((*range(0, len(body), 255), len(body))))
    return b"\x21\xff\x0b" + name + blocks + b"\0"


def test_the_application_extension_of_a_gif_is_found_between_the_pictures() -> None:
    picture = unsigned()["image/gif"]
    data = picture[:-1] + gif_extension(b"C2PA_GIF\1\0\0", STORE) + b";"
    assert read_manifest(data, "image/gif") == STORE
    assert read_manifest(picture[:-1] + gif_extension(b"NETSCAPE2.0", STORE) + b";", "image/gif") is None
    other = STORE[:-1] + b"!"
    assert read_manifest(replace_manifest(data, "image/gif", other), "image/gif") == other


def test_a_box_of_c2pa_in_a_jpeg_xl_is_found_among_others() -> None:
    head = JXL_SIGNATURE + box(b"ftyp", b"jxl \0\0\0\0jxl ") + jumbf(b"jlink")
    assert read_manifest(head + STORE + box(b"jxlc", b"\xff\x0a"), "image/jxl") == STORE
    assert read_manifest(head + box(b"jxlc", b"\xff\x0a"), "image/jxl") is None
    assert read_manifest(b"\xff\x0a" + bytes(200), "image/jxl") is None


def test_a_tag_of_a_big_tiff_is_found() -> None:
    entry = struct.pack("<HHQQ", 0xCD41, 7, len(STORE), 16 + 8 + 20 + 8)
    data = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1) + entry + struct.pack("<Q", 0) + STORE
    assert read_manifest(data, "image/tiff") == STORE


def test_a_store_in_another_coding_cannot_be_replaced() -> None:
    with pytest.raises(UnsupportedMedia):
        replace_manifest(drawing(manifest(BASE64)), "image/svg+xml", STORE)


def test_a_broken_document_writes_nothing_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        for data in (unsigned()["application/pdf"][:-30], document(STORE)[:-200]):
            with contextlib.suppress(ContainerUnreadable):
                read_manifest(data, "application/pdf")
    assert caplog.records == []
