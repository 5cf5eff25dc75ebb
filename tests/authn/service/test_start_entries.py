"""What the log is told about the service itself: first start, changes, and the responder's certificates."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate, ocsp
from sqlalchemy import Engine

from authn.core.config import Settings, load_settings
from authn.core.errors import Unavailable
from authn.core.instants import utc_now
from authn.devices.ocsp import Responder, issuer_hashes
from authn.devices.revocation import Status
from authn.pki.authority import TSA, TSA_ROOT, Authority, open_authority
from authn.pki.profile import Issuer, timestamp_certificate
from authn.policies.shelf import default_policy
from authn.service.start_entries import StartEntry, logs_certificates, queue_news, start_entries
from authn.service.wiring import check_services, open_transparency_log
from authn.store.engine import open_engine
from authn.tlog.format.entry import EntryKind, parse_leaf
from authn.tlog.format.policy import parse_policy
from authn.tlog.format.records import policy_changed
from authn.tlog.log.reader import LogReader
from authn.tlog.monitor.watch_list import WatchList
from signer.keys import create_key, open_key
from signer.keys.software import file_key_uri
from tests.doubles.logs import open_log
from tests.doubles.witnesses import cosigner, policy_text


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={}, home=tmp_path / "home")


@pytest.fixture
def authority(settings: Settings) -> Authority:
    return open_authority(settings)


def logged(engine: Engine) -> list[tuple[str, dict[str, object]]]:
    """Kind and record of every entry."""
    reader = LogReader(engine)
    openings = map(reader.opening, range(reader.head().size))
    return [(o.kind.value, json.loads(o.record)) for o in openings]


def start(settings: Settings) -> list[tuple[str, dict[str, object]]]:
    check_services(settings)
    return logged(open_engine(settings.database))


def test_the_first_start_says_what_there_is_and_the_second_nothing(settings: Settings) -> None:
    first = start(settings)
    assert [kind for kind, _ in first] == ["certificate.issued", "tsa.changed", "policy.changed"]
    assert first[0][1]["role"] == "issuing"
    stamper = open_authority(settings).stamper.certificate
    assert first[1][1]["certificate_sha256"] == stamper.fingerprint(hashes.SHA256()).hex()
    assert first[2][1] == {"policy": "report", "sha256": default_policy().sha256}
    assert start(settings) == first


def test_another_time_stamp_authority_is_told(settings: Settings, authority: Authority) -> None:
    before = start(settings)
    folder = settings.home / "pki"
    root_key = open_key(file_key_uri(folder / f"{TSA_ROOT}.key.pem", folder / f"{TSA_ROOT}.pin"))
    root = load_pem_x509_certificate((folder / f"{TSA_ROOT}.pem").read_bytes())
    for suffix in (".pem", ".key.pem", ".pin"):
        (folder / f"{TSA}{suffix}").unlink()
    key = create_key(file_key_uri(folder / f"{TSA}.key.pem", folder / f"{TSA}.pin"))
    new = timestamp_certificate(
        "Assay time-stamp authority 2", key.public_key(), Issuer(certificate=root, key=root_key), utc_now(),
        years=1,
    )  # fmt: skip
    (folder / f"{TSA}.pem").write_bytes(new.public_bytes(Encoding.PEM))
    (kind, record), *more = start(settings)[len(before) :]
    assert (kind, record["serial"], more) == ("tsa.changed", f"{new.serial_number:x}", [])


def test_devices_sent_to_another_authority_are_told(settings: Settings) -> None:
    before = start(settings)
    moved = replace(settings, tsa_url="https://tsa.example.org/")
    ((kind, record),) = start(moved)[len(before) :]
    assert (kind, record["url"]) == ("tsa.changed", "https://tsa.example.org/")


def test_a_policy_of_witnesses_is_told_when_it_comes_changes_and_goes(
    settings: Settings, tmp_path: Path
) -> None:
    before = len(start(settings))
    path, a, b = tmp_path / "policy", cosigner("a"), cosigner("b")
    with_policy = replace(settings, witness_policy=(path,))
    both = (("a", a.verifier, ""), ("b", b.verifier, ""))
    said = []
    for quorum, chosen in ((1, with_policy), (1, with_policy), (2, with_policy), (2, settings)):
        path.write_text("# a remark changes nothing\n" * quorum + policy_text(*both, quorum=quorum))
        said = start(chosen)[before:]
    assert [(kind, r["policy"]) for kind, r in said] == [("policy.changed", "witness")] * 3
    assert len({r["sha256"] for _, r in said}) == 3
    assert said[-1][1]["sha256"] is None


def test_on_both_databases_news_are_queued_once(
    engine: Engine, settings: Settings, authority: Authority
) -> None:
    log = open_log(engine)
    policy = parse_policy(policy_text(("a", cosigner("a").verifier, ""), quorum=1))
    for witnesses, news in ((None, 3), (None, 0), (policy, 1), (policy, 0), (None, 1), (None, 0)):
        assert queue_news(engine, start_entries(settings, authority, witnesses)) == news
        assert log.append_queued() == news


def test_what_was_said_and_what_is_queued_come_together(engine: Engine) -> None:
    """A failure after the first of two entries leaves neither."""

    class Broken:
        record = b"{}"

    good = StartEntry(subject="a", entry=policy_changed("report", "aa"))
    bad = StartEntry(subject="b", entry=Broken())  # type: ignore[arg-type]
    log = open_log(engine)
    with pytest.raises(AttributeError):
        queue_news(engine, (good, bad))
    assert log.append_queued() == 0
    assert queue_news(engine, (good,)) == 1


def _ocsp_request(authority: Authority) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        *_hashes(authority), serial_number=5, algorithm=hashes.SHA256()
    )
    return builder.build().public_bytes(Encoding.DER)


def _hashes(authority: Authority) -> tuple[bytes, bytes]:
    return issuer_hashes(authority.issuing, hashes.SHA256())


def test_the_responder_s_certificates_are_in_the_log(settings: Settings, authority: Authority) -> None:
    now = [utc_now()]
    engine = open_engine(settings.database)
    with closing(open_transparency_log(settings, engine)) as log:
        announce = logs_certificates(engine, log.append_queued)
        responder = Responder(authority.issuer, lambda _: Status(known=False), lambda: now[0], announce)
        request = _ocsp_request(authority)
        for _ in range(2):
            answer = ocsp.load_der_ocsp_response(responder.respond(request))
        (leaf,) = log.reader.leaves(0, 9)
        (certificate,) = answer.certificates
        mine = WatchList(asked=frozenset({certificate.fingerprint(hashes.SHA256()).hex()}))
        assert mine.asked_for(parse_leaf(leaf))
        assert json.loads(log.reader.opening(0).record)["role"] == "ocsp"
        now[0] += timedelta(hours=13)
        responder.respond(request)
        assert log.reader.head().size == 2


def test_a_halted_log_does_not_keep_revocations_from_being_answered(
    settings: Settings, authority: Authority
) -> None:
    engine = open_engine(settings.database)
    with closing(open_transparency_log(settings, engine)) as log:
        log.halt("for a test", "")
        queue_news(engine, start_entries(settings, authority, None))
        with pytest.raises(Unavailable):
            log.append_queued()
        logs = logs_certificates(engine, log.append_queued)
        responder = Responder(authority.issuer, lambda _: Status(known=False), utc_now, logs)
        answer = ocsp.load_der_ocsp_response(responder.respond(_ocsp_request(authority)))
        assert answer.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    (settings.home / "pki" / "log.halted").unlink()
    with closing(open_transparency_log(settings, engine)) as log:
        assert log.append_queued() == 4
        assert EntryKind.CERTIFICATE in {log.reader.opening(i).kind for i in range(4)}
