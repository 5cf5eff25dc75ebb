"""The only place that builds a service's long-lived objects out of settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy import Engine

from authn.core.config import Settings
from authn.core.errors import LogHalted
from authn.core.homes import LOG_VKEY
from authn.core.instants import utc_now
from authn.devices import RegistryView
from authn.devices.attestation import NONE
from authn.devices.fingerprints import Fingerprints
from authn.devices.ocsp import Responder
from authn.devices.registry import Registry
from authn.devices.revocation import Revocations
from authn.examine.detectors import learned_detectors
from authn.examine.pooling import service_pool
from authn.pki.authority import Authority, open_authority
from authn.pki.roots import load_crls, load_roots
from authn.service.enrolment.challenged import Enrolments
from authn.service.enrolment.challenges import Challenges
from authn.service.enrolment.intake import Intake
from authn.service.enrolment.terms import load_terms
from authn.service.enrolment.tokens import open_enrolment_token
from authn.service.examinations import Examinations, WarmExaminer
from authn.service.later import open_later
from authn.service.recovering import open_recovery
from authn.service.services import Services
from authn.service.start_entries import logs_certificates, queue_news, start_entries
from authn.service.sweeping import Sweeper, sweep
from authn.store.clock import DatabaseClock
from authn.store.engine import open_engine
from authn.store.verifications import Verifications
from authn.tlog.format.policy import WitnessPolicy, read_policy
from authn.tlog.log.log import Log, open_log
from authn.tlog.log.publisher import LOCK_FILE, Publisher
from signer.core.durable import write_durably

Confine = Callable[[Settings, RegistryView, bool], WarmExaminer]
LOG_KEY = "log.key.pem"
KEPT_CONNECTIONS = 4  # of each worker: more are opened where more threads ask at once, and closed again


def open_enrolments(settings: Settings) -> Enrolments:
    """Enrolment in this home, without the rest of the service. Raises ``Unavailable``."""
    authority, engine = open_authority(settings), open_engine(settings.database)
    return _enrolments(settings, authority, engine, partial(_log_queued, settings))[1]


def _enrolments(
    settings: Settings, authority: Authority, engine: Engine, log_queued: Callable[[], int]
) -> tuple[Intake, Enrolments]:
    terms = load_terms(settings)
    intake = Intake(
        authority,
        Registry(engine),
        log_queued,
        unattested=NONE in terms.formats,
        origin=terms.webauthn.origin,
    )
    return intake, Enrolments(intake, Challenges(engine), terms)


def open_transparency_log(settings: Settings, engine: Engine | None = None) -> Log:
    """This home's log, started if there is none yet; the authority has to be there. Raises ``Unavailable``,
    and as ``authn.tlog.log.log.open_log``."""
    engine = engine or open_engine(settings.database)
    policy = _witness_policy(settings)
    log = open_log(engine, settings.home / "pki" / LOG_KEY, log_origin(settings), policy)
    published = settings.home / "pki" / LOG_VKEY
    if not published.exists():
        write_durably(published, f"{log.verifier}\n".encode(), mode=0o644)
    return log


def _witness_policy(settings: Settings) -> WitnessPolicy | None:
    return read_policy(settings.witness_policy[0]) if settings.witness_policy else None


def _publisher(settings: Settings, log: Log) -> Publisher | None:
    """Not started; None where there is nobody to ask."""
    policy = _witness_policy(settings)
    if policy is None or not any(witness.url for witness in policy.witnesses):
        return None
    lock = settings.home / "pki" / LOCK_FILE
    return Publisher(log, policy, lock, interval_s=settings.witness_interval_seconds)


def log_origin(settings: Settings) -> str:
    """The name of a log that is started now: the service's address without its scheme (tlog-checkpoint)."""
    url = urlsplit(settings.public_url)
    return f"{url.netloc}{url.path.rstrip('/')}/log" if url.netloc else "assay.local/log"


def _log_queued(settings: Settings, engine: Engine | None = None) -> int:
    """For a process that does not keep the log open."""
    with closing(open_transparency_log(settings, engine)) as log:
        return log.append_queued()


def open_revocations(settings: Settings) -> Revocations:
    """Revoking and publishing in this home, without the rest of the service. Raises ``Unavailable``."""
    engine = open_engine(settings.database)
    return Revocations(engine, Registry(engine), partial(_log_queued, settings, engine))


def check_services(settings: Settings) -> None:
    """Open and make everything that a service process needs, then let it go again.

    It starts no process and no thread, so it can run before a fork. Raises ``Unavailable``, ``LogHalted``, or
    ``ModelUnavailable`` for a detector that is not in the registry.
    """
    from detector.forensics.face_files import face_model_files
    from detector.models.registry import model_files

    load_roots((*settings.signer_roots, *settings.tsa_roots))
    load_crls(settings.crls)
    load_terms(settings)
    if settings.detector:
        model_files(settings.detector)
    if settings.face_models:
        face_model_files(settings.face_models)
    Fingerprints(settings.home).make_place()
    authority = open_authority(settings)
    open_enrolment_token(settings)
    engine = open_engine(settings.database)
    sweep(engine, utc_now())
    with closing(open_transparency_log(settings, engine)) as log:
        if log.halted:
            raise LogHalted(log.halted)
        queue_news(engine, start_entries(settings, authority, _witness_policy(settings)))
        log.append_queued()
    engine.dispose()


def open_services(settings: Settings, *, confine: Confine = service_pool) -> Services:
    """What one service process holds. Raises ``Unavailable``.

    Call it after a fork: database connections and examiners must not cross one.
    """
    authority = open_authority(settings)
    engine = open_engine(settings.database, kept=KEPT_CONNECTIONS)
    registry = Registry(engine)
    log = open_transparency_log(settings, engine)
    revocations = Revocations(engine, registry, log.append_queued)
    verifications = Verifications(engine, settings.report_days)
    intake, enrolments = _enrolments(settings, authority, engine, log.append_queued)
    recovery = open_recovery(settings, engine, log)
    examinations = Examinations(
        with_heuristics=confine(settings, registry, True),
        without_heuristics=confine(settings, registry, False),
        heuristics=settings.heuristics,
        store=verifications,
        clock=utc_now,
        recovery=recovery,
    )
    later = open_later(settings, engine, examinations, verifications, DatabaseClock(engine))
    return Services(
        settings=settings,
        engine=engine,
        authority=authority,
        registry=registry,
        intake=intake,
        enrolments=enrolments,
        log=log,
        publisher=_publisher(settings, log),
        tsa=authority.timestamp_authority(),
        tsa_roots=(*authority.tsa_roots, *load_roots(settings.tsa_roots)),
        revocations=revocations,
        responder=Responder(
            authority.issuer, revocations.status, utc_now, logs_certificates(engine, log.append_queued)
        ),
        verifications=verifications,
        examinations=examinations,
        recovery=recovery,
        deferred=later.deferred,
        batches=later.batches,
        webhooks=later.webhooks,
        repeats=later.repeats,
        runners=later.runners,
        detectors=learned_detectors(settings),
        sweeper=Sweeper(engine, settings.home, utc_now),
        clock=utc_now,
        enrolment_token=open_enrolment_token(settings),
    )
