"""Repeat the report of an evidence bundle, and say whether it came out the same."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from authn.cli.out import hand_over, say, say_block
from authn.core.config import Settings
from authn.core.errors import BundleError, UnreadableMedia
from authn.core.media import Media, MediaLimits, unparsed, unparsed_file, with_sidecar
from authn.devices.snapshot import RegistryCopy
from authn.examine.bundle import Bundle, canonical_report, differences, read_bundle
from authn.report.text import render_text

if TYPE_CHECKING:
    from authn.devices import RegistryView
    from authn.examine.examiner import Examiner

MAX_SHOWN = 20


def repeat_bundle(settings: Settings, file: Path, media_file: Path | None, *, as_json: bool) -> int:
    """Exit code: 0 where the report is repeated byte for byte, 1 where it differs. Raises ``BundleError``."""
    from authn.examine.pooling import pool_over, without_secrets

    data = _read(file, settings.max_media_bytes)
    bundle = read_bundle(data, settings.max_media_bytes)
    media = _media(
        bundle, media_file, MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    )
    settings = replace(settings, forensics=bundle.basis.forensics)
    registry = None if bundle.basis.devices is None else RegistryCopy(bundle.basis.devices)
    build = partial(_open_examiner, data=data, settings=without_secrets(settings))
    with pool_over(settings, build, registry=registry) as examiner:
        report = examiner.examine(media, as_of=bundle.as_of, receipt=bundle.basis.receipt).report
    repeated = canonical_report(report)
    hand_over(f"{repeated.decode()}\n") if as_json else say_block(render_text(report))
    if repeated == bundle.report:
        say("assay: the report of the bundle is repeated byte for byte", err=True)
        return 0
    for pointer in differences(bundle.report, repeated)[:MAX_SHOWN]:
        say(f"assay: {pointer} differs", err=True)
    say("assay: the report differs from that of the bundle [assay.bundle.differs]", err=True)
    return 1


def _open_examiner(registry: RegistryView | None, *, data: bytes, settings: Settings) -> Examiner:
    """Runs in the confined process, which reads the bundle for itself: certificates travel as bytes only."""
    from authn.examine.opening import examiner_over

    basis = read_bundle(data, settings.max_media_bytes).basis
    return examiner_over(
        settings,
        roots=basis.roots,
        policy=basis.policy,
        registry=registry,
        logs=basis.logs,
        heuristics=basis.heuristics,
    )


def _read(file: Path, max_media_bytes: int) -> bytes:
    try:
        with file.open("rb") as f:
            return f.read(2 * max_media_bytes)
    except OSError as e:
        raise BundleError(f"{file.name} cannot be read: {e.strerror}") from e


def _media(bundle: Bundle, file: Path | None, limits: MediaLimits) -> Media:
    if file is not None:
        media = unparsed_file(file, limits)
    elif bundle.media is not None:
        media = unparsed(bundle.media, bundle.media_name, limits)
    else:
        raise BundleError("the bundle leaves the media out; name the file too")
    if media.sha256 != bundle.media_sha256:
        raise UnreadableMedia(f"{media.name} is not the file that the bundle is about")
    media = unparsed(media.data, bundle.media_name, limits)
    return media if bundle.sidecar is None else with_sidecar(media, bundle.sidecar, "sidecar.c2pa")
