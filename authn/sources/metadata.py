"""What the metadata of a file say about how it was made, from bytes alone.

Two questions. *Synthetic*: supported only by an explicit marker (an IPTC digital source type, generator
parameters, a generator's name). *Edited*: supported only by an explicit trace (an editor's name, an XMP edit
history, a source type that says so); what merely does not fit together is inconclusive. Only what software
writes by itself is a marker or a trace; captions, credits, titles and names, which people write, are none.
Absence of markers proves nothing, because every platform strips them, and their presence is an unsigned
statement that anyone can write: this source never answers "against".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import Media
from authn.sources import xmp
from authn.sources.containers import Blocks, read_blocks
from authn.sources.markers import (
    EDITED_SOURCE_TYPES,
    SYNTHETIC_SOURCE_TYPES,
    editor_named,
    generator_credited,
    generator_in_make,
    generator_named,
    generator_of_text,
    generator_record,
    shown,
    source_type,
)
from detector.core.errors import NotApplicable
from detector.pixels import exif
from detector.pixels.exif import ExifTags

VERSION = "1"
MAX_FINDINGS = 32
CAMERA = "assay.metadata.camera"

# EXIF has no time zone for most cameras: only more than a day of difference is a difference.
_CLOCK_SLACK = timedelta(hours=26)

_SYNTHETIC = {"assay.metadata.generatorParameters", "assay.metadata.generatorNamed"}
_EDITED = {"assay.metadata.editorNamed", "assay.metadata.editHistory"}
_PROGRAM_PROPERTIES = {
    (xmp.XMP, "CreatorTool"), (xmp.EVENT, "softwareAgent"), (xmp.TIFF, "Software"),
    (xmp.IPTC_EXT, "AISystemUsed"),
}  # fmt: skip
_PROGRAM_DATASET = (2, 65)
_CREDIT_PROPERTY, _CREDIT_DATASET = (xmp.PHOTOSHOP, "Credit"), (2, 110)
_INCONSISTENT = {
    "assay.metadata.dateOrder", "assay.metadata.cameraWithoutExposure",
    "assay.metadata.extensionMismatch", "assay.metadata.sizeMismatch",
}  # fmt: skip


class MetadataSource:
    """Implements ``HeuristicSource``."""

    name = "metadata"
    reads_pixels = False

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``NotApplicable`` and ``PixelsUnreadable`` for files whose metadata cannot be walked."""
        blocks = read_blocks(media)
        properties: list[xmp.Property] = []
        for packet in blocks.xmp:
            try:
                properties += xmp.parse_xmp(packet)
            except NotApplicable as e:
                blocks.trouble(e.detail)
        findings = tuple(_findings(media, blocks, properties))[:MAX_FINDINGS]
        return _synthetic(findings, blocks), _edited(findings, blocks)


def _findings(media: Media, blocks: Blocks, properties: list[xmp.Property]) -> Iterator[Finding]:
    yield from _source_types(properties)
    yield from _generator_texts(blocks)
    yield from _named(blocks, properties)
    if blocks.exif:
        yield from _exif_generators(blocks.exif)
        yield from _exif_consistency(blocks.exif, media)
    yield from _history(properties)
    if media.claimed_type is not None and media.claimed_type != media.media_type:
        yield _finding(
            "extensionMismatch",
            f"the name claims {media.claimed_type}, the bytes are {media.media_type}",
            (("claimed", media.claimed_type), ("actual", media.media_type)),
        )
    for trouble in blocks.troubles:
        yield Finding(code="assay.metadata.unreadable", outcome=Outcome.NOT_EXAMINED, detail=trouble)


def _finding(code: str, detail: str, facts: Facts = ()) -> Finding:
    """What stands here is that the file says so, not that it is so."""
    return Finding(code="assay.metadata." + code, outcome=Outcome.ESTABLISHED, detail=detail, facts=facts)


def _source_types(properties: list[xmp.Property]) -> Iterator[Finding]:
    stated = (
        source_type(p.value)
        for p in properties
        if (p.namespace, p.name.lower()) == (xmp.IPTC_EXT, "digitalsourcetype")
    )
    for value in dict.fromkeys(v for v in stated if v):
        meaning = SYNTHETIC_SOURCE_TYPES.get(value) or EDITED_SOURCE_TYPES.get(value)
        yield _finding(
            "digitalSourceType",
            f"XMP states the digital source type {value}" + (f": {meaning}" if meaning else ""),
            (("value", value),),
        )


def _generator_texts(blocks: Blocks) -> Iterator[Finding]:
    for keyword, text in blocks.texts:
        generator = generator_of_text(keyword, text)
        if generator:
            yield _finding(
                "generatorParameters",
                f"the text chunk {shown(keyword)!r} holds what {shown(generator)} writes: {shown(text)}",
                (("keyword", shown(keyword)), ("generator", shown(generator)), ("excerpt", shown(text))),
            )


def _exif_generators(tags: ExifTags) -> Iterator[Finding]:
    texts = (
        ("Make", tags.text(exif.MAKE), generator_in_make),
        ("Model", tags.text(exif.MODEL), generator_in_make),
        ("ImageDescription", tags.text(exif.IMAGE_DESCRIPTION), generator_record),
        ("UserComment", _user_comment(tags), generator_record),
    )
    for name, text, asked in texts:
        generator = asked(text) if text else None
        if text and generator:
            yield _finding(
                "generatorParameters",
                f"EXIF {name} holds what {shown(generator)} writes: {shown(text)}",
                (("keyword", name), ("generator", shown(generator)), ("excerpt", shown(text))),
            )


def _user_comment(tags: ExifTags) -> str:
    """Eight bytes name the character code, then the text (CIPA DC-008, UserComment). Writers disagree on the
    byte order of UNICODE, so the one that yields more letters is taken."""
    raw = tags.blob(exif.USER_COMMENT) or b""
    body = raw[8:]
    if raw.startswith(b"UNICODE\0"):
        both = [body[: len(body) // 2 * 2].decode(c, "replace") for c in ("utf-16-be", "utf-16-le")]
        return max(both, key=lambda t: sum(c.isascii() for c in t[:400]))
    return body.decode("utf-8", "replace")


def _named(blocks: Blocks, properties: list[xmp.Property]) -> Iterator[Finding]:
    """Programs that name themselves, in the fields that programs fill. Names of people, captions, titles and
    credits are no such fields; of credits only the generators' own two sentences count."""
    fields: list[tuple[str, str]] = []
    if blocks.exif:
        fields.append(("EXIF Software", blocks.exif.text(exif.SOFTWARE) or ""))
    fields += [(f"XMP {p.name}", p.value) for p in properties if (p.namespace, p.name) in _PROGRAM_PROPERTIES]
    fields += [(f"IPTC {r}:{d}", v) for r, d, v in blocks.iptc if (r, d) == _PROGRAM_DATASET]
    fields += [(f"PNG {k}", v) for k, v in blocks.texts if k.lower() == "software"]
    credited = [(f"XMP {p.name}", p.value) for p in properties if (p.namespace, p.name) == _CREDIT_PROPERTY]
    credited += [(f"IPTC {r}:{d}", v) for r, d, v in blocks.iptc if (r, d) == _CREDIT_DATASET]
    for name, value in dict.fromkeys(fields):
        facts = (("field", name), ("value", shown(value)))
        if generator_named(value):
            yield _finding("generatorNamed", f"{name} names a generator: {shown(value)}", facts)
        elif editor_named(value):
            yield _finding("editorNamed", f"{name} names an editor: {shown(value)}", facts)
    for name, value in dict.fromkeys(credited):
        if generator_credited(value):
            facts = (("field", name), ("value", shown(value)))
            yield _finding("generatorNamed", f"{name} names a generator: {shown(value)}", facts)


def _exif_consistency(tags: ExifTags, media: Media) -> Iterator[Finding]:
    original, modified = _date(tags, exif.DATE_ORIGINAL), _date(tags, exif.DATE_TIME)
    digitised = _date(tags, exif.DATE_DIGITISED)
    for name, later in (("ModifyDate", modified), ("DateTimeDigitized", digitised)):
        if original and later and later < original - _CLOCK_SLACK:
            yield _finding(
                "dateOrder",
                f"EXIF {name} {later.isoformat()} lies before DateTimeOriginal {original.isoformat()}",
                (("original", original.isoformat()), (name, later.isoformat())),
            )
    yield from _camera(tags)
    width, height = tags.number(exif.PIXEL_X), tags.number(exif.PIXEL_Y)
    if width and height and media.width and media.height and {width, height} != {media.width, media.height}:
        yield _finding(
            "sizeMismatch",
            f"EXIF states {width:.0f} x {height:.0f} pixels, the file has {media.width} x {media.height}: "
            "it was cropped or resized after EXIF was written",
            (("exif", f"{width:.0f}x{height:.0f}"), ("file", f"{media.width}x{media.height}")),
        )


def _camera(tags: ExifTags) -> Iterator[Finding]:
    make, model = tags.text(exif.MAKE), tags.text(exif.MODEL)
    if not make or not model or generator_in_make(make) or generator_in_make(model):
        return
    camera, taken = shown(f"{make} {model}"), _date(tags, exif.DATE_ORIGINAL)
    exposure = (
        exif.EXPOSURE_TIME, exif.SHUTTER_SPEED, exif.F_NUMBER, exif.APERTURE, exif.ISO, exif.FOCAL_LENGTH,
        exif.MAKER_NOTE, exif.DATE_ORIGINAL,
    )  # fmt: skip
    if all(tags.value(t) is None for t in exposure):
        yield _finding(
            "cameraWithoutExposure",
            f"EXIF names the camera {camera} but no field that a camera writes with it",
            (("camera", camera),),
        )
        return
    yield _finding(
        "camera",
        f"EXIF names the camera {camera}" + (f" and says taken at {taken.isoformat()}" if taken else ""),
        (("camera", camera), ("taken_at", taken.isoformat() if taken else None)),
    )


def _date(tags: ExifTags, tag: int) -> datetime | None:
    """A date of EXIF's fixed form; zeros and blanks mean unknown there."""
    try:
        return datetime.strptime((tags.text(tag) or "")[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _history(properties: list[xmp.Property]) -> Iterator[Finding]:
    actions = [p.value for p in properties if (p.namespace, p.name) == (xmp.EVENT, "action")]
    changing = [a for a in actions if a.lower() not in {"created", "published"}]
    if changing:
        agents = [p.value for p in properties if (p.namespace, p.name) == (xmp.EVENT, "softwareAgent")]
        listed = ", ".join(dict.fromkeys(shown(a) for a in changing[:20]))
        yield _finding(
            "editHistory",
            f"XMP records {len(changing)} steps after creation: {shown(listed)}",
            (("steps", len(changing)), ("agents", shown(", ".join(dict.fromkeys(agents[:20]))))),
        )


def _synthetic(findings: tuple[Finding, ...], blocks: Blocks) -> HeuristicEvidence:
    markers = tuple(f for f in findings if f.code in _SYNTHETIC or (_type_in(f, SYNTHETIC_SOURCE_TYPES)))
    if markers:
        return _evidence(
            Question.SYNTHETIC, HeuristicOutcome.SUPPORTS,
            f"{markers[0].detail}. The statement is not signed: anyone can write it.", markers,
        )  # fmt: skip
    rest = tuple(f for f in findings if f.code == "assay.metadata.digitalSourceType")
    return _evidence(Question.SYNTHETIC, HeuristicOutcome.ABSTAIN, _nothing(blocks, "generator"), rest)


def _edited(findings: tuple[Finding, ...], blocks: Blocks) -> HeuristicEvidence:
    traces = tuple(f for f in findings if f.code in _EDITED or _type_in(f, EDITED_SOURCE_TYPES))
    odd = tuple(f for f in findings if f.code in _INCONSISTENT)
    rest = tuple(f for f in findings if f.outcome is Outcome.NOT_EXAMINED or f.code == CAMERA)
    if traces:
        return _evidence(
            Question.EDITED, HeuristicOutcome.SUPPORTS,
            f"{traces[0].detail}. It says that software wrote the file, not what was changed; this is "
            "common and innocent.", traces + odd + rest,
        )  # fmt: skip
    if odd:
        return _evidence(
            Question.EDITED, HeuristicOutcome.INCONCLUSIVE,
            f"{odd[0].detail}. There are innocent reasons for it.", odd + rest,
        )  # fmt: skip
    return _evidence(Question.EDITED, HeuristicOutcome.ABSTAIN, _nothing(blocks, "editor"), rest)


def _type_in(finding: Finding, table: dict[str, str]) -> bool:
    return finding.code == "assay.metadata.digitalSourceType" and dict(finding.facts).get("value") in table


def _nothing(blocks: Blocks, what: str) -> str:
    if blocks.empty:
        return "the file carries no metadata that is read here; absence of markers proves nothing"
    return f"the metadata name no {what}; absence of markers proves nothing"


def _evidence(
    question: Question, outcome: HeuristicOutcome, reason: str, findings: tuple[Finding, ...]
) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector="metadata", version=VERSION, kind="metadata", question=question, outcome=outcome,
        reason=reason, findings=findings,
    )  # fmt: skip
