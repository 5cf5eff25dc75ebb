"""Settings into an examiner: which engines, which policy, and the table of evidence sources.

Needs no database and no running service. It loads engines and decoders, so the process that examines
imports it, and no other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from authn.core.config import Settings
from authn.core.errors import FileUnusable
from authn.core.extras import not_installed
from authn.core.instants import utc_now
from authn.devices import RegistryView
from authn.examine.detectors import LearnedDetector, encoder_of, learned_detectors
from authn.examine.examiner import Examiner
from authn.examine.trust import open_logs, open_roots
from authn.pki.roots import TrustRoots
from authn.policies.policy import Policy
from authn.policies.shelf import open_policy
from authn.provenance.engines import open_engines
from authn.provenance.logs import LogTrust
from authn.sources import HeuristicSource
from authn.sources.absent import AbsentSource
from detector.core.errors import ModelUnavailable

if TYPE_CHECKING:
    from authn.sources.pictures import Pictures
    from detector.models.joint import Joint
    from detector.models.own_pictures import OwnCalibration

_log = logging.getLogger(__name__)
NO_RECAPTURE_WEIGHTS = (
    "no weights ship: too few photos of screens may be learned from; make some with assay lab recapture and "
    "name them in the setting recapture_weights"
)


def open_examiner(
    settings: Settings,
    *,
    signer_roots: tuple[Path, ...] | None = None,
    tsa_roots: tuple[Path, ...] | None = None,
    crls: tuple[Path, ...] = (),
    registry: RegistryView | None = None,
    logs: LogTrust | None = None,
    heuristics: bool = True,
    detectors: Sequence[LearnedDetector] | None = None,
) -> Examiner:
    """Roots that are given replace the configured ones and this home's own; without ``logs``, receipts of
    this home's own log count. ``detectors``: the learned ones as whoever holds several examiners found them
    once, so that all have the same; None: as they are now. Raises ``Unavailable`` for roots that cannot be
    read, ``PolicyError`` for the policy of the settings. Not to be shared across a fork."""
    return examiner_over(
        settings,
        roots=open_roots(settings, signer_roots=signer_roots, tsa_roots=tsa_roots, crls=crls),
        policy=open_policy(settings.policy),
        registry=registry,
        logs=logs or open_logs(settings),
        heuristics=heuristics,
        detectors=detectors,
    )


def examiner_over(
    settings: Settings,
    *,
    roots: TrustRoots,
    policy: Policy,
    registry: RegistryView | None,
    heuristics: bool,
    logs: LogTrust | None = None,
    detectors: Sequence[LearnedDetector] | None = None,
) -> Examiner:
    """An examiner over exactly these roots, this policy and this registry. ``detectors`` as above."""
    pictures = _pictures() if heuristics else None  # numpy, which nothing else needs
    return Examiner(
        joint=_joint() if heuristics else None,
        own=_own(settings) if heuristics else None,
        roots=roots,
        engines=open_engines(roots),
        policy=policy,
        sources=sources(settings, pictures, detectors) if heuristics else (),
        on_request=sources_on_request(settings, pictures) if heuristics else (),
        forensics=settings.forensics,
        registry=registry,
        logs=logs,
        clock=utc_now,
    )


def _joint() -> Joint | None:
    """What joins the learned detectors, where it is shipped and can be read; else each answers for itself."""
    try:
        from detector.models.joint import open_joint

        return open_joint()
    except ModuleNotFoundError as e:
        if not_installed(e) is None:
            raise
    except ModelUnavailable as e:
        _log.warning("detectors are not joined: %s", e.detail)
    return None


def _own(settings: Settings) -> OwnCalibration | None:
    """Raises ``FileUnusable``: who names a calibration wants no answer by another."""
    if not settings.calibration:
        return None
    from detector.models.own_pictures import open_calibration

    try:
        return open_calibration(settings.calibration[0])
    except ModelUnavailable as e:
        raise FileUnusable(e.detail) from e


def _pictures() -> Pictures | None:
    """What all sources of one examiner share; None where nothing decodes pixels."""
    try:
        from authn.sources.pictures import Pictures
    except ModuleNotFoundError as e:
        if not_installed(e) is None:
            raise
        return None
    return Pictures()


def sources(
    settings: Settings,
    pictures: Pictures | None = None,
    detectors: Sequence[LearnedDetector] | None = None,
) -> tuple[HeuristicSource, ...]:
    """The table of evidence sources (docs/extending). A new source is a new line here."""
    from authn.sources.compression import CompressionSource
    from authn.sources.metadata import MetadataSource

    pictures = pictures or _pictures()
    return (
        MetadataSource(),
        CompressionSource(),
        *_looking(settings, pictures, detectors),
        *_sensor(settings, pictures, always=True),
    )


def sources_on_request(settings: Settings, pictures: Pictures | None = None) -> tuple[HeuristicSource, ...]:
    """The second table: those that cost more, and run only where forensics are asked for."""
    shared = pictures or _pictures()
    return (*_history(shared), *_recaptured(settings, shared), *_sensor(settings, shared))


def _history(pictures: Pictures | None) -> tuple[HeuristicSource, ...]:
    """What a picture's past left in it."""
    try:
        from authn.sources.colour_filter import ColourFilterSource
        from authn.sources.copy_move import CopyMoveSource
        from authn.sources.double_jpeg import DoubleJpegSource
        from authn.sources.jpeg_ghosts import JpegGhostsSource
        from authn.sources.jpeg_grid import JpegGridSource
        from authn.sources.resampling import ResamplingSource
        from authn.sources.smooth_copies import SmoothCopiesSource
    except ModuleNotFoundError as e:
        if (why := not_installed(e)) is None:
            raise
        names = (
            "double_jpeg", "copy_move", "jpeg_grid", "jpeg_ghosts", "resampling", "colour_filter",
            "smooth_copies",
        )  # fmt: skip
        return tuple(AbsentSource(n, why.detail) for n in names)
    return (
        DoubleJpegSource(pictures),
        CopyMoveSource(pictures),
        JpegGridSource(pictures),
        JpegGhostsSource(pictures),
        ResamplingSource(pictures),
        ColourFilterSource(pictures),
        SmoothCopiesSource(pictures),
    )


def _recaptured(settings: Settings, pictures: Pictures | None) -> tuple[HeuristicSource, ...]:
    """By weights that the settings name, or why not."""
    if not settings.recapture_weights:
        return (AbsentSource("recaptured", NO_RECAPTURE_WEIGHTS),)
    try:
        from authn.sources.recaptured import RecapturedSource
    except ModuleNotFoundError as e:
        if (why := not_installed(e)) is None:
            raise
        return (AbsentSource("recaptured", why.detail),)
    return (RecapturedSource(settings.recapture_weights[0], pictures),)


def _sensor(
    settings: Settings, pictures: Pictures | None, *, always: bool = False
) -> tuple[HeuristicSource, ...]:
    """Sensors' fingerprints. ``always``: those that are compared without anybody asking."""
    try:
        from authn.sources.sensor import SensorSource
    except ModuleNotFoundError as e:
        if (why := not_installed(e)) is None:
            raise
        return () if always else (AbsentSource("sensor", why.detail),)
    return (SensorSource(settings.home, pictures, always=always),)


def _looking(
    settings: Settings, pictures: Pictures | None, detectors: Sequence[LearnedDetector] | None
) -> tuple[HeuristicSource, ...]:
    """Those that decode pixels and compute with them, or why each does not."""
    now = learned_detectors(settings)
    traces, semantic = now if detectors is None else detectors
    try:
        from authn.sources.embedded import EmbeddedSource
        from authn.sources.learned import LearnedSource, SemanticSource
        from authn.sources.symmetry import SymmetrySource
        from authn.sources.watermarks import WatermarkSource
    except ModuleNotFoundError as e:
        if (why := not_installed(e)) is None:
            raise
        return tuple(
            AbsentSource(n, why.detail)
            for n in ("embedded", "watermark", "symmetry", traces.name, semantic.name)
        )
    encoder = None if semantic.lacks else encoder_of(settings)
    whole = AbsentSource(semantic.name, semantic.lacks or now[1].lacks)  # or it was taken away since
    return (
        EmbeddedSource(pictures),
        WatermarkSource(pictures),
        SymmetrySource(settings.face_models, pictures),
        LearnedSource(traces.name, pictures),
        whole if encoder is None else SemanticSource(encoder, pictures=pictures),
    )
