"""What would keep an engine busy for minutes is counted first, and is not examined with that reason."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.errors import AuthnError
from authn.evidence import Axis, Outcome
from authn.media import media_of, open_media
from authn.provenance.costs import MAX_BOXES, MAX_PARTS, too_costly
from authn.provenance.engines import C2paRs, Encypher, EngineState
from authn.provenance.logs import LogTrust
from authn.provenance.roots import TrustRoots
from authn.provenance.verifier import verify_media
from tests.detector.made import encoded, photo_like

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
    roots = TrustRoots()
    answers = tuple(e.read(media.data, media.media_type, NOW) for e in (C2paRs(roots), Encypher(roots)))
    assert answers[0].state is EngineState.UNREADABLE
    assert f"more than {MAX_BOXES} boxes" in answers[0].detail
    proof = verify_media(
        media, answers=answers, roots=roots, registry=None, as_of=NOW, logs=LogTrust(), receipt=None
    )
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
