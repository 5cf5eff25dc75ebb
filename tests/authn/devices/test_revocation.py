"""What is revoked, from when on, and that every reader compares it with the proven time."""

from __future__ import annotations

import pickle
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from authn.cli import cli
from authn.core.config import load_settings
from authn.core.errors import BadRequest, NotFound, RegistryError, Unavailable
from authn.core.evidence import Axis, AxisEvidence, Outcome
from authn.devices.registry import Registry
from authn.devices.revocation import KEPT_LISTS, Revocations
from authn.pki.authority import Authority, open_authority
from authn.pki.crl import Cause, build_crl, read_crl
from authn.pki.roots import TrustRoots, load_crls
from authn.service.enrolment.intake import Intake
from authn.store.engine import open_engine, reading
from authn.store.schema import crls
from signer.core.digest import sha256_of
from tests.doubles.pki import Issued, TestPki
from tests.doubles.requests import csr_of
from tests.doubles.signed import answers_on, examiner_for, media, signed_photo, stamped_photo
from tests.programs import require_program

NOW = datetime.now(UTC).replace(microsecond=0)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    home = tmp_path_factory.mktemp("revocation")
    return open_authority(
        load_settings(environ={}, home=home, public_url="http://assay.example"), NOW - 30 * DAY
    )


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return Registry(engine)


@pytest.fixture
def told() -> list[int]:
    """One for each time that the log was told to take what waits."""
    return []


@pytest.fixture
def revocations(engine: Engine, registry: Registry, told: list[int]) -> Revocations:
    return Revocations(engine, registry, lambda: told.append(1) or 1)


class Camera:
    """An enrolled key; ``photo`` signs with it and has a time-stamp put on by ``stamper``."""

    def __init__(self, authority: Authority, registry: Registry, name: str = "camera") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name
        self._intake = Intake(authority, registry)
        self._authority = authority
        self.issued = self.renew(NOW - 20 * DAY)

    def renew(self, now: datetime) -> Issued:
        chain = self._intake.enrol(self.name, csr_of(self.key), now).chain
        self.issued = Issued(certificate=chain[0], key=self.key, intermediates=chain[1:])
        return self.issued

    @property
    def serial(self) -> int:
        return self.issued.certificate.serial_number

    def photo(self, stamped_at: datetime | None) -> bytes:
        signed = signed_photo(self.issued)
        if stamped_at is None:
            return signed
        stamper = self._authority.stamper
        issued = Issued(certificate=stamper.certificate, key=stamper.key)
        return stamped_photo(signed, issued, clock=lambda: stamped_at)


@pytest.fixture
def camera(authority: Authority, registry: Registry) -> Camera:
    return Camera(authority, registry)


def judged(
    data: bytes,
    authority: Authority,
    *,
    registry: Registry | None = None,
    lists: tuple[bytes, ...] = (),
    as_of: datetime | None = None,
) -> AxisEvidence:
    roots = TrustRoots(
        signer=authority.device_roots,
        tsa=authority.tsa_roots,
        crls=tuple(read_crl(der) for der in lists),
    )
    examiner = examiner_for(TestPki(), registry=registry, roots=roots)  # type: ignore[arg-type]
    proof = examiner.examine(media(data), as_of=as_of).cryptographic
    assert proof.axis(Axis.SIGNER).outcome is Outcome.ESTABLISHED, proof.axis(Axis.SIGNER)
    return proof.axis(Axis.REVOCATION)


def current(revocations: Revocations, authority: Authority, now: datetime = NOW) -> bytes:
    return revocations.current_crl(authority.issuer, now).der


def test_a_revoked_device_takes_all_its_certificates_with_it(
    revocations: Revocations, camera: Camera, told: list[int]
) -> None:
    first = camera.serial
    second = camera.renew(NOW - DAY).certificate.serial_number
    revocations.revoke_device(
        "camera", reason="stolen", cause=Cause.KEY_COMPROMISE, now=NOW, invalid_since=NOW - HOUR
    )
    found = {e.serial: e for e in revocations.entries()}
    assert set(found) == {first, second}
    assert {(e.revoked_at, e.invalid_since, e.cause) for e in found.values()} == {
        (NOW, NOW - HOUR, "keyCompromise")
    }
    assert told == [1]


def test_one_certificate_can_be_revoked_alone(
    revocations: Revocations, registry: Registry, camera: Camera, told: list[int]
) -> None:
    first = camera.serial
    second = camera.renew(NOW - DAY).certificate.serial_number
    revocations.revoke_certificate(first, reason="wrong name", cause=Cause.SUPERSEDED, now=NOW)
    assert [e.serial for e in revocations.entries()] == [first]
    assert revocations.status(first).entry is not None
    assert revocations.status(second).entry is None
    assert revocations.status(second).known
    assert not revocations.status(12345).known
    device = registry.find("camera")
    assert device.revoked_at is None
    assert [c.serial for c in device.revoked_certificates] == [f"{first:x}"]
    assert registry.list() == (device,)
    assert told == [1]
    assert pickle.loads(pickle.dumps(device)) == device


def test_a_second_revocation_can_only_reach_further_back(revocations: Revocations, camera: Camera) -> None:
    revocations.revoke_certificate(camera.serial, reason="a", now=NOW, invalid_since=NOW - HOUR)
    with pytest.raises(RegistryError):
        revocations.revoke_certificate(camera.serial, reason="b", now=NOW, invalid_since=NOW - MINUTE)
    revocations.revoke_certificate(camera.serial, reason="c", now=NOW + HOUR, invalid_since=NOW - DAY)
    (entry,) = revocations.entries()
    assert (entry.revoked_at, entry.invalid_since) == (NOW, NOW - DAY)
    revocations.revoke_device("camera", reason="d", now=NOW + HOUR, invalid_since=NOW - HOUR)
    assert revocations.entries()[0].invalid_since == NOW - DAY


def test_what_cannot_be_revoked_says_why(revocations: Revocations, camera: Camera) -> None:
    with pytest.raises(NotFound):
        revocations.revoke_certificate(12345, reason="a", now=NOW)
    with pytest.raises(BadRequest, match="future"):
        revocations.revoke_certificate(camera.serial, reason="a", now=NOW, invalid_since=NOW + HOUR)
    with pytest.raises(BadRequest, match="reason"):
        revocations.revoke_certificate(camera.serial, reason=" ", now=NOW)
    assert revocations.entries() == ()


def test_a_list_stands_for_ten_minutes_or_until_something_is_revoked(
    revocations: Revocations, camera: Camera, authority: Authority
) -> None:
    first = revocations.current_crl(authority.issuer, NOW)
    assert revocations.current_crl(authority.issuer, NOW + 9 * MINUTE) == first
    later = revocations.current_crl(authority.issuer, NOW + 10 * MINUTE)
    assert later.number > first.number
    revocations.revoke_device("camera", reason="lost", now=NOW + 11 * MINUTE)
    newest = revocations.current_crl(authority.issuer, NOW + 11 * MINUTE)
    assert newest.number > later.number
    assert set(read_crl(newest.der).entries) == {camera.serial}


def test_numbers_grow_when_the_clock_goes_back_and_after_a_backup_is_restored(
    revocations: Revocations, camera: Camera, authority: Authority, tmp_path: Path
) -> None:
    first = revocations.current_crl(authority.issuer, NOW)
    revocations.revoke_device("camera", reason="lost", now=NOW - DAY)
    assert revocations.current_crl(authority.issuer, NOW - DAY).number == first.number + 1
    empty = open_engine(f"sqlite:///{tmp_path / 'restored.db'}")
    restored = Revocations(empty, Registry(empty))
    assert restored.current_crl(authority.issuer, NOW + MINUTE).number > first.number


def test_only_the_newest_lists_are_kept(
    revocations: Revocations, authority: Authority, engine: Engine
) -> None:
    numbers = [revocations.current_crl(authority.issuer, NOW + i * HOUR).number for i in range(5)]
    with reading(engine) as connection:
        kept = connection.execute(crls.select().order_by(crls.c.number)).all()
    assert [row.number for row in kept] == numbers[-KEPT_LISTS:]


def test_a_new_issuer_signs_a_new_list(
    revocations: Revocations, authority: Authority, tmp_path: Path
) -> None:
    first = revocations.current_crl(authority.issuer, NOW)
    other = open_authority(load_settings(environ={}, home=tmp_path / "other"), NOW)
    second = revocations.current_crl(other.issuer, NOW)
    assert second.number > first.number
    assert read_crl(second.der).parsed.issuer == other.issuing.subject


def test_those_who_ask_at_once_get_one_list(revocations: Revocations, authority: Authority) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: revocations.current_crl(authority.issuer, NOW).number, range(16))
    assert len(set(found)) == 1


def test_before_stays_good_and_after_does_not_by_registry_and_by_list(
    revocations: Revocations, registry: Registry, camera: Camera, authority: Authority
) -> None:
    before, after, unstamped = (camera.photo(t) for t in (NOW - 2 * DAY, NOW - MINUTE, None))
    revocations.revoke_device("camera", reason="stolen", now=NOW, invalid_since=NOW - DAY)
    listed = current(revocations, authority)
    sources = ({"registry": registry}, {"lists": (listed,)}, {"registry": registry, "lists": (listed,)})
    for source in sources:
        good = judged(before, authority, **source)  # type: ignore[arg-type]
        assert good.outcome is Outcome.ESTABLISHED, good
        assert {f.code for f in good.findings} == {"signingCredential.notRevoked"}
        for photo in (after, unstamped):
            bad = judged(photo, authority, **source)  # type: ignore[arg-type]
            assert bad.outcome is Outcome.REFUTED, bad
            assert {f.code for f in bad.findings} == {"signingCredential.revoked"}


def test_one_revoked_certificate_refutes_its_own_photos_alone(
    revocations: Revocations, registry: Registry, camera: Camera, authority: Authority
) -> None:
    old = camera.photo(NOW - MINUTE)
    revocations.revoke_certificate(camera.serial, reason="x", now=NOW, invalid_since=NOW - DAY)
    camera.renew(NOW - 2 * HOUR)
    new = camera.photo(NOW - MINUTE)
    listed = (current(revocations, authority),)
    assert judged(old, authority, registry=registry).outcome is Outcome.REFUTED
    assert judged(old, authority, lists=listed).outcome is Outcome.REFUTED
    assert judged(new, authority, registry=registry).outcome is Outcome.ESTABLISHED
    assert judged(new, authority, lists=listed).outcome is Outcome.ESTABLISHED


def test_a_list_that_is_out_of_date_leaves_the_question_open(
    revocations: Revocations, camera: Camera, authority: Authority
) -> None:
    photo = camera.photo(NOW - MINUTE)
    revocations.revoke_device("camera", reason="stolen", now=NOW - 2 * DAY)
    stale = current(revocations, authority, NOW - 2 * DAY)
    found = judged(photo, authority, lists=(stale,))
    assert found.outcome is Outcome.NOT_EXAMINED
    (finding,) = found.findings
    assert finding.code == "assay.revocation.listRefused"
    assert "out of date" in finding.detail
    assert judged(photo, authority, lists=(stale,), as_of=NOW - 2 * DAY + HOUR).outcome is Outcome.REFUTED


def test_a_list_of_somebody_else_leaves_the_question_open(camera: Camera, authority: Authority) -> None:
    other = TestPki()
    issuer = authority.issuer.__class__(certificate=other.issuing.certificate, key=other.issuing.ec_key)
    foreign = build_crl(issuer, (), number=1, this_update=NOW, next_update=NOW + DAY)
    found = judged(camera.photo(NOW - MINUTE), authority, lists=(foreign,))
    assert found.outcome is Outcome.NOT_EXAMINED
    assert "another issuer" in found.findings[0].detail


def test_without_any_source_the_reason_says_so(camera: Camera, authority: Authority) -> None:
    found = judged(camera.photo(None), authority)
    assert found.outcome is Outcome.NOT_EXAMINED
    assert [f.code for f in found.findings] == ["assay.revocation.notExamined"]


def test_certificates_name_where_to_ask_and_both_engines_still_accept_them(
    camera: Camera, authority: Authority, registry: Registry
) -> None:
    leaf = camera.issued.certificate
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [d.access_location.value for d in access] == [
        "http://assay.example/pki/ocsp",
        "http://assay.example/pki/issuing",
    ]
    (point,) = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [n.value for n in point.full_name or ()] == ["http://assay.example/pki/crl"]
    roots = TrustRoots(signer=authority.device_roots, tsa=authority.tsa_roots)
    examiner = examiner_for(TestPki(), registry=registry, roots=roots)  # type: ignore[arg-type]
    photo = media(camera.photo(NOW - MINUTE))
    proof = examiner.examine(photo).cryptographic
    for axis in (Axis.SIGNER, Axis.INTEGRITY, Axis.TIME, Axis.REVOCATION):
        assert proof.axis(axis).outcome is Outcome.ESTABLISHED, proof.axis(axis)
    assert [a.word for a in answers_on(photo, NOW, roots)] == ["Trusted", "Trusted"]


def test_openssl_checks_the_published_list(
    revocations: Revocations, camera: Camera, authority: Authority, registry: Registry, tmp_path: Path
) -> None:
    other = Camera(authority, registry, "other")
    revocations.revoke_device("camera", reason="stolen", cause=Cause.KEY_COMPROMISE, now=NOW)
    crl = x509.load_der_x509_crl(current(revocations, authority))
    parts = {
        "list.pem": crl,
        "root.pem": authority.device_roots[0],
        "issuing.pem": authority.issuing,
        "bad.pem": camera.issued.certificate,
        "good.pem": other.issued.certificate,
    }
    for name, part in parts.items():
        (tmp_path / name).write_bytes(part.public_bytes(Encoding.PEM))
    command = [require_program("openssl"), "verify", "-crl_check", "-x509_strict", "-CAfile", "root.pem"]
    command += ["-untrusted", "issuing.pem", "-CRLfile", "list.pem"]
    done = [
        subprocess.run([*command, leaf], cwd=tmp_path, capture_output=True, text=True, check=False)
        for leaf in ("good.pem", "bad.pem")
    ]
    assert done[0].returncode == 0, done[0].stderr
    assert "certificate revoked" in done[1].stderr


def test_a_list_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.crl").write_bytes(b"no list")
    for file in (tmp_path / "no.crl", tmp_path / "missing.crl"):
        with pytest.raises(Unavailable, match=file.name):
            load_crls((file,))


def test_the_key_of_a_revoked_device_is_still_the_same_device(
    revocations: Revocations, registry: Registry, camera: Camera
) -> None:
    revocations.revoke_certificate(camera.serial, reason="x", now=NOW)
    spki = camera.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = registry.device_by_key(sha256_of(spki).value.hex())
    assert found == registry.find("camera")


def test_devices_that_were_revoked_before_there_were_lists_are_on_the_list(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    config = Config()
    config.set_main_option("script_location", "authn.store:migrations")
    config.set_main_option("path_separator", "os")
    old = create_engine(url, poolclass=NullPool)
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO devices VALUES ('id', 'camera', 'key', '2026-01-01 00:00:00', 0, "
            "'2026-03-01 00:00:00', '2026-02-01 00:00:00', 'stolen')"
        )
        connection.exec_driver_sql(
            "INSERT INTO certificates VALUES "
            "('ff', 'id', X'30', '2026-01-01 00:00:00', '2026-04-01 00:00:00')"
        )
    engine = open_engine(url)
    (entry,) = Revocations(engine, Registry(engine)).entries()
    assert (entry.serial, entry.cause) == (0xFF, "unspecified")
    assert entry.invalid_since == datetime(2026, 2, 1, tzinfo=UTC)
    assert entry.revoked_at == datetime(2026, 3, 1, tzinfo=UTC)


def test_the_command_revokes_one_certificate_of_the_device_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    run = CliRunner().invoke
    assert run(cli, ["device", "enrol", "camera"]).exit_code == 0
    registry = Registry(open_engine(f"sqlite:///{tmp_path / 'assay.db'}"))
    (certificate,) = registry.certificates_of(registry.find("camera").device_id)
    revoke = ["device", "revoke", "camera", "--reason", "x", "--cause", "superseded", "--certificate"]
    assert isinstance(run(cli, [*revoke, "abc"]).exception, BadRequest)
    done = run(cli, [*revoke, f"0x{certificate.serial.upper()}"])
    assert done.exit_code == 0, done.output
    assert "revoked, invalid since" in run(cli, ["device", "show", "camera"]).output
    assert registry.find("camera").revoked_at is None
    written = run(cli, ["pki", "crl", "--out", str(tmp_path / "list.crl")])
    assert written.exit_code == 0, written.output
    shown = run(cli, ["pki", "show", str(tmp_path / "list.crl")]).output
    assert f"{certificate.serial}  revoked" in shown
    assert "superseded" in shown


def test_a_bundle_carries_the_lists_and_repeats_what_they_said(
    revocations: Revocations,
    camera: Camera,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "nobody"))
    revocations.revoke_device("camera", reason="stolen", now=NOW, invalid_since=NOW - DAY)
    (tmp_path / "list.crl").write_bytes(current(revocations, authority))
    (tmp_path / "photo.jpg").write_bytes(camera.photo(NOW - MINUTE))
    (tmp_path / "signer.pem").write_bytes(authority.device_roots[0].public_bytes(Encoding.PEM))
    (tmp_path / "tsa.pem").write_bytes(authority.tsa_roots[0].public_bytes(Encoding.PEM))
    run, photo = CliRunner().invoke, str(tmp_path / "photo.jpg")
    given = ["--signer-roots", str(tmp_path / "signer.pem"), "--tsa-roots", str(tmp_path / "tsa.pem")]
    made = run(cli, ["bundle", photo, *given, "--crl", str(tmp_path / "list.crl"), "--no-heuristics"])
    assert made.exit_code == 0, made.output
    repeated = run(cli, ["verify", "--bundle", f"{photo}.assay.zip", "--json"])
    assert repeated.exit_code == 0, repeated.output
    assert "signingCredential.revoked" in repeated.output
    assert "list_sha256" in repeated.output
