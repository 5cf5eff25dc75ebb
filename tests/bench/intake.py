"""Full intake of 1-MP captures: verify throughout, log durably, receipt in hand; beside the engine alone.

Usage: python -m tests.bench.intake [THREADS]

In one process: what the service does for POST /v1/captures without HTTP and without its confined process. All
threads share one log, so that captures that come in together share a commit.
"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from c2pa import Context, Reader
from sqlalchemy import Engine, insert

from authn.core.instants import utc_now
from authn.core.media import Media, media_of
from authn.examine.examination import capture_of
from authn.examine.examiner import Examiner
from authn.pki.roots import roots_pem
from authn.service.access import Kind, Principal
from authn.service.captures import Captures, Judged
from authn.store.captures import TakenCaptures
from authn.store.engine import open_engine, writing
from authn.store.schema import devices
from authn.tlog.log.log import open_log
from tests.bench.sign_verify import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import Registered, examiner_for, signed_photo, stamped_photo

CAPTURES = 240
MACHINE = Principal(kind=Kind.MACHINE, id="bench", scopes=frozenset({"captures:create"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class InProcess:
    """``authn.service.captures.Judges`` without a process of its own."""

    examiner: Examiner

    def judged(self, media: Media) -> Judged:
        outcomes = {a.axis: a.outcome for a in self.examiner.examine(media).cryptographic.axes}
        digests, counter = capture_of(media)
        return Judged(outcomes=outcomes, digests=digests, counter=counter)


def captures_of(pki: TestPki, count: int) -> tuple[list[Media], Registered]:
    leaf, authority, picture = pki.leaf(), pki.tsa_leaf(), photo(1152, 864)
    signed = [stamped_photo(signed_photo(leaf, data=picture), authority) for _ in range(count)]
    return [media_of(data, f"{i}.jpg") for i, data in enumerate(signed)], Registered(leaf)


def bare_reads_per_second(media: list[Media], pki: TestPki) -> float:
    anchors = [{"trust_anchors": roots_pem(pki.device_roots), "trust_kind": "manifest"}]
    context = Context.from_dict({"trust": {"anchors": anchors}, "verify": {"remote_manifest_fetch": False}})
    start = time.perf_counter()
    for one in media:
        with Reader(one.media_type, io.BytesIO(one.data), context=context) as reader:
            reader.get_validation_state()
    return len(media) / (time.perf_counter() - start)


def intake(media: list[Media], captures: Captures, threads: int) -> tuple[float, list[float]]:
    def one(item: Media) -> float:
        start = time.perf_counter()
        captures.take(item, MACHINE)
        return time.perf_counter() - start

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        took = list(pool.map(one, media))
    return len(media) / (time.perf_counter() - start), took


def enrol(engine: Engine, registry: Registered, one: Media) -> None:
    """The row that captures of the registered device refer to."""
    digests, _ = capture_of(one)
    device = registry.device_by_key(digests.key_sha256) if digests else None
    assert device is not None
    names = ("device_id", "name", "spki_sha256", "enrolled_at", "assurance_level")
    with writing(engine) as connection:
        connection.execute(insert(devices).values({name: getattr(device, name) for name in names}))


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    pki = TestPki()
    media, registry = captures_of(pki, CAPTURES)
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/assay.db")
        log = open_log(engine, Path(folder) / "log.key.pem", "bench.local/log")
        enrol(engine, registry, media[0])
        judges = InProcess(examiner=examiner_for(pki, registry=registry))
        captures = Captures(judges, log, registry, TakenCaptures(engine), utc_now)
        captures.take(media[0], MACHINE)
        bare = bare_reads_per_second(media, pki)
        rate, took = intake(media, captures, threads)
        log.close()
    p99 = statistics.quantiles(took, n=100)[98]
    print(f"bare engine, one thread, reads:      {bare:7.0f} /s")
    print(
        f"intake, {threads} threads, receipts:          {rate:7.0f} /s  ({rate / bare:.2f} x bare, goal 0.5)"
    )
    print(f"median {statistics.median(took) * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
