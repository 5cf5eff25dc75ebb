"""A photo is never harmed: what is signed holds every part of it, and who would change one says which."""

from __future__ import annotations

import io
import os
import random
import shutil
import struct
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pillow_heif
import pytest
from c2pa import Builder, C2paSigningAlg, Context, Signer

from signer.capture import sign_file
from signer.claim import CaptureClaim, DeviceAssertion, manifest_definition
from signer.core.errors import InputRefused, PhotoWouldChange, SignerError, UnreadableMedia, UnsupportedMedia
from signer.embed.bmff import make_room
from signer.embed.tiff import MAX_PAGES, layout
from signer.formats import media_type_of
from signer.proof.container import read_manifest
from signer.unharmed import refuse_harm
from tests.bench.unharmed import seen_by_others, signed_or_refused, tags_of
from tests.doubles import makers
from tests.doubles.devices import Camera
from tests.doubles.iso import box, boxes_of, rebuilt_heif
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.readers import read_with_c2pa, read_with_encypher

pillow_heif.register_heif_opener()
MADE = makers.PHOTOS | makers.FILMS


@pytest.fixture(scope="module")
def signed(pki: TestPki) -> dict[str, tuple[bytes, str, bytes]]:
    """Of every kind that is made here: the photo, its type, the signed photo."""
    made = {name: make() for name, make in MADE.items()}
    return {name: (data, *signed_or_refused(data, name, pki)) for name, data in made.items()}


@pytest.mark.parametrize("name", MADE)
def test_everybody_else_sees_in_the_signed_file_what_was_in_the_photo(
    pki: TestPki, signed: dict[str, tuple[bytes, str, bytes]], name: str
) -> None:
    before, media_type, after = signed[name]
    seen = [seen_by_others(data, media_type, Path(name).suffix, tags=False) for data in (before, after)]
    assert seen[0] == seen[1]
    assert any(not isinstance(answer, str) for answer in seen[0].values())  # somebody could read it at all
    assert read_manifest(after, media_type)
    for reading in (read_with_c2pa(after, media_type, pki), read_with_encypher(after, media_type, pki)):
        assert (reading.state, reading.failure) == ("Trusted", ())


def test_exiftool_reads_the_same_tags_before_and_after(
    signed: dict[str, tuple[bytes, str, bytes]], tmp_path: Path
) -> None:
    for i, folder in ((0, "before"), (2, "after")):
        (tmp_path / folder).mkdir()
        for name in MADE:
            (tmp_path / folder / name).write_bytes(signed[name][i])
    before, after = (tags_of([tmp_path / folder / name for name in MADE]) for folder in ("before", "after"))
    assert len(before) == len(MADE)
    assert dict(zip(MADE, after, strict=True)) == dict(zip(MADE, before, strict=True))


HARMED_ONCE = (
    "heic-iloc/iloc_v0_base0_exif.heic", "heic-iloc/iloc_v1_bo4_single.heic",
    "heic-iloc/iloc_v1_bo4_two.heic", "containers/two_page.tif", "containers/float_rgb.tif",
    "containers/gainmap_gammazero_libavif.avif", "not-a-credential/scan_63_pages.tif",
    "not-a-credential/scan_64_pages.tif", "not-a-credential/jpegxt_three_boxes.jpg",
)  # fmt: skip


@pytest.mark.parametrize("name", HARMED_ONCE)
def test_files_that_were_harmed_once_are_signed_and_stamped_whole(
    camera: Camera, tmp_path: Path, suites: Path, name: str
) -> None:
    path = tmp_path / Path(name).name
    shutil.copy(suites / "found" / name, path)
    before = path.read_bytes()
    done = sign_file(path, camera.identity, spool=camera.spool, key=camera.key)
    assert camera.spool.stamp_all(camera.stamp, camera.pki.tsa_roots).stamped == (done.entry,)
    after = path.read_bytes()
    refuse_harm(before, after, done.media_type, path.name)
    seen = [seen_by_others(data, done.media_type, path.suffix, tags=True) for data in (before, after)]
    assert seen[0] == seen[1]
    for reading in (
        read_with_c2pa(after, done.media_type, camera.pki),
        read_with_encypher(after, done.media_type, camera.pki),
    ):
        assert (reading.state, reading.failure) == ("Trusted", ())


def by_the_engine_alone(data: bytes, media_type: str, pki: TestPki) -> bytes:
    """The engine embeds as it likes to, and looks at nothing afterwards."""
    leaf = pki.leaf()
    claim = CaptureClaim(
        title="x",
        captured_at=datetime.now(UTC),
        device=DeviceAssertion(device_id="d", counter=1, nonce=bytes(16)),
    )
    settings = {
        "trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.36\n"},
        "verify": {"verify_after_sign": False},
    }
    out = io.BytesIO()
    with (
        Signer.from_callback(lambda _: bytes(64), C2paSigningAlg.ES256, leaf.chain_pem.decode()) as signer,
        Builder(manifest_definition(claim), context=Context.from_dict(settings)) as builder,
    ):
        builder.sign(signer, media_type, io.BytesIO(data), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("iloc_v1_base0_index4.heic", r"item 1 \(hvc1\)"),
        ("iloc_base_at_the_first.heic", r"item 2 \(EXIF\)"),
        ("two_pages.tif", "page 3 would be added"),
        ("fragments.mp4", "mfra/tfra"),
    ],
)
def test_a_writer_that_harms_is_caught_and_the_part_is_named(pki: TestPki, name: str, part: str) -> None:
    data = MADE[name]()
    media_type = media_type_of(data, name)
    with pytest.raises(PhotoWouldChange, match=part):
        refuse_harm(data, by_the_engine_alone(data, media_type, pki), media_type, name)


def test_a_refusal_leaves_the_photo_byte_for_byte_and_drops_nothing_into_the_spool(
    camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    os.utime(tmp_path / "a.jpg", ns=(10**18, 10**18))
    harmed = photo(seed=1)
    monkeypatch.setattr("signer.capture.sign_media", lambda *_: harmed)
    with pytest.raises(PhotoWouldChange, match=r"a\.jpg was left as it is: signing would change"):
        sign_file(tmp_path / "a.jpg", camera.identity, spool=camera.spool)
    assert (tmp_path / "a.jpg").read_bytes() == photo()
    assert (tmp_path / "a.jpg").stat().st_mtime_ns == 10**18
    assert camera.spool.pending() == ()
    assert {p.name for p in tmp_path.iterdir()} == {"a.jpg", "home"}


@pytest.mark.parametrize("name", ["fragments.mp4", "based_fragments.mp4"])
def test_the_index_of_a_fragmented_film_still_points_at_its_fragments(
    signed: dict[str, tuple[bytes, str, bytes]], name: str
) -> None:
    for data in (signed[name][0], signed[name][2]):
        index = dict(boxes_of(dict(boxes_of(data))[b"mfra"]))[b"tfra"]
        assert index[0] == 1  # 64-bit times and offsets
        (count,) = struct.unpack_from(">I", index, 12)
        size = (len(index) - 16) // count
        offsets = [struct.unpack_from(">Q", index, 16 + i * size + 8)[0] for i in range(count)]
        assert count > 1
        assert {data[offset + 4 : offset + 8] for offset in offsets} == {b"moof"}


@pytest.mark.parametrize("name", MADE)
def test_no_byte_of_a_photo_changes_unnoticed(name: str, signed: dict[str, tuple[bytes, str, bytes]]) -> None:
    """Any byte of the signed file outside the manifest; those that say how long it is are no part of it."""
    before, media_type, after = signed[name]
    refuse_harm(before, after, media_type, name)
    store = read_manifest(after, media_type) or b""
    noise = random.Random(name)
    noticed, tried = 0, 0
    begin = after.find(store[:64])
    for _ in range(60):
        at = noise.randrange(len(after))
        if begin - 64 <= at < begin + len(store) + 64:
            continue
        changed = bytearray(after)
        changed[at] ^= 1 << noise.randrange(8)
        tried += 1
        with suppress(PhotoWouldChange):
            refuse_harm(before, bytes(changed), media_type, name)
            continue
        noticed += 1
    # Not noticed: where a TIFF's or a RIFF's own length or new directory says something about the manifest.
    assert noticed >= 0.8 * tried


def with_box_in_moov(kind: bytes, content: bytes) -> bytes:
    top = boxes_of(makers.FILMS["last.mp4"]())
    return b"".join(box(k, v, box(kind, content)) if k == b"moov" else box(k, v) for k, v in top)


def elsewhere() -> bytes:
    """A film whose samples lie in another file."""
    data = bytearray(makers.FILMS["film.mov"]())
    at = data.index(b"dref")
    data[at + 23] = 0  # the flag that says: in this file
    return bytes(data)


def too_far() -> bytes:
    """A position that leaves no room to grow."""
    data = bytearray(rebuilt_heif(makers.heif(), base_size=4))
    base = data.index(b"iloc") + 18
    data[base : base + 4] = b"\xff" * 4
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: with_box_in_moov(b"cmov", b"\0" * 40), "compressed"),
        (lambda: with_box_in_moov(b"gps ", b"\0" * 40), "table of positions"),
        (elsewhere, "another file"),
        (too_far, "no room to grow"),
    ],
    ids=["compressed header", "positions of a maker", "samples elsewhere", "no room"],
)
def test_positions_that_cannot_be_moved_are_a_refusal_with_the_reason(make: object, why: str) -> None:
    data = make()  # type: ignore[operator]
    with pytest.raises(UnsupportedMedia, match=why):
        make_room(data, 13_000)


@pytest.mark.parametrize("name", ["plain.webp", "plain.wav", "film.avi"])
def test_what_lies_behind_a_riff_file_is_not_dropped_in_silence(pki: TestPki, name: str) -> None:
    with pytest.raises(PhotoWouldChange, match="what lies behind"):
        signed_or_refused(MADE[name]() + b"ID3 and more", name, pki)


def test_a_raw_file_of_canon_is_not_taken_for_a_film() -> None:
    data = box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"mdat", bytes(40))
    with pytest.raises(UnsupportedMedia, match="raw file"):
        media_type_of(data, "IMG_0001.CR3")


def test_a_first_directory_without_room_for_another_entry_is_refused() -> None:
    full = b"II*\0" + struct.pack("<IH", 8, 0xFFFF) + struct.pack("<HHII", 300, 4, 1, 0) * 0xFFFF + bytes(4)
    with pytest.raises(UnsupportedMedia, match="no room"):
        layout(full, 13_000)


def test_a_tiff_has_as_many_pages_as_both_readers_follow_or_is_refused(pki: TestPki) -> None:
    media_type, signed = signed_or_refused(makers.chained_tiff(MAX_PAGES), "scan.tif", pki)
    for reading in (read_with_c2pa(signed, media_type, pki), read_with_encypher(signed, media_type, pki)):
        assert reading.state == "Trusted"
    with pytest.raises(UnsupportedMedia, match="1024 pages"):
        signed_or_refused(makers.chained_tiff(MAX_PAGES + 1), "scan.tif", pki)


def test_a_table_of_places_that_take_no_bytes_is_refused_at_once() -> None:
    """65,535 items of 65,535 extents each, in a file of half a megabyte."""
    item = struct.pack(">HHHH", 1, 0, 0, 0xFFFF)
    iloc = box(b"iloc", b"\1\0\0\0\0\0" + struct.pack(">H", 0xFFFF) + item * 0xFFFF)
    data = box(b"ftyp", b"heic\0\0\0\0heic") + box(b"meta", bytes(4), iloc)
    with pytest.raises(UnreadableMedia, match="too many places"):
        refuse_harm(data, data, "image/heic", "x.heic")
    make_room(data, 13_000)


def test_directories_that_hang_below_each_other_without_end_are_refused() -> None:
    out = bytearray(b"II*\0\x08\0\0\0")
    for _ in range(3000):
        out += struct.pack("<HHHIII", 1, 330, 4, 1, len(out) + 18, 0)
    out += struct.pack("<HI", 0, 0)
    with pytest.raises(UnreadableMedia, match="nested"):
        refuse_harm(bytes(out), bytes(out), "image/tiff", "x.tif")


@pytest.mark.parametrize("tag", [273, 324, 330])
def test_one_table_of_positions_for_many_pages_is_refused_before_it_is_read_for_each(tag: int) -> None:
    """50 pages share 2,000 positions; into a photo a thousand times as many fit."""
    pages, positions = 50, 2000
    table = 8 + pages * 30
    out = bytearray(b"II*\0\x08\0\0\0")
    for page in range(1, pages + 1):
        out += struct.pack("<H", 2)
        out += struct.pack("<HHII", tag, 4, positions, table)
        out += struct.pack("<HHII", {273: 279, 324: 325, 330: 331}[tag], 4, positions, table)
        out += struct.pack("<I", 8 + page * 30 if page < pages else 0)
    out += struct.pack("<I", 0) * positions if tag != 330 else struct.pack("<I", 8) * positions
    with pytest.raises(UnreadableMedia, match="tables of positions lie upon each other"):
        refuse_harm(bytes(out), bytes(out), "image/tiff", "x.tif")


@pytest.mark.parametrize("name", MADE)
def test_mutated_files_end_in_a_comparison_or_a_typed_refusal(name: str) -> None:
    """Only typed errors, whatever the tables say."""
    data = MADE[name]()
    media_type = media_type_of(data, name)
    noise = random.Random(name)
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(noise.randint(1, 6)):
            changed[noise.randrange(min(len(changed), 3000))] = noise.choice((0, 1, 8, 127, 128, 255))
        if noise.random() < 0.2:
            del changed[noise.randint(1, len(changed)) :]
        with suppress(InputRefused):
            refuse_harm(bytes(changed), bytes(changed), media_type, name)
        with suppress(SignerError):
            if media_type == "image/tiff":
                layout(bytes(changed), 13_000)
            elif changed[4:8] == b"ftyp":
                make_room(bytes(changed), 13_000)
