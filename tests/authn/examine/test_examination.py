"""What a held process hands over beside a report: an evidence bundle that repeats it, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authn.core.errors import ExaminationFailed
from authn.core.media import MediaLimits
from authn.examine.bundle import canonical_report, read_bundle
from authn.examine.examination import Examination
from authn.examine.pool import _believed
from authn.examine.request import Examined, Request
from tests.doubles.media import tiny_jpeg
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for, media

PHOTO = media(tiny_jpeg())
ASKED = Request(media=PHOTO, as_of=None, preview=False, receipt=None, capture=False, bundle=True)


@pytest.fixture(scope="module")
def examined() -> Examined:
    return Examination(examiner_for(TestPki()), MediaLimits())(ASKED)


def test_the_bundle_holds_the_file_and_the_report_that_it_repeats(examined: Examined) -> None:
    found = read_bundle(examined.bundle or b"", len(PHOTO.data))
    assert found.media == PHOTO.data
    assert found.report == canonical_report(examined.report)
    assert not found.basis.heuristics
    assert _believed(examined, ASKED, ()).bundle == examined.bundle


def test_what_a_process_hands_over_as_a_bundle_is_compared_with_what_was_asked(examined: Examined) -> None:
    other = Examination(examiner_for(TestPki()), MediaLimits())(
        replace(ASKED, media=media(tiny_jpeg() + b"\0"))
    )
    for bundle in (b"PK\x05\x06", other.bundle):
        with pytest.raises(ExaminationFailed, match="bundle"):
            _believed(replace(examined, bundle=bundle), ASKED, ())
