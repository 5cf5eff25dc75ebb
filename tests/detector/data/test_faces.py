"""The list of faces in the photos of the corpus, and the kinds that are told by it."""

from __future__ import annotations

import pytest

from detector.core.errors import CorpusError
from detector.data.faces import FILLS, SMALL, dump_faces, face_width, parse_faces, shipped_faces
from detector.data.manifest import shipped_manifest
from detector.lab.whole.kinds import finer_kind_of, kind_of, portrait_of
from detector.models.kinds import Kind
from tests.detector.data.rows import row


def test_a_list_is_read_as_it_was_written() -> None:
    widths = {"a" * 64: 0.25, "b" * 64: 0.0}
    assert parse_faces(dump_faces(widths)) == {"a" * 16: 0.25, "b" * 16: 0.0}
    with pytest.raises(CorpusError):
        parse_faces("a line that is none\n")


def test_every_listed_picture_is_a_real_one_of_the_manifest_and_only_one() -> None:
    real = [r.sha256[:16] for r in shipped_manifest() if not r.fake]
    listed = set(shipped_faces())
    assert len(listed) > 4_000
    assert listed <= set(real)
    assert sum(d in listed for d in real) == len(listed)


def test_a_photo_that_a_face_fills_is_a_portrait_and_one_between_teaches_nothing() -> None:
    photos = [r for r in shipped_manifest() if kind_of(r) is Kind.PHOTO]
    for r in photos[::5]:
        width = face_width(r.sha256)
        filled = width is not None and width >= FILLS
        assert finer_kind_of(r) is (Kind.PORTRAIT if filled else Kind.PHOTO)
        between = width is None or SMALL <= width < FILLS
        assert portrait_of(r) is (None if between else filled)
    assert portrait_of(row(fake=True, generator="FLUX", kind="t2i")) is None
    assert finer_kind_of(row(fake=False, generator="", kind="art")) is Kind.ART
