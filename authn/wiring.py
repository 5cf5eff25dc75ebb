"""The only place that builds long-lived objects out of settings."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from authn.config import Settings

if TYPE_CHECKING:
    from authn.confined import Examines
    from authn.devices import RegistryView
    from authn.intake import Intake
    from authn.services import Services


def utc_now() -> datetime:
    """The one clock of the service; everything else gets the time as a parameter."""
    return datetime.now(UTC)


def open_examiner(
    settings: Settings,
    *,
    registry: RegistryView | None = None,
    heuristics: bool = True,
) -> Examines:
    """Stands here until the examiner is written; the lead replaces it."""
    raise NotImplementedError


def open_intake(settings: Settings) -> Intake:
    """Enrolment in this home, without the rest of the service. Raises ``Unavailable``."""
    from authn.devices.registry import open_registry
    from authn.intake import Intake
    from authn.pki.authority import open_authority

    return Intake(open_authority(settings), open_registry(settings.database))


def check_services(settings: Settings) -> None:
    """Open and make everything that a service process needs, then let it go again.

    It starts no process and no thread, so it can run before a fork. Raises ``Unavailable`` or
    ``SettingsError``.
    """
    from authn.intake import open_enrolment_token
    from authn.pki.authority import open_authority
    from authn.store.engine import open_engine
    from authn.store.verifications import Verifications

    open_authority(settings)
    open_enrolment_token(settings)
    engine = open_engine(settings.database)
    Verifications(engine, settings.report_days).purge(utc_now())
    engine.dispose()


def open_services(settings: Settings) -> Services:
    """What one service process holds; examiners start when they are first used. Raises ``Unavailable``."""
    from authn.confined import ConfinedExaminer
    from authn.devices.registry import Registry
    from authn.examinations import Examinations
    from authn.intake import Intake, open_enrolment_token
    from authn.pki.authority import open_authority
    from authn.services import Services
    from authn.store.engine import open_engine
    from authn.store.verifications import Verifications

    authority = open_authority(settings)
    engine = open_engine(settings.database)
    registry = Registry(engine)
    verifications = Verifications(engine, settings.report_days)
    with_heuristics, without = (
        ConfinedExaminer(
            partial(open_examiner, settings, registry=registry, heuristics=heuristics),
            timeout_s=settings.max_request_seconds,
            memory_bytes=settings.worker_memory_bytes,
        )
        for heuristics in (True, False)
    )
    return Services(
        settings=settings,
        engine=engine,
        authority=authority,
        registry=registry,
        intake=Intake(authority, registry),
        tsa=authority.timestamp_authority(),
        verifications=verifications,
        examinations=Examinations(
            with_heuristics=with_heuristics,
            without_heuristics=without,
            heuristics=settings.heuristics,
            store=verifications,
            clock=utc_now,
        ),
        clock=utc_now,
        enrolment_token=open_enrolment_token(settings),
    )
