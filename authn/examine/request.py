"""What an examiner in a held process is asked about one file, what it answers, and how it gets there.

``Request`` crosses to the process and ``Examined`` back (``authn.confinement``); ``Examination`` lives there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from authn.core.errors import ReceiptRefused
from authn.core.likeness import Looks, SignedManifest
from authn.core.media import Media, MediaLimits, measured, unparsed
from authn.core.report import Report
from authn.core.score_map import Maps
from authn.devices import RegistryView
from authn.examine.illustrate import illustrate
from authn.examine.looks import looks_of, manifest_of
from authn.provenance.counted import counter_of
from authn.provenance.logs import CaptureDigests, capture_digests
from authn.provenance.own import read_own

# The smallest GIF. Every source is asked about it before a process counts as ready.
PROBE = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
PROBE_NAME = "probe.gif"


class Examines(Protocol):
    """What the process holds; ``authn.examine.examiner.Examiner`` is one."""

    def examine(
        self, media: Media, *, as_of: datetime | None = None, receipt: str | None = None
    ) -> Report: ...
    def maps(self, media: Media, report: Report) -> Maps: ...


Opens = Callable[[RegistryView | None], Examines]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The picture and the maps are those of ``authn.examine.illustrate``."""

    report: Report
    preview_jpeg: bytes | None
    maps: Maps = ()
    digests: CaptureDigests | None = None  # what would be logged of it, where that is asked for
    counter: int | None = None  # which number its device gave it, where that is asked for
    looks: Looks | None = None  # where that is asked for
    manifest: SignedManifest | None = None  # of a capture whose looks are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``preview`` asks for a picture and maps too, ``capture`` for what would be logged of the file,
    ``looks`` for what it looks like."""

    media: Media
    as_of: datetime | None
    preview: bool
    receipt: str | None
    capture: bool
    looks: bool = False


def warm_up(examiner: Examines) -> None:
    """Examine something. Sources load their models at the first picture, and importing torch with CUDA takes
    3 GiB of addresses and up to 19 s: that must not count against a file."""
    examiner.examine(measured(unparsed(PROBE, PROBE_NAME)))


@dataclass(frozen=True, slots=True)
class Examination:
    """Lives in the held process: a request in, what was examined out."""

    examiner: Examines
    limits: MediaLimits

    def __call__(self, request: Request) -> Examined:
        media = measured(request.media, self.limits)
        report = self.examiner.examine(media, as_of=request.as_of, receipt=request.receipt)
        digests, counter = capture_of(media) if request.capture else (None, None)
        examined = Examined(report=report, preview_jpeg=None, digests=digests, counter=counter)
        if request.looks:
            looks = looks_of(media, within=not request.capture)
            manifest = manifest_of(media) if request.capture else None
            examined = replace(examined, looks=looks, manifest=manifest)
        if not request.preview:
            return examined
        shown = illustrate(self.examiner, media, report)
        return replace(examined, preview_jpeg=shown.preview_jpeg, maps=shown.maps)


def capture_of(media: Media) -> tuple[CaptureDigests | None, int | None]:
    """What would be logged of a capture, and its number; None where there is no readable signature."""
    own = read_own(media)
    try:
        return capture_digests(own), counter_of(own)
    except ReceiptRefused:
        return None, None


def open_examination(build: Opens, limits: MediaLimits, registry: RegistryView | None) -> Examination:
    return Examination(build(registry), limits)


def warm(examination: Examination) -> None:
    warm_up(examination.examiner)
