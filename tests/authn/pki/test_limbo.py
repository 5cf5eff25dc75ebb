"""x509-limbo's generated cases against both of our path checks and against our reading of revocation lists.

The cases are about TLS; ours is about signers. So the usages come from each case, and nobody asks for a host
name. Where the answer differs from limbo's, ``limbo_expected.toml`` says so, by class, with the reason; an
exception that does not occur any more fails too.
"""

from __future__ import annotations

import json
import signal
import ssl
import tomllib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from authn.pki.crl import CrlRefused, covers, look_up, read_crl
from signer.core.accepted import ignore_accepted
from signer.proof.certificates import Certificate, read_certificate, read_foreign
from signer.proof.path import PathRefused, verify_path
from signer.proof.walk import find_path, walk_path

LIMIT_S = 6  # of processor time, however busy the machine is
EXPECTED = Path(__file__).with_name("limbo_expected.toml")
CHECKS: dict[str, Callable[..., tuple[x509.Certificate, ...]]] = {"path": verify_path, "walk": walk_path}
Case = dict[str, Any]


@cache
def cases(suites: Path) -> tuple[Case, ...]:
    return tuple(json.loads((suites / "x509-limbo" / "limbo.generated.json").read_text())["testcases"])


@contextmanager
def time_limit(case: str) -> Iterator[None]:
    def expire(_signal: int, _frame: object) -> None:
        pytest.fail(f"{case} took more than {LIMIT_S} s")

    before = signal.signal(signal.SIGPROF, expire)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def certificate(pem: str) -> x509.Certificate:
    """As the product reads what strangers send."""
    return read_certificate(ssl.PEM_cert_to_DER_cert(pem.strip()))


def moment(case: Case) -> datetime:
    at = case["validation_time"]
    return datetime.fromisoformat(at) if at else datetime.now(UTC)


def as_issued(pem: str) -> Certificate:
    """As the product reads the certificates of other people's signers and authorities."""
    return read_foreign(ssl.PEM_cert_to_DER_cert(pem.strip()))


def accepts(
    check: Callable[..., tuple[Certificate, ...]],
    case: Case,
    read: Callable[[str], Certificate] = certificate,
) -> bool:
    server = case["validation_kind"] == "SERVER"
    usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    try:
        path = check(
            read(case["peer_certificate"]),
            [read(c) for c in case["untrusted_intermediates"]],
            [read(c) for c in case["trusted_certs"]],
            at=moment(case),
            usages=frozenset({usage}),
        )
    except (PathRefused, ValueError):
        return False
    depth = case["max_chain_depth"]
    between = sum(c.issuer != c.subject for c in path[1:-1])  # self-issued ones do not count
    return depth is None or between <= depth


@pytest.mark.parametrize("check", CHECKS)
def test_every_case_is_answered_as_limbo_says_or_as_we_explain(suites: Path, check: str) -> None:
    exceptions = [e for e in tomllib.loads(EXPECTED.read_text())["exception"] if check in e["checks"]]
    explained = {(e["we"], case) for e in exceptions for case in e["cases"]}
    different = set()
    seen = 0
    for case in cases(suites):
        if case["id"].startswith("crl::"):
            continue
        seen += 1
        with time_limit(case["id"]):
            accepted = accepts(CHECKS[check], case)
        if accepted != (case["expected_result"] == "SUCCESS"):
            different.add(("accept" if accepted else "refuse", case["id"]))
    assert seen == 200
    assert different - explained == set()
    assert explained - different == set()


# What a transcript adds: the reading is wider than DER's, the path is not.
AS_ISSUED = {
    "rfc5280::san::malformed": "an extension that is neither critical nor narrows anything is passed over",
    "webpki::malformed-aia": "the same",
    "webpki::aki::root-with-aki-authoritycertissuer": "the same; a root is known by itself",
    "webpki::aki::root-with-aki-authoritycertserialnumber": "the same; a root is known by itself",
    "rfc5280::serial::zero": "RFC 5280, 4.1.2.2, asks readers to put up with it",
    "online::fastly.com": "a success, under a root with the serial number 0",
}


def test_certificates_read_as_they_were_issued_lead_no_further_than_we_explain(
    suites: Path,
) -> None:
    strict = {c["id"]: accepts(verify_path, c) for c in cases(suites) if not c["id"].startswith("crl::")}
    with warnings.catch_warnings():
        ignore_accepted()
        found = {
            case["id"]: accepts(find_path, case, as_issued) for case in cases(suites) if case["id"] in strict
        }
    assert {case for case in found if found[case] and not strict[case]} == AS_ISSUED.keys()
    assert [case for case in found if strict[case] and not found[case]] == []


def test_every_exception_has_a_class_a_reason_and_no_case_twice() -> None:
    exceptions = tomllib.loads(EXPECTED.read_text())["exception"]
    for exception in exceptions:
        assert exception["class"]
        assert len(exception["reason"]) > 40
        assert exception["we"] in ("accept", "refuse")
        assert set(exception["checks"]) <= set(CHECKS)
    for check in CHECKS:
        listed = [c for e in exceptions if check in e["checks"] for c in e["cases"]]
        assert len(listed) == len(set(listed))


def test_all_cases_of_revocation_lists_come_out_as_limbo_says(suites: Path) -> None:
    answers = {}
    for case in cases(suites):
        if case["id"].startswith("crl::"):
            answers[case["id"]] = (_clears(case), case["expected_result"] == "SUCCESS")
    assert len(answers) == 8
    assert {case: ours for case, (ours, _) in answers.items()} == {c: e for c, (_, e) in answers.items()}


def _clears(case: Case) -> bool:
    """Whether at least one list of its issuer is heard, and none of them names the certificate."""
    leaf = certificate(case["peer_certificate"])
    (issuer,) = [c for c in map(certificate, case["trusted_certs"]) if _issued(leaf, c)]
    cleared = False
    for pem in case["crls"]:
        try:
            crl = read_crl(pem.encode())
            if covers(crl, leaf, issuer):
                if look_up(crl, leaf, issuer, as_of=moment(case)) is not None:
                    return False
                cleared = True
        except CrlRefused:
            continue
    return cleared


def _issued(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
