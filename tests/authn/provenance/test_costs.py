"""What would keep an engine busy for minutes is counted first, and is not examined with that reason."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.core.errors import AuthnError
from authn.core.evidence import Axis, Outcome
from authn.core.media import media_of, open_media
from authn.pki.roots import TrustRoots
from authn.provenance.answers import EngineState
from authn.provenance.costs import MAX_BOXES, MAX_PARTS, endless, too_costly
from authn.provenance.engines import C2paRs
from signer.proof.container import read_manifest
from tests.detector.made import encoded, photo_like
from tests.doubles.signed import answers_on, evidence_on

NOW = datetime(2026, 11, 1, tzinfo=UTC)
FTYP = b"\0\0\0\x18ftypisom\0\0\0\0isommp41"
TINY = b"\0\0\0\x08free"


def within(kind: bytes, content: bytes, before: int = 0) -> bytes:
    return struct.pack(">I4s", 8 + before + len(content), kind) + b"\0" * before + content


FILMS = {
    "side by side": lambda n: FTYP + TINY * n,
    "in one box": lambda n: FTYP + within(b"moov", TINY * n),
    "in a box of metadata": lambda n: FTYP + within(b"meta", TINY * n, 4),
    "three deep": lambda n: FTYP + within(b"moov", within(b"trak", within(b"mdia", TINY * n))),
    "in many boxes": lambda n: FTYP + within(b"moof", within(b"traf", TINY)) * (n // 3 + 1),
}


@pytest.mark.parametrize("kind", FILMS)
def test_boxes_are_counted_wherever_the_engine_would_meet_them(kind):
    assert too_costly(FILMS[kind](MAX_BOXES + 1), "video/mp4")
    assert too_costly(FILMS[kind](MAX_BOXES // 2), "video/mp4") is None


def test_parts_of_other_containers_are_counted_too():
    gif = encoded(photo_like(16, 16), "GIF")[:-1]
    assert too_costly(gif + b"\x21\xfe" + b"\x01a" * MAX_PARTS + b"\0;", "image/gif")
    assert too_costly(gif + b"\x21\xfe" + b"\x01a" * (MAX_PARTS // 8) + b"\0;", "image/gif") is None
    chunks = b"abcd\0\0\0\0" * (MAX_PARTS + 1)
    assert too_costly(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks, "audio/wav")


def test_an_endless_nesting_is_counted_without_end_of_memory():
    depth = 100_000
    data = FTYP + b"".join(struct.pack(">I4s", 8 * (depth - i), b"moov") for i in range(depth))
    assert too_costly(data, "video/mp4")


def test_what_is_too_costly_is_examined_by_no_engine_and_nobody_is_accused():
    media = media_of(FILMS["side by side"](3 * 2**20), "film.mp4")
    answers = answers_on(media, NOW)
    assert answers[0].state is EngineState.UNREADABLE
    assert f"more than {MAX_BOXES} boxes" in answers[0].detail
    proof = evidence_on(media, answers, NOW)
    assert proof.axis(Axis.CREDENTIAL).outcome is Outcome.NOT_EXAMINED
    assert Outcome.REFUTED not in {a.outcome for a in proof.axes}


def test_no_file_of_the_suites_is_too_costly(suites: Path):
    read = 0
    for path in sorted(p for p in suites.rglob("*") if p.is_file()):
        try:
            media = open_media(path)
        except AuthnError:
            continue
        read += 1
        assert too_costly(media.data, media.media_type) is None, path.name
    assert read > 50


STORE = within(b"jumb", within(b"jumd", bytes.fromhex("6332706100110010800000aa00389b71") + b"\x03c2pa\0"))
BROKEN_OFF = b"\0\0\0\x0ajs"  # a box of ten bytes of which six are there: c2pa-rs 0.91 never comes back


def longer(store: bytes, by: int) -> bytes:
    return struct.pack(">I", len(store) + by) + store[4:]


ENDLESS = {
    "within the store": longer(STORE, 6) + BROKEN_OFF,
    "the store is said to go on": longer(STORE, 10) + BROKEN_OFF,
    "behind the store": STORE + BROKEN_OFF,
    "within a manifest": within(b"jumb", STORE[8:] + longer(STORE, 6) + BROKEN_OFF),
    "of another kind than C2PA": (longer(STORE, 6) + BROKEN_OFF).replace(b"c2pa", b"json"),
}


def in_png(content: bytes) -> bytes:
    png = encoded(photo_like(16, 16), "PNG")
    return png[:33] + struct.pack(">I", len(content)) + b"caBX" + content + b"\0\0\0\0" + png[33:]


def in_webp(content: bytes) -> bytes:
    chunks = encoded(photo_like(16, 16), "WEBP")[8:] + b"C2PA" + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def in_svg(content: bytes) -> bytes:
    coded = base64.b64encode(content).decode()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg"><metadata><c2pa:manifest xmlns:c2pa="http://c2pa.org/manifest">'
        f"{coded}</c2pa:manifest></metadata></svg>"
    ).encode()


@pytest.mark.parametrize("store", ENDLESS.values(), ids=list(ENDLESS))
def test_an_engine_is_not_given_a_store_that_it_would_walk_without_end(store):
    for data, media_type in ((in_png(store), "image/png"), (in_webp(store), "image/webp")):
        answer = C2paRs(TrustRoots()).read(data, media_type, NOW)
        assert (answer.state, "not given to the engine" in answer.detail) == (EngineState.UNREADABLE, True)
    assert "not given" in C2paRs(TrustRoots()).read(in_svg(store), "image/svg+xml", NOW).detail
    photo = encoded(photo_like(16, 16), "JPEG")
    assert "not given" in C2paRs(TrustRoots()).read(photo, "image/jpeg", NOW, sidecar=store).detail


def test_a_store_with_padding_behind_it_is_read_by_the_engines(suites: Path):
    data = (suites / "found/signers/printable_underscore.jpg").read_bytes()
    store = read_manifest(data, "image/jpeg")
    assert store is not None
    for padding in (b"", b"\0" * 5, b"\0" * 300):
        assert endless(data, "image/jpeg", store + padding) is None
