"""Settings into a pool of held examiners: what goes along to their processes, and what may be read there.

Every examination of somebody's file goes through here: the service's, and that of the command line. Secrets
stay behind, and so does the registry: the process asks for single keys over its pipe.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from authn.core.config import Settings
from authn.core.homes import has_registry
from authn.core.setting_rows import SETTINGS
from authn.devices.fingerprints import FOLDER

if TYPE_CHECKING:
    from authn.devices import DeviceRecord, RegistryView
    from authn.devices.registry import Registry
    from authn.examine.detectors import LearnedDetector
    from authn.examine.examiner import Examiner
    from authn.examine.pool import ExaminerPool


def service_pool(settings: Settings, registry: RegistryView, heuristics: bool) -> ExaminerPool:
    """For the service: so many workers as the settings say, each of which starts when it is first used."""
    from authn.examine.detectors import learned_detectors

    found = learned_detectors(settings)  # so that an examiner that is started anew has what the others have
    build = partial(_open, settings=without_secrets(settings), heuristics=heuristics, detectors=found)
    cores = len(os.sched_getaffinity(0)) // settings.workers
    return pool_over(settings, build, registry=registry, size=settings.examiners, at_once=cores, talks=True)


def start_ahead() -> None:
    """For a command that will examine, before it reads settings: the process that it needs, forked while it
    holds no secret, with what both of them load. Elsewhere this does nothing, and one is spawned later."""
    import authn.examine.pool  # noqa: F401
    from authn.confinement import ahead

    ahead.start()


def pool_over(
    settings: Settings,
    build: Callable[[RegistryView | None], Examiner],
    *,
    registry: RegistryView | None = None,
    size: int = 1,
    at_once: int | None = None,
    talks: bool | None = None,
) -> ExaminerPool:
    """``build`` must be picklable; what it holds is sent to the process, so it holds no secret. Unless told,
    the process talks on stderr only where somebody looks for a defect."""
    from authn.core.media import MediaLimits
    from authn.examine.pool import ExaminerPool

    return ExaminerPool(
        build,
        timeout_s=settings.max_request_seconds,
        memory_bytes=settings.worker_memory_bytes,
        limits=MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels),
        readable=readable_paths(settings),
        registry=registry,
        size=size,
        at_once=at_once,
        talks=is_debugged() if talks is None else talks,
    )


def is_debugged() -> bool:
    """Whether a person asked for tracebacks."""
    return bool(os.environ.get("ASSAY_DEBUG"))


def without_secrets(settings: Settings) -> Settings:
    """For a process that strangers' files are opened in. The database's address may hold a password."""
    blank = {row.name: "" for row in SETTINGS if row.secret}
    return replace(settings, database_url="", **blank)  # type: ignore[arg-type]


def readable_paths(settings: Settings) -> tuple[Path, ...]:
    """What sources load late, at the first picture that they apply to: models, which are no secret. The
    encoder is one file, and so are other weights: whoever names a folder by mistake opens none. And the
    fingerprints of sensors, where there are any, which recognise photos and sign nothing."""
    named = (p for p in (*settings.semantic_encoder, *settings.recapture_weights) if p.is_file())
    prints = settings.home / FOLDER
    return (*named, *settings.face_models, *((prints,) if prints.is_dir() else ()))


def _open(
    registry: RegistryView | None,
    *,
    settings: Settings,
    heuristics: bool,
    detectors: tuple[LearnedDetector, ...],
) -> Examiner:
    from authn.examine.opening import open_examiner

    return open_examiner(settings, registry=registry, heuristics=heuristics, detectors=detectors)


class RegistryWhenAsked:
    """A ``RegistryView`` of this home that is opened by the first question: a file that carries no signature
    puts none, and opening costs more than examining it. Its method raises as ``open_registry``."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._opened: Registry | None = None

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        if self._opened is None:
            from authn.devices.registry import open_registry  # sqlalchemy

            self._opened = open_registry(self._database)
        return self._opened.device_by_key(spki_sha256)


def registry_when_asked(settings: Settings) -> RegistryView | None:
    """As ``registry_if_any``, for whoever only examines: of one that cannot be used hears who asks it."""
    return RegistryWhenAsked(settings.database) if has_registry(settings) else None


def registry_if_any(settings: Settings) -> Registry | None:
    """This home's registry where there is one; a verifier needs none. Raises ``Unavailable`` for one that
    exists and cannot be used, since a report must not quietly lose its device axis."""
    if not has_registry(settings):
        return None
    from authn.devices.registry import open_registry  # sqlalchemy, which a verifier without one never needs

    return open_registry(settings.database)
