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

from cryptography.x509 import Certificate
from sqlalchemy import Connection, Engine, delete, insert, select

from authn.core.config import Settings
from authn.core.errors import Unavailable
from authn.pki.authority import Authority
from authn.policies.shelf import open_policy
from authn.store.engine import Turn, alone, writing
from authn.store.schema import log_start_entries
from authn.tlog.format import records
from authn.tlog.format.entry import LogEntry
from authn.tlog.format.policy import WitnessPolicy, policy_text
from authn.tlog.log.queue import enqueue


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEntry:
    """``subject``: what it is about. ``of_nothing``: it says that there is no such thing, which is no news
    where nothing was said before."""

    subject: str
    entry: LogEntry
    of_nothing: bool = False


def start_entries(
    settings: Settings, authority: Authority, witnesses: WitnessPolicy | None
) -> tuple[StartEntry, ...]:
    """The issuing and the time-stamp authority, the policy of reports and the one of witnesses."""
    stamper = authority.timestamp_authority()
    tsa = records.tsa_changed(stamper.certificate, policy=stamper.policy, url=settings.tsa_url)
    report = open_policy(settings.policy).sha256
    witness = None if witnesses is None else sha256(policy_text(witnesses).encode()).hexdigest()
    return (
        StartEntry(subject="issuing", entry=records.authority_certificate("issuing", authority.issuing)),
        StartEntry(subject="tsa", entry=tsa),
        StartEntry(subject="policy.report", entry=records.policy_changed("report", report)),
        StartEntry(
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


def queue_news(engine: Engine, entries: Sequence[StartEntry]) -> int:
    """Queue those that are news (see ``Log.append_queued``); returns how many. Raises ``Unavailable``."""
    with writing(engine) as connection:
        alone(connection, Turn.NEWS)
        return sum(_queue(connection, said_now) for said_now in entries)


def _queue(connection: Connection, said_now: StartEntry) -> bool:
    of_it = log_start_entries.c.subject == said_now.subject
    said = connection.execute(select(log_start_entries.c.record_sha256).where(of_it)).scalar()
    now = sha256(said_now.entry.record).hexdigest()
    if said == now or (said is None and said_now.of_nothing):
        return False
    connection.execute(delete(log_start_entries).where(of_it))
    connection.execute(insert(log_start_entries).values(subject=said_now.subject, record_sha256=now))
    enqueue(connection, said_now.entry)
    return True
