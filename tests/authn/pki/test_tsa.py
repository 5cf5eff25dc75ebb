"""The time-stamp authority against three verifiers nobody here wrote, ours, and a table of bad requests."""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc3161_client
from asn1crypto import algos, core, tsp
from cryptography.hazmat.primitives.asymmetric import ec

from authn.core.errors import Unavailable
from authn.pki.clock import SteadyClock
from authn.pki.tsa import DEFAULT_POLICY, MAX_REQUEST_BYTES, TimestampAuthority
from signer.core.errors import TimestampMismatch, TimestampRejected
from signer.proof.timestamp import build_request, parse_response, verify_token
from signer.proof.tst import parse_token
from tests.doubles.pki import Issued, TestPki, new_key, pem_of
from tests.programs import require_program

MESSAGE = b"what the camera signed"
# Of the day on which the tests run: the certificates are made on that day too.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=700_000)
NOON_IN_DER = f"{NOON:%Y%m%d}120000Z".encode()


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture(scope="module")
def stamper(pki: TestPki) -> Issued:
    return pki.tsa_leaf()


@pytest.fixture
def authority(stamper: Issued) -> TimestampAuthority:
    return TimestampAuthority(stamper.certificate, stamper.ec_key)


def request_of(
    *,
    version: int = 1,
    algorithm: str = "sha256",
    digest: bytes | None = None,
    nonce: int | None = 12345,
    policy: str | None = None,
    certificate: bool = True,
    extensions: bool = False,
) -> bytes:
    """A TimeStampReq by a library that is not the authority's."""
    if digest is None:
        digest = hashlib.new(algorithm, MESSAGE).digest()
    fields: dict[str, object] = {
        "version": version,
        "message_imprint": {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": digest},
        "cert_req": certificate,
    }
    if nonce is not None:
        fields["nonce"] = nonce
    if policy is not None:
        fields["req_policy"] = policy
    if extensions:
        fields["extensions"] = [{"extn_id": "1.2.3", "critical": False, "extn_value": b"\x05\x00"}]
    der: bytes = tsp.TimeStampReq(fields).dump()
    return der


def answer_of(response: bytes) -> tuple[str, set[str]]:
    """Status and failure bits of a TimeStampResp, read by another library (which makes the token
    mandatory, so that a rejection has to be read by its parts)."""
    info = tsp.PKIStatusInfo.load(core.Sequence.load(response)[0].dump())
    failure = info["fail_info"].native
    return info["status"].native, set(failure or ())


def openssl_accepts(folder: Path, query: bytes, reply: bytes, pki: TestPki, stamper: Issued) -> None:
    program = require_program("openssl")
    files = {"q": query, "r": reply, "root": pem_of(*pki.tsa_roots), "tsa": pem_of(stamper.certificate)}
    for name, content in {**files, "m": MESSAGE}.items():
        (folder / name).write_bytes(content)
    for checked in (["-queryfile", "q"], ["-data", "m"]):
        command = [program, "ts", "-verify", "-in", "r", "-CAfile", "root", "-untrusted", "tsa", *checked]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert "Verification: OK" in done.stdout, done.stderr


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize(
    "variant",
    [{}, {"certificate": False}, {"nonce": None}, {"policy": DEFAULT_POLICY}, {"nonce": 2**159 + 1}],
    ids=["plain", "without certificate", "without nonce", "with policy", "with a huge nonce"],
)
def test_openssl_accepts_every_shape_of_request(
    authority: TimestampAuthority, pki: TestPki, stamper: Issued, tmp_path: Path, algorithm: str,
    variant: dict[str, object],
) -> None:  # fmt: skip
    query = request_of(algorithm=algorithm, **variant)  # type: ignore[arg-type]
    openssl_accepts(tmp_path, query, authority.respond(query), pki, stamper)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_rfc3161_client_accepts_the_stamp(
    authority: TimestampAuthority, pki: TestPki, algorithm: str
) -> None:
    response = rfc3161_client.decode_timestamp_response(authority.respond(request_of(algorithm=algorithm)))
    verifier = rfc3161_client.VerifierBuilder().add_root_certificate(pki.tsa_root.certificate)
    assert verifier.nonce(12345).build().verify_message(response, MESSAGE)


def test_our_own_strict_verifier_accepts_the_stamp(authority: TimestampAuthority, pki: TestPki) -> None:
    token = parse_response(authority.respond(build_request(MESSAGE, 99)))
    verified = verify_token(token, MESSAGE, pki.tsa_roots, nonce=99)
    assert abs(verified.gen_time - datetime.now(UTC)) < timedelta(seconds=5)
    assert verified.accuracy_s == 1
    assert verified.policy == DEFAULT_POLICY
    with pytest.raises(TimestampMismatch):
        verify_token(token, b"another photo", pki.tsa_roots)


def test_a_chain_with_an_intermediate_is_sent_along(pki: TestPki) -> None:
    middle = pki.tsa_leaf("middle", ekus=(), ca=True, path_length=0)
    stamper = pki.tsa_leaf(issuer=middle)
    authority = TimestampAuthority(stamper.certificate, stamper.ec_key, chain=stamper.intermediates)
    token = parse_response(authority.respond(build_request(MESSAGE, 1)))
    assert verify_token(token, MESSAGE, pki.tsa_roots, nonce=1).certificate == stamper.certificate


def test_the_time_is_in_whole_seconds_and_there_is_no_signing_time(stamper: Issued) -> None:
    authority = TimestampAuthority(stamper.certificate, stamper.ec_key, clock=lambda: NOON)
    token = parse_response(authority.respond(build_request(MESSAGE, 1)))
    assert parse_token(token).info.gen_time == NOON.replace(microsecond=0)
    assert NOON_IN_DER in token
    assert bytes.fromhex("06092a864886f70d010905") not in token  # OID signingTime


def test_a_clock_in_another_zone_is_stamped_in_utc(stamper: Issued) -> None:
    local = NOON.astimezone(None)
    authority = TimestampAuthority(stamper.certificate, stamper.ec_key, clock=lambda: local)
    assert NOON_IN_DER in authority.respond(build_request(MESSAGE, 1))


def test_serials_are_positive_and_never_the_same(authority: TimestampAuthority) -> None:
    query = build_request(MESSAGE, 1)
    serials = {parse_token(parse_response(authority.respond(query))).info.serial for _ in range(200)}
    assert len(serials) == 200
    assert all(0 < serial < 2**159 for serial in serials)
    assert max(serial.bit_length() for serial in serials) > 150


def test_the_imprint_is_echoed_byte_for_byte(authority: TimestampAuthority) -> None:
    for parameters in (core.Null(), None):
        algorithm = algos.DigestAlgorithm({"algorithm": "sha256"})
        if parameters is not None:
            algorithm["parameters"] = parameters
        imprint = tsp.MessageImprint(
            {"hash_algorithm": algorithm, "hashed_message": hashlib.sha256(MESSAGE).digest()}
        )
        query = tsp.TimeStampReq({"version": 1, "message_imprint": imprint}).dump()
        assert imprint.dump() in authority.respond(query)


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "bad_data_format"),
    "rubbish": (lambda: b"\x30\x03abc", "bad_data_format"),
    "no DER length": (lambda: b"\x30\x80\0\0", "bad_data_format"),
    "trailing byte": (lambda: request_of() + b"\0", "bad_data_format"),
    "truncated": (lambda: request_of()[:-1], "bad_data_format"),
    "too large": (lambda: bytes(MAX_REQUEST_BYTES + 1), "bad_data_format"),
    "too large and well-formed": (lambda: request_of(nonce=2 ** (8 * 4096)), "bad_data_format"),
    "version 2": (lambda: request_of(version=2), "bad_request"),
    "SHA-1": (lambda: request_of(algorithm="sha1"), "bad_alg"),
    "MD5": (lambda: request_of(algorithm="md5"), "bad_alg"),
    "SHA-224": (lambda: request_of(algorithm="sha224"), "bad_alg"),
    "digest too short": (lambda: request_of(digest=bytes(31)), "bad_data_format"),
    "digest of another algorithm": (lambda: request_of(digest=bytes(64)), "bad_data_format"),
    "empty digest": (lambda: request_of(digest=b""), "bad_data_format"),
    "another policy": (lambda: request_of(policy="1.2.3.4"), "unaccepted_policy"),
    "extension": (lambda: request_of(extensions=True), "unaccepted_extensions"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_rejected_with_its_reason(authority: TimestampAuthority, case: str) -> None:
    make, reason = BAD[case]
    response = authority.respond(make())
    assert answer_of(response) == ("rejection", {reason})
    with pytest.raises(TimestampRejected):
        parse_response(response)


def test_a_clock_that_is_not_synchronised_stamps_nothing(stamper: Issued) -> None:
    authority = TimestampAuthority(stamper.certificate, stamper.ec_key, clock_synchronised=lambda: False)
    assert answer_of(authority.respond(request_of())) == ("rejection", {"time_not_available"})


def test_a_clock_that_went_back_stamps_nothing_until_it_has_caught_up(stamper: Issued) -> None:
    times = [NOON, NOON - timedelta(hours=1), NOON + timedelta(seconds=1)]
    clock = SteadyClock(lambda: times.pop(0))
    authority = TimestampAuthority(stamper.certificate, stamper.ec_key, clock=clock)
    answers = [answer_of(authority.respond(request_of()))[0] for _ in range(3)]
    assert answers == ["granted", "rejection", "granted"]


@pytest.mark.parametrize("years", [-20, 20])
def test_outside_its_certificates_time_the_authority_stamps_nothing(stamper: Issued, years: int) -> None:
    then = NOON + timedelta(days=365 * years)
    authority = TimestampAuthority(stamper.certificate, stamper.ec_key, clock=lambda: then)
    assert answer_of(authority.respond(request_of())) == ("rejection", {"time_not_available"})


def test_mutated_requests_always_get_an_answer(authority: TimestampAuthority) -> None:
    noise = random.Random(3161)
    granted = rejected = 0
    for _ in range(2000):
        query = bytearray(request_of())
        for _ in range(noise.randint(1, 3)):
            query[noise.randrange(len(query))] = noise.randrange(256)
        status, _ = answer_of(authority.respond(bytes(query)))
        granted, rejected = granted + (status == "granted"), rejected + (status == "rejection")
    assert granted + rejected == 2000
    assert granted > 0
    assert rejected > 0


def test_a_key_that_is_not_the_certificates_is_refused_at_once(stamper: Issued) -> None:
    with pytest.raises(Unavailable):
        TimestampAuthority(stamper.certificate, new_key())


def test_a_key_on_another_curve_is_refused_at_once(pki: TestPki) -> None:
    other = pki.tsa_leaf(key=ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(Unavailable):
        TimestampAuthority(other.certificate, other.ec_key)
