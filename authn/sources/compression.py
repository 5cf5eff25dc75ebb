"""JPEG quantisation tables against the camera that the file claims. Question: *edited*.

It supports only when the claimed camera was measured in at least ``MIN_SAMPLES`` files, the tables are none
of those seen from it, and they are those of ordinary software. That shows that software wrote the file after
the camera, which most harmless tools do; it shows no change of content. Everything else is inconclusive or
an abstention.
"""

from __future__ import annotations

from authn.core.evidence import Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import Media
from authn.sources.markers import shown
from detector.forensics.compression import (
    MIN_SAMPLES,
    CameraTables,
    Comparison,
    Compression,
    camera_key,
    compare,
    examine_compression,
    known_cameras,
)
from detector.forensics.encoders import Encoder, encoder_of
from detector.pixels import exif
from detector.pixels.exif import exif_of
from detector.pixels.jpeg import JpegStructure, parse_jpeg

VERSION = "3"


class CompressionSource:
    """Implements ``HeuristicSource``."""

    name = "compression"
    reads_pixels = False

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``DetectorError`` for a JPEG whose tables cannot be read."""
        if media.media_type != "image/jpeg":
            reason = f"{media.media_type} has no JPEG quantisation tables"
            return (_evidence(HeuristicOutcome.ABSTAIN, reason, applicable=False),)
        jpeg = parse_jpeg(media.data)
        found = examine_compression(jpeg)
        tags = exif_of(jpeg)
        claimed = camera_key(tags.text(exif.MAKE), tags.text(exif.MODEL)) if tags else None
        camera = known_cameras().get(claimed) if claimed else None
        comparison = compare(found, camera)
        outcome, reason = _reading(comparison, found, claimed, camera)
        encoder = encoder_of(jpeg)
        if encoder is not None and outcome is HeuristicOutcome.ABSTAIN:
            reason = f"{reason}; the tables are those of {_told(encoder)}"
        tables = _finding(found, claimed, camera, comparison)
        return (_evidence(outcome, reason, (tables, _writer(encoder, jpeg))),)


def _told(encoder: Encoder) -> str:
    setting = f" at {encoder.setting}" if encoder.setting else ""
    measured = f", as measured in {encoder.files} files" if encoder.files else ""
    return f"{encoder.name}{setting}{measured}"


def _writer(encoder: Encoder | None, jpeg: JpegStructure) -> Finding:
    """Who writes such tables, and how the coded data were written. It names tables, not a person."""
    usual = jpeg.usual_huffman
    codes = {True: "usual", False: "fitted to the picture", None: "not found"}[usual]
    named = "nobody that was measured" if encoder is None else _told(encoder)
    return Finding(
        code="assay.compression.encoder",
        outcome=Outcome.ESTABLISHED if encoder is not None else Outcome.ABSENT,
        detail=f"tables of {named}; Huffman tables {codes}",
        facts=(
            ("encoder", encoder.name if encoder else None),
            ("setting", encoder.setting or None if encoder else None),
            ("basis", encoder.basis if encoder else None),
            ("measured_files", encoder.files if encoder else 0),
            ("measured_sources", encoder.sources if encoder else 0),
            ("huffman_usual", usual),
            ("scans", jpeg.scans),
        ),
    )


def _reading(
    comparison: Comparison, found: Compression, claimed: str | None, camera: CameraTables | None
) -> tuple[HeuristicOutcome, str]:
    name = shown(claimed or "")
    if comparison is Comparison.UNKNOWN_CAMERA or camera is None:
        if claimed is None:
            return (
                HeuristicOutcome.ABSTAIN,
                "the file claims no camera to compare its quantisation tables with",
            )
        return HeuristicOutcome.ABSTAIN, f"the claimed camera {name} is not among those measured"
    seen = f"in {camera.samples} measured file{'s' if camera.samples > 1 else ''}"
    writer = (
        f"standard software at quality {found.ijg_quality}"
        if found.standard
        else "software that leaves Adobe's segment"
    )
    sentence = _SENTENCES[comparison].format(name=name, seen=seen, writer=writer, least=MIN_SAMPLES)
    return _OUTCOMES.get(comparison, HeuristicOutcome.INCONCLUSIVE), sentence


_OUTCOMES = {
    Comparison.SOFTWARE_TABLES: HeuristicOutcome.SUPPORTS,
    Comparison.FEW_SAMPLES: HeuristicOutcome.ABSTAIN,
}
_SENTENCES = {
    Comparison.MATCHES_CAMERA: (
        "the tables are among those seen from {name} ({seen}); tables are easily copied, so nothing follows"
    ),
    Comparison.SOFTWARE_TABLES: (
        "the tables are those of {writer}, never seen from {name} ({seen}): the file was saved again after "
        "the camera. Saving again by software is common and innocent"
    ),
    Comparison.FEW_SAMPLES: (
        "the tables are not among those seen from {name} ({seen}); a camera has several, and fewer than "
        "{least} files do not show them all"
    ),
    Comparison.CAMERA_USES_STANDARD: "{name} itself uses the tables of standard software ({seen})",
    Comparison.UNLIKE_BOTH: "the tables are neither those seen from {name} ({seen}) nor standard ones",
}


def _finding(
    found: Compression, claimed: str | None, camera: CameraTables | None, comparison: Comparison
) -> Finding:
    kind = "standard" if found.standard else "not standard"
    return Finding(
        code="assay.compression.tables",
        outcome=Outcome.ESTABLISHED,
        detail=f"tables are {kind}, nearest quality {found.ijg_quality}, chroma {found.subsampling}",
        facts=(
            ("ijg_quality", found.ijg_quality),
            ("standard", found.standard),
            ("subsampling", found.subsampling),
            ("progressive", found.progressive),
            ("adobe_segment", found.adobe),
            ("tables_sha256", found.tables_sha256),
            ("claimed_camera", shown(claimed) if claimed else None),
            ("camera_samples", camera.samples if camera else 0),
            ("comparison", comparison.value),
        ),
    )


def _evidence(
    outcome: HeuristicOutcome, reason: str, findings: tuple[Finding, ...] = (), *, applicable: bool = True
) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector="compression",
        version=VERSION,
        kind="signal",
        question=Question.EDITED,
        outcome=outcome,
        reason=reason,
        applicable=applicable,
        findings=findings,
    )
