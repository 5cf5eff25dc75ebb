"""Whether the small pictures that a file carries of itself show the same as the picture. Question: *edited*.

It points to it where a thumbnail or preview shows something else, or more: then the picture was changed or
cropped after the small one was made, by a program that left it as it was. Cropping, retouching and
resaving are common and innocent. Small pictures that agree say nothing, since most programs renew them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import Media
from authn.core.overlay import Layer, Overlay, cells_of
from authn.sources.pictures import Pictures
from detector.core.errors import DetectorError, NotApplicable
from detector.forensics.embedded import Embedded, embedded_pictures
from detector.forensics.embedded_compare import SAME, Compared, compare
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.augment import Encoding, encode
from detector.pixels.decode import Pixels, decode
from detector.pixels.jpeg import parse_jpeg
from detector.pixels.within import reduced

VERSION = "1"
FAR = 30.0  # grey levels by which three places at least must differ
SCALE = 64.0  # grey levels: the upper end of the drawing
COLUMNS, ROWS = 24, 18
REFERENCE_SIDE, REFERENCE_QUALITY = 160, 75  # of the thumbnail that the reference photo gets, as cameras do

Read = tuple[Embedded, Pixels, Compared]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What could be compared, the one that differs most first, and why others could not."""

    read: tuple[Read, ...]
    troubles: tuple[str, ...]


class EmbeddedSource:
    """Implements ``HeuristicSource`` and ``HasOverlays``."""

    name = "embedded"
    reads_pixels = True

    def __init__(self, pictures: Pictures | None = None) -> None:
        self._pictures = pictures or Pictures()
        self._reference: Layer | None = None

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        if media.media_type != "image/jpeg":
            reason = f"thumbnails of {media.media_type} are not looked for"
            return (_evidence(HeuristicOutcome.ABSTAIN, reason, applicable=False),)
        try:
            looked = self._looked(media)
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail, applicable=False),)
        if not looked.read:
            reason = (*looked.troubles, "the file carries no small picture of itself")[0]
            return (_evidence(HeuristicOutcome.ABSTAIN, reason, applicable=False),)
        outcome, reason = _said(looked.read[0])
        findings = (*(_finding(read) for read in looked.read), *map(_not_compared, looked.troubles))
        return (_evidence(outcome, reason, findings, raw=looked.read[0][2].same),)

    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        """Where the small picture differs, over an answer that points to it. Raises as ``examine``."""
        if not any(g.outcome is HeuristicOutcome.SUPPORTS for g in found):
            return ()
        picture = self._pictures.of(media)
        one, _, compared = self._looked(media).read[0]
        if self._reference is None:
            self._reference = _reference()
        return (
            Overlay(
                detector=self.name,
                title="Where the picture differs from the small one in the file",
                low="0 levels",
                high="64 levels and more",
                says=f"The {one.where} of {one.width} x {one.height} pixels against the picture, brightness "
                "and contrast made equal.",
                normal="The small one that a camera makes differs by 0 to 8 levels, at edges by a few more.",
                own=_layer(picture, compared),
                reference=self._reference,
            ),
        )

    def _looked(self, media: Media) -> _Looked:
        small, troubles = embedded_pictures(parse_jpeg(media.data), media.data)
        if not small:
            return _Looked((), troubles)
        picture = self._pictures.of(media)
        read: list[Read] = []
        for one in small:
            try:
                pixels = decode(one.jpeg, "image/jpeg")
            except DetectorError as e:
                troubles = (*troubles, f"the {one.where} does not decode: {e.detail}")
                continue
            compared = compare(picture, pixels)
            if compared is None:
                troubles = (*troubles, f"the picture or its {one.where} is too flat to be compared")
            else:
                read.append((one, pixels, compared))
        read.sort(key=lambda r: (not _differs(r[2]), r[2].same))
        return _Looked(tuple(read), troubles)


def _differs(compared: Compared) -> bool:
    return compared.same < SAME or compared.crop is not None or compared.far > FAR


def _said(read: Read) -> tuple[HeuristicOutcome, str]:
    one, _, compared = read
    if compared.crop is not None and compared.same >= SAME:
        share = compared.crop[2] * compared.crop[3]
        return HeuristicOutcome.SUPPORTS, (
            f"the {one.where} shows more than the picture, which is {share:.0%} of it: the picture was "
            "cropped after the small one was made. Cropping is common and innocent"
        )
    if _differs(compared):
        return HeuristicOutcome.SUPPORTS, (
            f"the {one.where} shows something else (correlation {compared.same:.2f}, alike from {SAME:g} on; "
            f"three places or more differ by {compared.far:.0f} grey levels): the picture was changed after "
            "the small one was made, or the small one was taken over from another file. Programs that leave "
            "it as it was are common, and so is innocent retouching"
        )
    turned = f", turned by {90 * compared.turned} degrees" if compared.turned else ""
    return HeuristicOutcome.INCONCLUSIVE, (
        f"the {one.where} shows the same as the picture{turned}; most programs renew it, so nothing follows"
    )


def _finding(read: Read) -> Finding:
    one, _, compared = read
    crop = compared.crop
    facts: Facts = (
        ("where", one.where),
        ("width", one.width),
        ("height", one.height),
        ("correlation", round(compared.same, 4)),
        ("turned_degrees", 90 * compared.turned),
        ("levels_apart", round(compared.far, 1)),
        ("shows_more", crop is not None and compared.same >= SAME),
        ("picture_is_share", round(crop[2] * crop[3], 3) if crop is not None else None),
    )
    kind = "differs from" if _differs(compared) else "shows the same as"
    return Finding(
        code="assay.embedded.picture",
        outcome=Outcome.ESTABLISHED,
        detail=f"{one.where} of {one.width} x {one.height} pixels {kind} the picture",
        facts=facts,
    )


def _not_compared(trouble: str) -> Finding:
    return Finding(code="assay.embedded.picture", outcome=Outcome.NOT_EXAMINED, detail=trouble)


def _layer(picture: Pixels, compared: Compared) -> Layer:
    """The differences in even cells over the whole picture; what the small one does not cover is open."""
    x, y, w, h = compared.area
    rows, columns = compared.cells.shape
    values = [[math.nan] * COLUMNS for _ in range(ROWS)]
    for row in range(ROWS):
        for column in range(COLUMNS):
            across = ((column + 0.5) / COLUMNS - x) / max(w, 1e-6)
            down = ((row + 0.5) / ROWS - y) / max(h, 1e-6)
            if 0 <= across < 1 and 0 <= down < 1:
                values[row][column] = float(compared.cells[int(down * rows), int(across * columns)])
    return Layer(
        width=picture.shape[1],
        height=picture.shape[0],
        columns=COLUMNS,
        rows=ROWS,
        cells=cells_of(values, 0.0, SCALE),
    )


def _reference() -> Layer | None:
    """The reference photo against a thumbnail made of it; it has none of its own."""
    photo = decode(reference_photo(), MEDIA_TYPE)
    coded = encode(
        reduced(photo, REFERENCE_SIDE), Encoding(media_type="image/jpeg", quality=REFERENCE_QUALITY)
    )
    compared = compare(photo, decode(coded, "image/jpeg"))
    return None if compared is None else _layer(photo, compared)


def _evidence(
    outcome: HeuristicOutcome,
    reason: str,
    findings: tuple[Finding, ...] = (),
    *,
    applicable: bool = True,
    raw: float | None = None,
) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector=EmbeddedSource.name,
        raw=raw,
        version=VERSION,
        kind="signal",
        outcome=outcome,
        question=Question.EDITED,
        findings=findings,
        reason=reason,
        applicable=applicable,
    )
