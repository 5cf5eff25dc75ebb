"""The only place that builds long-lived objects out of settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authn.core.config import Settings
from authn.examine.confining import confined_examiner

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from authn.devices import RegistryView
    from authn.devices.registry import Registry
    from authn.devices.revocation import Revocations, Revoked
    from authn.examine.examiner import Examiner
    from authn.examine.statements import Policy
    from authn.pki.authority import Authority
    from authn.pki.roots import TrustRoots
    from authn.provenance.logs import LogTrust
    from authn.service.enrolments import Enrolments
    from authn.service.examinations import WarmExaminer
    from authn.service.intake import Intake
    from authn.service.services import Services
    from authn.sources import HeuristicSource
    from authn.tlog.format.policy import WitnessPolicy
    from authn.tlog.log.log import Log
    from authn.tlog.log.publisher import Publisher

    Confine = Callable[[Settings, RegistryView, bool], WarmExaminer]

LOG_KEY = "log.key.pem"
LOG_VKEY = "log.vkey"  # for verifiers: what a receipt verifies with


def utc_now() -> datetime:
    """The one clock of the service; everything else gets the time as a parameter."""
    return datetime.now(UTC)


def open_examiner(
    settings: Settings,
    *,
    signer_roots: tuple[Path, ...] | None = None,
    tsa_roots: tuple[Path, ...] | None = None,
    crls: tuple[Path, ...] = (),
    registry: RegistryView | None = None,
    logs: LogTrust | None = None,
    heuristics: bool = True,
) -> Examiner:
    """Engines, policy and sources. Roots that are given replace the configured ones and this home's own;
    without ``logs``, receipts of this home's own log count.

    Needs no database and no running service. Raises ``Unavailable`` for roots that cannot be read. Not to be
    shared across a fork.
    """
    from authn.examine.statements import default_policy

    roots = open_roots(settings, signer_roots=signer_roots, tsa_roots=tsa_roots, crls=crls)
    return examiner_over(
        settings,
        roots=roots,
        policy=default_policy(),
        registry=registry,
        logs=logs or open_logs(settings),
        heuristics=heuristics,
    )


def open_logs(
    settings: Settings,
    log_keys: tuple[str, ...] = (),
    witness_keys: tuple[str, ...] = (),
    quorum: int = 1,
    policy_file: Path | None = None,
) -> LogTrust:
    """The logs whose receipts count beside this home's own and those of its devices' services, and the
    witnesses: given one by one, or by a policy. Raises ``Unavailable`` for what cannot be read."""
    from authn.core.errors import FileUnusable, NoteError
    from authn.core.homes import held
    from authn.provenance.logs import LogTrust, parse_log_keys, parse_witness_keys
    from authn.tlog.format.policy import read_policy
    from signer.device import LOG_KEY_FILE

    own = settings.home / "pki" / LOG_VKEY
    try:
        known = (*((own,) if own.exists() else ()), *held(settings, LOG_KEY_FILE))
        published = dict.fromkeys(path.read_text(encoding="ascii").strip() for path in known)
        logs = parse_log_keys((*published, *log_keys))
        witnesses = parse_witness_keys(witness_keys, logs)
        if policy_file is not None:
            return LogTrust.of_policy(read_policy(policy_file), logs)
        return LogTrust(logs=logs, witnesses=witnesses, quorum=quorum)
    except (OSError, UnicodeDecodeError, NoteError) as e:
        raise FileUnusable(f"the key of a log or witness cannot be read: {e}") from e


def open_roots(
    settings: Settings,
    *,
    signer_roots: tuple[Path, ...] | None = None,
    tsa_roots: tuple[Path, ...] | None = None,
    crls: tuple[Path, ...] = (),
) -> TrustRoots:
    """Given files in place of the configured ones, this home's own and those that services gave the devices
    of this home; revocation lists beside the configured ones. Raises ``Unavailable``."""
    from authn.core.homes import held
    from authn.pki.authority import own_roots
    from authn.pki.roots import TrustRoots, load_crls, load_roots
    from signer.device import SIGNER_ROOTS_FILE, TSA_ROOTS_FILE
    from signer.proof.usages import parse_usages

    own = own_roots(settings.home)
    signer = load_roots(signer_roots or (*held(settings, SIGNER_ROOTS_FILE), *settings.signer_roots))
    tsa = load_roots(tsa_roots or (*held(settings, TSA_ROOTS_FILE), *settings.tsa_roots))
    return TrustRoots(
        signer=signer if signer_roots else tuple(dict.fromkeys((*own.device, *signer))),
        tsa=tsa if tsa_roots else tuple(dict.fromkeys((*own.tsa, *tsa))),
        crls=load_crls((*crls, *settings.crls)),
        usages=parse_usages(settings.signer_usages),
    )


def examiner_over(
    settings: Settings,
    *,
    roots: TrustRoots,
    policy: Policy,
    registry: RegistryView | None,
    heuristics: bool,
    logs: LogTrust | None = None,
) -> Examiner:
    """An examiner over exactly these roots, this policy and this registry."""
    from authn.examine.examiner import Examiner
    from authn.provenance.engines import C2paRs, Encypher

    return Examiner(
        roots=roots,
        engines=(C2paRs(roots), Encypher(roots)),
        policy=policy,
        sources=_sources(settings) if heuristics else (),
        registry=registry,
        logs=logs,
        clock=utc_now,
    )


def registry_if_any(settings: Settings) -> Registry | None:
    """This home's registry where there is one; a verifier needs none. Raises ``Unavailable`` for one that
    exists and cannot be used, since a report must not quietly lose its device axis."""
    if not settings.database_url and not (settings.home / "assay.db").exists():
        return None
    from authn.devices.registry import open_registry

    return open_registry(settings.database)


def _sources(settings: Settings) -> tuple[HeuristicSource, ...]:
    """The table of evidence sources (docs/extending). A new source is a new line here."""
    from authn.sources.compression import CompressionSource
    from authn.sources.learned import LearnedSource, SemanticSource
    from authn.sources.metadata import MetadataSource
    from authn.sources.symmetry import SymmetrySource

    return (
        MetadataSource(),
        CompressionSource(),
        SymmetrySource(settings.face_models),
        LearnedSource(settings.detector),
        *(SemanticSource(encoder) for encoder in settings.semantic_encoder[:1]),
    )


def open_enrolments(settings: Settings) -> Enrolments:
    """Enrolment in this home, without the rest of the service. Raises ``Unavailable``."""
    from authn.pki.authority import open_authority
    from authn.store.engine import open_engine

    authority, engine = open_authority(settings), open_engine(settings.database)
    return _enrolments(settings, authority, engine, partial(_log_queued, settings))[1]


def _enrolments(
    settings: Settings, authority: Authority, engine: Engine, log_queued: Callable[[], int]
) -> tuple[Intake, Enrolments]:
    from authn.devices.attestation import NONE
    from authn.devices.attestation.terms import load_terms
    from authn.devices.challenges import Challenges
    from authn.devices.registry import Registry
    from authn.service.enrolments import Enrolments
    from authn.service.intake import Intake

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
    from authn.store.engine import open_engine
    from authn.tlog.log.log import open_log
    from signer.core.durable import write_durably

    engine = engine or open_engine(settings.database)
    policy = _witness_policy(settings)
    log = open_log(engine, settings.home / "pki" / LOG_KEY, log_origin(settings), policy)
    published = settings.home / "pki" / LOG_VKEY
    if not published.exists():
        write_durably(published, f"{log.verifier}\n".encode(), mode=0o644)
    return log


def _witness_policy(settings: Settings) -> WitnessPolicy | None:
    from authn.tlog.format.policy import read_policy

    return read_policy(settings.witness_policy[0]) if settings.witness_policy else None


def _publisher(settings: Settings, log: Log) -> Publisher | None:
    """Not started; None where there is nobody to ask."""
    from authn.tlog.log.publisher import LOCK_FILE, Publisher

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


def _announcer(log_queued: Callable[[], int]) -> Callable[[Revoked], None]:
    """A revocation stands whether or not the log can take it now; until then it waits in the queue."""
    from authn.core.errors import Unavailable

    def announce(_revoked: Revoked) -> None:
        with suppress(Unavailable):
            log_queued()

    return announce


def open_revocations(settings: Settings) -> Revocations:
    """Revoking and publishing in this home, without the rest of the service. Raises ``Unavailable``."""
    from authn.devices.registry import Registry
    from authn.devices.revocation import Revocations
    from authn.store.engine import open_engine

    engine = open_engine(settings.database)
    return Revocations(engine, Registry(engine), _announcer(partial(_log_queued, settings, engine)))


def check_services(settings: Settings) -> None:
    """Open and make everything that a service process needs, then let it go again.

    It starts no process and no thread, so it can run before a fork. Raises ``Unavailable``, ``LogHalted``, or
    ``ModelUnavailable`` for a detector that is not in the registry.
    """
    from authn.core.errors import LogHalted
    from authn.devices.attestation.terms import load_terms
    from authn.pki.authority import open_authority
    from authn.pki.roots import load_crls, load_roots
    from authn.service.intake import open_enrolment_token
    from authn.service.start_entries import announce, at_start
    from authn.store.engine import open_engine
    from authn.store.verifications import Verifications
    from detector.forensics.faces import face_model_files
    from detector.models.registry import model_files

    load_roots((*settings.signer_roots, *settings.tsa_roots))
    load_crls(settings.crls)
    load_terms(settings)
    if settings.detector:
        model_files(settings.detector)
    if settings.face_models:
        face_model_files(settings.face_models)
    authority = open_authority(settings)
    open_enrolment_token(settings)
    engine = open_engine(settings.database)
    Verifications(engine, settings.report_days).purge(utc_now())
    with closing(open_transparency_log(settings, engine)) as log:
        if log.halted:
            raise LogHalted(log.halted)
        announce(engine, at_start(settings, authority, _witness_policy(settings)))
        log.append_queued()
    engine.dispose()


def open_services(settings: Settings, *, confine: Confine = confined_examiner) -> Services:
    """What one service process holds. Raises ``Unavailable``.

    Call it after a fork: database connections and examiners must not cross one.
    """
    from authn.devices.ocsp import Responder
    from authn.devices.registry import Registry
    from authn.devices.revocation import Revocations
    from authn.pki.authority import open_authority
    from authn.pki.roots import load_roots
    from authn.service.examinations import Examinations
    from authn.service.intake import open_enrolment_token
    from authn.service.services import Services
    from authn.service.start_entries import logs_certificates
    from authn.store.engine import open_engine
    from authn.store.verifications import Verifications

    authority = open_authority(settings)
    engine = open_engine(settings.database)
    registry = Registry(engine)
    log = open_transparency_log(settings, engine)
    revocations = Revocations(engine, registry, _announcer(log.append_queued))
    verifications = Verifications(engine, settings.report_days)
    intake, enrolments = _enrolments(settings, authority, engine, log.append_queued)
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
        examinations=Examinations(
            with_heuristics=confine(settings, registry, True),
            without_heuristics=confine(settings, registry, False),
            heuristics=settings.heuristics,
            store=verifications,
            clock=utc_now,
        ),
        clock=utc_now,
        enrolment_token=open_enrolment_token(settings),
    )
