"""How a home is now, in numbers, out of its database: asked when ``/metrics`` is read, never before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from sqlalchemy import Connection, Table, func, select

from authn.core.errors import Unavailable
from authn.service.services import Services
from authn.store.engine import HEAD, reading
from authn.store.schema import devices, jobs, log_cosignature, log_queue, log_state, verifications

# name -> what it is
GAUGES: Mapping[str, str] = {
    "assay_build_info": "Always 1; its labels say what runs.",
    "assay_database_up": "1 while the database answers.",
    "assay_ready": "1 while the service can do its work, as /readyz says.",
    "assay_certificate_not_after_timestamp_seconds": "When an authority's certificate ends.",
    "assay_log_entries": "Entries of the transparency log.",
    "assay_log_halted": "1 while the log signs nothing.",
    "assay_log_queued_entries": "Entries that wait to be logged.",
    "assay_log_witnessed_entries": "The largest size that a witness has signed.",
    "assay_jobs": "Jobs in the table, by state; done and failed ones stay as long as their reports.",
    "assay_devices": "Enrolled devices, revoked ones among them.",
    "assay_reports_stored": "Reports that are kept, expired ones that still wait for the sweep among them.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """``name`` is one of ``GAUGES``."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def gauges(services: Services) -> Iterator[Gauge]:
    """All that can be found out now; a database that does not answer costs its own alone."""
    yield Gauge(name="assay_build_info", value=1, labels={"version": version("assay"), "schema": HEAD})
    yield Gauge(name="assay_ready", value=not services.why_not_ready())
    authority = services.authority
    for name, certificate in (("issuing", authority.issuing), ("tsa", authority.stamper.certificate)):
        end = certificate.not_valid_after_utc.timestamp()
        yield Gauge(
            name="assay_certificate_not_after_timestamp_seconds", value=end, labels={"authority": name}
        )
    yield Gauge(name="assay_log_halted", value=services.log.halted is not None)
    try:
        with reading(services.engine) as connection:
            found = tuple(_stored(connection))
    except Unavailable:
        yield Gauge(name="assay_database_up", value=0)
        return
    yield Gauge(name="assay_database_up", value=1)
    yield from found


def _stored(connection: Connection) -> Iterator[Gauge]:
    yield Gauge(name="assay_log_entries", value=connection.execute(select(log_state.c.size)).scalar() or 0)
    for name, table in (
        ("assay_log_queued_entries", log_queue),
        ("assay_devices", devices),
        ("assay_reports_stored", verifications),
    ):
        yield Gauge(name=name, value=_count(connection, table))
    for state, count in connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)):
        yield Gauge(name="assay_jobs", value=count, labels={"state": state})
    largest = select(log_cosignature.c.witness, func.max(log_cosignature.c.size))
    for witness, size in connection.execute(largest.group_by(log_cosignature.c.witness)):
        yield Gauge(name="assay_log_witnessed_entries", value=size, labels={"witness": witness})


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar() or 0
