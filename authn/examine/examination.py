"""What answers a ``Request`` in the held process: it loads engines and decoders; its caller does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from authn.core.captured import CaptureDigests
from authn.core.errors import ReceiptRefused
from authn.core.media import Media, MediaLimits, measured, unparsed
from authn.examine.illustrate import illustrate
from authn.examine.labelling import with_labels
from authn.examine.looks import looks_of, manifest_of
from authn.examine.request import PROBE, PROBE_NAME, Examined, Examines, Request
from authn.policies.rubrics.rubric import labels
from authn.provenance.counted import counter_of
from authn.provenance.logs import capture_digests
from authn.provenance.own import read_own

if TYPE_CHECKING:
    from authn.examine.bundle import Basis


def warm_up(examiner: Examines) -> None:
    """Examine something. Sources load their models at the first picture, and importing torch with CUDA takes
    3 GiB of addresses and up to 19 s: that must not count against a file."""
    examiner.examine(measured(unparsed(PROBE, PROBE_NAME)))


@runtime_checkable
class HasBasis(Protocol):
    """An examiner that can say what its reports rest on."""

    def basis(self, media: Media, *, forensics: bool | None = None) -> Basis: ...


@dataclass(frozen=True, slots=True)
class Examination:
    """Lives in the held process: a request in, what was examined out."""

    examiner: Examines
    limits: MediaLimits

    def __call__(self, request: Request) -> Examined:
        media = measured(request.media, self.limits)
        report = self.examiner.examine(
            media, as_of=request.as_of, receipt=request.receipt, forensics=request.forensics
        )
        digests, counter = capture_of(media) if request.capture else (None, None)
        examined = Examined(report=report, preview_jpeg=None, digests=digests, counter=counter)
        if request.looks:
            looks = looks_of(media, within=not request.capture)
            manifest = manifest_of(media) if request.capture else None
            examined = replace(examined, looks=looks, manifest=manifest)
        if request.crjson:
            examined = labelled(examined, self.examiner.crjson(media))
        if request.views is not None:
            from authn.examine.views import draw_views  # it loads NumPy, and pixels are decoded

            examined = replace(examined, views=draw_views(media, request.views))
        if request.bundle and isinstance(self.examiner, HasBasis):
            from authn.examine.bundle import write_bundle

            basis = self.examiner.basis(media, forensics=request.forensics)
            examined = replace(examined, bundle=write_bundle(media, report, basis, with_media=True))
        if not request.preview:
            return examined
        original = None if request.original is None else measured(request.original, self.limits)
        shown = illustrate(self.examiner, media, examined.report, original)
        return replace(examined, preview_jpeg=shown.preview_jpeg, maps=shown.maps)


def labelled(examined: Examined, crjson: bytes | None) -> Examined:
    """With the crJSON and what the Asset Rubrics of C2PA say of it."""
    report, written = with_labels(examined.report, crjson, labels)
    return replace(examined, crjson=crjson if written else None, report=report)


def capture_of(media: Media) -> tuple[CaptureDigests | None, int | None]:
    """What would be logged of a capture, and its number; None where there is no readable signature."""
    own = read_own(media)
    try:
        return capture_digests(own), counter_of(own)
    except ReceiptRefused:
        return None, None
