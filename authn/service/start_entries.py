"""What the log is told about the service itself: at its start, and only where it is something else than last
time, and whenever it makes a certificate for itself.

What was said last is kept as a hash beside the queue, in the transaction that queues the entry: a crash
between the two neither forgets an entry nor repeats one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.x509 import Certificate
from sqlalchemy import Connection, Engine, delete, func, insert, select

from authn.core.config import Settings
from authn.core.errors import Unavailable
from authn.examine.statements import default_policy
from authn.store.engine import writing
from authn.store.schema import log_announced
from authn.tlog.format import records
from authn.tlog.format.entry import LogEntry
from authn.tlog.format.policy import WitnessPolicy, policy_text
from authn.tlog.log.store import enqueue

if TYPE_CHECKING:
    from authn.pki.authority import Authority

ANNOUNCING_LOCK = 8320  # any number that nothing else in the database locks


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """``subject``: what it is about. ``of_nothing``: it says that there is no such thing, which is no news
    where nothing was said before."""

    subject: str
    entry: LogEntry
    of_nothing: bool = False


def at_start(
    settings: Settings, authority: Authority, witnesses: WitnessPolicy | None
) -> tuple[Announcement, ...]:
    """The issuing and the time-stamp authority, the policy of reports and the one of witnesses."""
    stamper = authority.timestamp_authority()
    tsa = records.tsa_changed(stamper.certificate, policy=stamper.policy, url=settings.tsa_url)
    report = default_policy().sha256
    witness = None if witnesses is None else sha256(policy_text(witnesses).encode()).hexdigest()
    return (
        Announcement(subject="issuing", entry=records.authority_certificate("issuing", authority.issuing)),
        Announcement(subject="tsa", entry=tsa),
        Announcement(subject="policy.report", entry=records.policy_changed("report", report)),
        Announcement(
            subject="policy.witness",
            entry=records.policy_changed("witness", witness),
            of_nothing=witness is None,
        ),
    )


def logs_certificates(engine: Engine, log_queued: Callable[[], int]) -> Callable[[Certificate], None]:
    """For a responder of revocations: its certificates are queued before they answer. Its answers do not wait
    for a log that takes nothing now. The function raises ``Unavailable``."""

    def log(certificate: Certificate) -> None:
        with writing(engine) as connection:
            enqueue(connection, records.authority_certificate("ocsp", certificate))
        with suppress(Unavailable):
            log_queued()

    return log


def announce(engine: Engine, announcements: Sequence[Announcement]) -> int:
    """Queue those that are news (see ``Log.append_queued``); returns how many. Raises ``Unavailable``."""
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyhow
            connection.execute(select(func.pg_advisory_xact_lock(ANNOUNCING_LOCK)))
        return sum(_announce(connection, announcement) for announcement in announcements)


def _announce(connection: Connection, announcement: Announcement) -> bool:
    of_it = log_announced.c.subject == announcement.subject
    said = connection.execute(select(log_announced.c.record_sha256).where(of_it)).scalar()
    now = sha256(announcement.entry.record).hexdigest()
    if said == now or (said is None and announcement.of_nothing):
        return False
    connection.execute(delete(log_announced).where(of_it))
    connection.execute(insert(log_announced).values(subject=announcement.subject, record_sha256=now))
    enqueue(connection, announcement.entry)
    return True
