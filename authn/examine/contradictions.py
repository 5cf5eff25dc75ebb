"""The table of contradictions: observations of different kinds that do not fit together.

A row names one such pair, its sentence and how soon a person should look. Nothing is added up: a row reads
two observations and writes a third, and no axis, no sentence about proof and no answer of a source is changed
by it. Innocent reasons exist for every row (docs/codes.md, whose table is written from this one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from authn.core.contradiction_codes import ContradictionCode
from authn.core.evidence import ClaimedAction, CryptographicEvidence, HeuristicEvidence
from authn.core.instants import instant
from authn.core.likeness import Recovered
from authn.core.report import Contradiction, Report, Severity
from authn.core.source_types import claimed
from authn.examine.seen import Finds, Found, Row, Seen

# EXIF mostly has no time zone; and the clock of a signer may be somewhat off.
EXIF_SLACK, CLOCK_SLACK = timedelta(hours=26), timedelta(minutes=10)

CLAIMS, DEVICE, CREDENTIAL, INTERVAL, RECOVERED = (
    "/cryptographic/claims",
    "/cryptographic/axes/device",
    "/cryptographic/axes/credential",
    "/cryptographic/interval",
    "/recovered/0",
)


def contradictions(
    proof: CryptographicEvidence, actions: Sequence[ClaimedAction], guesses: Sequence[HeuristicEvidence]
) -> tuple[Contradiction, ...]:
    """Those of one file, the most pressing first. It changes neither side of any."""
    return _ordered(Seen(proof=proof, actions=tuple(actions), guesses=tuple(guesses)), ROWS)


def with_recovered(report: Report, found: tuple[Recovered, ...]) -> Report:
    """The report with the photos that were signed here and that it looks like, and what that contradicts."""
    seen = Seen(proof=report.cryptographic, actions=(), guesses=report.heuristic, recovered=found)
    more = (*report.contradictions, *_ordered(seen, RECOVERED_ROWS))
    return replace(report, recovered=found, contradictions=_by_severity(more))


def _ordered(seen: Seen, rows: Sequence[Row]) -> tuple[Contradiction, ...]:
    return _by_severity(tuple(c for row in rows for c in row.among(seen)))


def _by_severity(found: Sequence[Contradiction]) -> tuple[Contradiction, ...]:
    return tuple(sorted(found, key=lambda c: list(Severity).index(c.severity)))


def _claim(claim: Callable[[Seen], str], code: ContradictionCode) -> Finds:
    """A claim of the signer beside sources that point to something."""

    def finds(seen: Seen) -> Iterator[Found]:
        if said := claim(seen):
            for place, g in seen.pointing(code):
                yield CLAIMS, place, {"claim": claimed(said), "source": g.detector}

    return finds


def _captured_marked(seen: Seen) -> Iterator[Found]:
    if seen.captured and not seen.device:  # of a registered device another row says more
        for place, g in seen.pointing(ContradictionCode.CAPTURED_BUT_MARKED):
            yield CLAIMS, place, {"claim": claimed(seen.captured), "source": g.detector}


def _registered_marked(seen: Seen) -> Iterator[Found]:
    if seen.device:
        for place, g in seen.pointing(ContradictionCode.REGISTERED_BUT_MARKED):
            yield DEVICE, place, {"device": seen.device, "source": g.detector}


def _registered_claimed_generated(seen: Seen) -> Iterator[Found]:
    if seen.device and seen.generated:
        yield DEVICE, CLAIMS, {"device": seen.device, "claim": claimed(seen.generated)}


def _wrong_sensor(seen: Seen) -> Iterator[Found]:
    if seen.intact:
        for place, g in seen.pointing(ContradictionCode.WRONG_SENSOR):
            yield DEVICE, place, {"device": seen.device or "its signer", "source": g.detector}


def _generated_with_camera(seen: Seen) -> Iterator[Found]:
    camera = seen.camera()
    if seen.generated and camera is not None:
        yield CLAIMS, camera[0], {"claim": claimed(seen.generated), "camera": str(camera[1]["camera"])}


def _marked_with_camera(seen: Seen) -> Iterator[Found]:
    camera = seen.camera()
    if camera is not None and not seen.captured and not seen.device:
        for place, g in seen.pointing(ContradictionCode.MARKED_BUT_CAMERA):
            yield camera[0], place, {"camera": str(camera[1]["camera"]), "source": g.detector}


def _claimed_after_stamp(seen: Seen) -> Iterator[Found]:
    end = seen.proof.not_after
    if end is None or not seen.intact:
        return
    later = [a.when for a in seen.actions if a.when is not None and a.when > end + CLOCK_SLACK]
    if later:
        yield CLAIMS, INTERVAL, {"when": instant(max(later)), "end": instant(end)}


def _taken_after_stamp(seen: Seen) -> Iterator[Found]:
    end, camera = seen.proof.not_after, seen.camera()
    if end is None or camera is None or not seen.intact or not camera[1].get("taken_at"):
        return
    taken = datetime.fromisoformat(str(camera[1]["taken_at"])).replace(tzinfo=UTC)
    if taken > end + EXIF_SLACK:
        yield INTERVAL, camera[0], {"when": taken.date().isoformat(), "end": instant(end)}


def _stripped(seen: Seen) -> Iterator[Found]:
    if seen.stripped and seen.recovered:
        yield CREDENTIAL, RECOVERED, {}


def _recovered_beside(code: ContradictionCode) -> Finds:
    def finds(seen: Seen) -> Iterator[Found]:
        if seen.recovered:
            for place, g in seen.pointing(code):
                yield RECOVERED, place, {"source": g.detector}

    return finds


_CAPTURE = "the signer claims that a camera took it"
_UNEDITED = "the signer claims that a camera took it, and no edits"
_KEY = "the key of a registered device signed it"
_MARKED = "a generator's mark, in the metadata or invisible in the pixels"
_LOOKS = "it looks like a photo that was signed here"

ROWS = (
    Row(
        code=ContradictionCode.WRONG_SENSOR,
        severity=Severity.HIGH,
        sides=(_KEY, "the sensor's fingerprint of that device is missing"),
        text="The key of {device} signed this file; {source} finds signs that it comes from another sensor.",
        innocent="the device changed its camera, or software smoothed this picture more than those that the "
        "fingerprint was learned from",
        finds=_wrong_sensor,
    ),
    Row(
        code=ContradictionCode.CAPTURED_BUT_MARKED,
        severity=Severity.HIGH,
        sides=(_CAPTURE, _MARKED),
        text="The signer claims {claim}; {source} finds a mark that generators write.",
        innocent="a tool that also generates wrote the file and left its name; somebody planted the mark "
        "before the signature",
        finds=_captured_marked,
    ),
    Row(
        code=ContradictionCode.REGISTERED_BUT_MARKED,
        severity=Severity.HIGH,
        sides=(_KEY, _MARKED),
        text="The key of the registered device {device} signed this file; {source} finds a mark that "
        "generators write. A true photo can be dressed as a generated one.",
        innocent="the mark was in the file when the device's owner signed it",
        finds=_registered_marked,
    ),
    Row(
        code=ContradictionCode.REGISTERED_BUT_CLAIMED_GENERATED,
        severity=Severity.MEDIUM,
        sides=(_KEY, "the claim that a generator made it"),
        text="The key of the registered device {device} signed this file, and with it the claim {claim}.",
        innocent="the device also signs what is made on it",
        finds=_registered_claimed_generated,
    ),
    Row(
        code=ContradictionCode.CAPTURED_BUT_GENERATED,
        severity=Severity.MEDIUM,
        sides=(_CAPTURE, "a source that reads pixels points to a generator"),
        text="The signer claims {claim}; {source} finds signs that it was generated.",
        innocent="detectors err; a card says how often",
        finds=_claim(lambda s: s.captured, ContradictionCode.CAPTURED_BUT_GENERATED),
    ),
    Row(
        code=ContradictionCode.UNEDITED_BUT_DIFFERENT,
        severity=Severity.MEDIUM,
        sides=(_UNEDITED, "a source that reads pixels points to an edit"),
        text="The signer claims {claim}, and no edits; {source} finds signs that it was edited.",
        innocent="cameras process pictures too; a card says how often the source errs",
        finds=_claim(lambda s: s.untouched, ContradictionCode.UNEDITED_BUT_DIFFERENT),
    ),
    Row(
        code=ContradictionCode.UNEDITED_BUT_COPIED,
        severity=Severity.MEDIUM,
        sides=(_UNEDITED, "one place of the picture agrees with another down to its grain"),
        text="The signer claims {claim}, and no edits; {source} finds a place that was copied to another.",
        innocent="the device itself puts pieces of pictures together, as for panoramas; a collage was in "
        "front of the camera",
        finds=_claim(lambda s: s.untouched, ContradictionCode.UNEDITED_BUT_COPIED),
    ),
    Row(
        code=ContradictionCode.CAPTURED_BUT_RECAPTURED,
        severity=Severity.LOW,
        sides=(_CAPTURE, "a source points to a photo of a screen or print"),
        text="The signer claims {claim}; {source} finds signs that it is a picture of a screen or print.",
        innocent="the scene has a screen, a print or cloth in it; what finds such photos errs often",
        finds=_claim(lambda s: s.captured, ContradictionCode.CAPTURED_BUT_RECAPTURED),
    ),
    Row(
        code=ContradictionCode.UNEDITED_BUT_EDITOR_NAMED,
        severity=Severity.LOW,
        sides=(_UNEDITED, "the metadata name an editor"),
        text="The signer claims {claim}, and no edits; {source} finds signs that software edited it.",
        innocent="software that only copied or developed the photo wrote its name",
        finds=_claim(lambda s: s.untouched, ContradictionCode.UNEDITED_BUT_EDITOR_NAMED),
    ),
    Row(
        code=ContradictionCode.UNEDITED_BUT_OTHER_TABLES,
        severity=Severity.LOW,
        sides=(_UNEDITED, "quantisation tables that the claimed camera does not use"),
        text="The signer claims {claim}, and no edits; {source} finds the tables of other software than the "
        "camera that it names.",
        innocent="the photo was saved again by software before it was signed",
        finds=_claim(lambda s: s.untouched, ContradictionCode.UNEDITED_BUT_OTHER_TABLES),
    ),
    Row(
        code=ContradictionCode.GENERATED_BUT_CAMERA,
        severity=Severity.MEDIUM,
        sides=("the signer claims that a generator made all of it", "EXIF names a camera and its exposure"),
        text="The signer claims {claim}; the metadata name the camera {camera} and its exposure.",
        innocent="a generator was given a photo and kept its metadata",
        finds=_generated_with_camera,
    ),
    Row(
        code=ContradictionCode.MARKED_BUT_CAMERA,
        severity=Severity.LOW,
        sides=("EXIF names a camera and its exposure", _MARKED),
        text="The metadata name the camera {camera} and its exposure; {source} finds a mark that generators "
        "write.",
        innocent="a photo was given to a generator, or somebody wrote one of the two",
        finds=_marked_with_camera,
    ),
    Row(
        code=ContradictionCode.CLAIMED_AFTER_STAMP,
        severity=Severity.MEDIUM,
        sides=("when the signer claims that something was done", "the proven end of the time of signing"),
        text="The signer claims an action at {when}; it was signed by {end}, as the time-stamp proves.",
        innocent="the signer's clock is ahead",
        finds=_claimed_after_stamp,
    ),
    Row(
        code=ContradictionCode.TAKEN_AFTER_STAMP,
        severity=Severity.LOW,
        sides=("the proven end of the time of signing", "the day of capture in EXIF"),
        text="EXIF says that it was taken on {when}; it was signed by {end}, as the time-stamp proves.",
        innocent="the camera's clock is wrong",
        finds=_taken_after_stamp,
    ),
)  # fmt: skip
RECOVERED_ROWS = (
    Row(
        code=ContradictionCode.RECOVERED_BUT_MARKED,
        severity=Severity.MEDIUM,
        sides=(_LOOKS, _MARKED),
        text="A photo that was signed here looks like this file; {source} finds a mark that generators "
        "write. A true photo can be dressed as a generated one.",
        innocent="a generator was given the photo; two pictures look alike",
        finds=_recovered_beside(ContradictionCode.RECOVERED_BUT_MARKED),
    ),
    Row(
        code=ContradictionCode.RECOVERED_BUT_GENERATED,
        severity=Severity.MEDIUM,
        sides=(_LOOKS, "a source that reads pixels points to a generator"),
        text="A photo that was signed here looks like this file; {source} finds signs that it was generated.",
        innocent="detectors err; a generator was given the photo; two pictures look alike",
        finds=_recovered_beside(ContradictionCode.RECOVERED_BUT_GENERATED),
    ),
    Row(
        code=ContradictionCode.STRIPPED_BUT_RECOVERED,
        severity=Severity.LOW,
        sides=("the file carries no credential", _LOOKS),
        text="This file carries no credential; a photo that was signed here looks like it.",
        innocent="most services strip credentials; two pictures look alike",
        finds=_stripped,
    ),
)  # fmt: skip
ALL_ROWS = (*ROWS, *RECOVERED_ROWS)
