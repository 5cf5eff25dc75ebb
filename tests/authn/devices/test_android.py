"""Android key attestation against chains of real devices and what Google's own parser reads in them."""

from __future__ import annotations

import base64
import json
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import NameOID

from authn.core.errors import AttestationRefused
from authn.devices.attestation.android import (
    EXTENSION,
    AndroidAttestation,
    require_capture_key,
    verify_android,
)
from authn.devices.attestation.android_parse import (
    ApplicationId,
    Authorizations,
    RootOfTrust,
    read_key_description,
)
from authn.devices.attestation.android_roots import google_root_keys

SOFTWARE_ROOT = {"marlin/sdk29/TEE_EC_NONE", "marlin/sdk29/TEE_RSA_NONE"}
LOCKED = "caiman/sdk36/SB_EC_RKP"
FACTORY = "sony-xperia10-iii/sdk33/TEE_EC"
MUTATIONS = 1500


@pytest.fixture(scope="session")
def folder(suites: Path) -> Path:
    return suites / "android-keyattestation" / "testdata"


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.glob("*/*/*.pem"))


def chain(folder: Path, name: str) -> tuple[bytes, ...]:
    pem = (folder / f"{name}.pem").read_bytes()
    bodies = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)
    return tuple(base64.b64decode(body) for body in bodies)


def expected(folder: Path, name: str) -> dict[str, Any]:
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return found


def created_at(wanted: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(wanted["softwareEnforced"]["creationDateTime"]) / 1000, UTC)


def verified(folder: Path, name: str) -> AndroidAttestation:
    wanted = expected(folder, name)
    challenge = base64.b64decode(wanted["attestationChallenge"])
    return verify_android(chain(folder, name), challenge=challenge, at=created_at(wanted), status={})


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def as_json(name: str, value: object) -> object:
    """A value the way the suite writes it."""
    if isinstance(value, RootOfTrust):
        return {
            "verifiedBootKey": b64(value.verified_boot_key),
            "deviceLocked": value.device_locked,
            "verifiedBootState": value.verified_boot_state.name,
            "verifiedBootHash": b64(value.verified_boot_hash or b""),
        }
    if isinstance(value, ApplicationId):
        return {
            "packages": [{"name": p.name, "version": str(p.version)} for p in value.packages],
            "signatures": [b64(s) for s in value.signatures],
        }
    if isinstance(value, bytes):
        return value.decode("utf-8") if name.startswith("attestationId") else b64(value)
    if isinstance(value, tuple):
        return sorted(str(v) for v in value)
    if isinstance(value, bool):
        return value
    return value.name if name == "origin" else str(value)  # type: ignore[attr-defined]


def listed(authorizations: Authorizations) -> dict[str, object]:
    return {f.name: as_json(f.name, f.value) for f in authorizations.fields}


def wanted_list(wanted: dict[str, Any]) -> dict[str, object]:
    """Our reader always demands ordered tags, so the suite's flag says nothing; a set has no order."""
    found: dict[str, Any] = {
        k: sorted(v) if isinstance(v, list) else v for k, v in wanted.items() if k != "areTagsOrdered"
    }
    if "rootOfTrust" in found:
        found["rootOfTrust"] = {"deviceLocked": False, **found["rootOfTrust"]}
    return found


def test_every_chain_of_a_real_device_is_read_as_google_reads_it(folder: Path) -> None:
    assert len(names(folder)) == 21
    for name in sorted(set(names(folder)) - SOFTWARE_ROOT):
        wanted, found = expected(folder, name), verified(folder, name).description
        assert listed(found.software) == wanted_list(wanted["softwareEnforced"]), name
        assert listed(found.hardware) == wanted_list(wanted["hardwareEnforced"]), name
        assert {
            "attestationVersion": str(found.attestation_version),
            "attestationSecurityLevel": found.attestation_security_level.name,
            "keyMintVersion": str(found.keymint_version),
            "keyMintSecurityLevel": found.keymint_security_level.name,
            "attestationChallenge": b64(found.challenge),
            "uniqueId": b64(found.unique_id),
        } == {k: v for k, v in wanted.items() if not k.endswith("Enforced")}, name


def test_the_attested_key_is_the_key_of_the_leaf(folder: Path) -> None:
    key = load_der_public_key(verified(folder, LOCKED).spki)
    leaf = x509.load_der_x509_certificate(chain(folder, LOCKED)[0])
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key == leaf.public_key()


@pytest.mark.parametrize("name", sorted(SOFTWARE_ROOT))
def test_a_chain_to_a_software_root_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(AttestationRefused, match="pinned root"):
        verified(folder, name)


def test_the_pinned_keys_are_those_of_google(suites: Path) -> None:
    pems = json.loads((suites / "android-keyattestation" / "roots.json").read_text(encoding="utf-8"))
    keys = [x509.load_pem_x509_certificate(p.encode()).public_key() for p in pems]
    spki = tuple(k.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for k in keys)
    assert google_root_keys() == spki


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("invalid/tags_not_in_ascending_order", "must ascend"),
        ("invalid/malformed_rot_device_locked", "not a DER BOOLEAN"),
        ("p256_sha384_intermediate", "tag 0x04 where 0x30 belongs"),
    ],
)
def test_an_extension_that_is_not_strict_is_refused(folder: Path, name: str, reason: str) -> None:
    leaf = x509.load_der_x509_certificate(chain(folder, name)[0])
    with pytest.raises(AttestationRefused, match=reason):
        read_key_description(extension_of(leaf))


@pytest.mark.parametrize(
    "name", ["invalid/tags_not_in_ascending_order", "invalid/malformed_rot_device_locked"]
)
def test_an_invalid_chain_is_refused_as_a_whole(folder: Path, name: str) -> None:
    leaf = x509.load_der_x509_certificate(chain(folder, name)[0])
    with pytest.raises(AttestationRefused):
        verify_android(chain(folder, name), challenge=b"challenge", at=leaf.not_valid_before_utc, status={})


def test_a_lone_leaf_is_parsed_but_not_verified(folder: Path) -> None:
    lone = chain(folder, "allow_while_on_body")
    found = read_key_description(extension_of(x509.load_der_x509_certificate(lone[0])))
    assert found.software.value("allowWhileOnBody") or found.hardware.value("allowWhileOnBody")
    with pytest.raises(AttestationRefused, match="1 certificates"):
        verify_android(lone, challenge=found.challenge, at=datetime.now(UTC), status={})


def extension_of(certificate: x509.Certificate) -> bytes:
    value = certificate.extensions.get_extension_for_oid(EXTENSION).value
    assert isinstance(value, x509.UnrecognizedExtension)
    return value.value


def test_every_truncation_of_an_extension_is_refused(folder: Path) -> None:
    whole = extension_of(x509.load_der_x509_certificate(chain(folder, LOCKED)[0]))
    for length in range(len(whole)):
        with pytest.raises(AttestationRefused):
            read_key_description(whole[:length])


def test_another_challenge_is_refused(folder: Path) -> None:
    with pytest.raises(AttestationRefused, match="another challenge"):
        verify_android(
            chain(folder, LOCKED), challenge=b"x", at=created_at(expected(folder, LOCKED)), status={}
        )


def test_every_certificate_of_a_chain_may_be_revoked(folder: Path) -> None:
    wanted = expected(folder, LOCKED)
    challenge = base64.b64decode(wanted["attestationChallenge"])
    for der in chain(folder, LOCKED):
        status = {f"{x509.load_der_x509_certificate(der).serial_number:x}": "REVOKED"}
        with pytest.raises(AttestationRefused, match="REVOKED"):
            verify_android(chain(folder, LOCKED), challenge=challenge, at=created_at(wanted), status=status)


def test_only_remotely_provisioned_chains_expire(folder: Path) -> None:
    late = datetime(2050, 1, 1, tzinfo=UTC)
    for name, remote in ((LOCKED, True), (FACTORY, False)):
        challenge = base64.b64decode(expected(folder, name)["attestationChallenge"])
        assert verified(folder, name).remotely_provisioned is remote
        if remote:
            with pytest.raises(AttestationRefused, match="expired"):
                verify_android(chain(folder, name), challenge=challenge, at=late, status={})
        else:
            verify_android(chain(folder, name), challenge=challenge, at=late, status={})
        with pytest.raises(AttestationRefused, match="not yet valid"):
            verify_android(
                chain(folder, name), challenge=challenge, at=datetime(2001, 1, 1, tzinfo=UTC), status={}
            )


def issued(
    name: str,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    extension: bytes,
) -> bytes:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=now,
        not_valid_after=now + timedelta(days=30),
    )
    if extension:
        builder = builder.add_extension(x509.UnrecognizedExtension(EXTENSION, extension), critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("leaf", "above", "reason"),
    [
        (True, False, None),
        (True, True, "above the leaf"),
        (False, True, "above the leaf"),
        (False, False, "no attestation extension"),
    ],
)
def test_the_extension_stands_in_the_leaf_and_nowhere_else(
    folder: Path, leaf: bool, above: bool, reason: str | None
) -> None:
    """The attack: an attested key signs a certificate with an attestation of its own making."""
    real = extension_of(x509.load_der_x509_certificate(chain(folder, LOCKED)[0]))
    root, device, fake = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    made = (
        issued("fake", "device", device, fake, real if leaf else b""),
        issued("device", "root", root, device, real if above else b""),
        issued("root", "root", root, root, b""),
    )
    pinned = [root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    challenge = read_key_description(real).challenge
    at = datetime(2026, 1, 2, tzinfo=UTC)
    if reason is None:
        verify_android(made, challenge=challenge, at=at, status={}, root_keys=pinned)
        return
    with pytest.raises(AttestationRefused, match=reason):
        verify_android(made, challenge=challenge, at=at, status={}, root_keys=pinned)


def test_flipped_bits_never_change_what_is_accepted(folder: Path) -> None:
    wanted = expected(folder, LOCKED)
    challenge, at = base64.b64decode(wanted["attestationChallenge"]), created_at(wanted)
    good, original = chain(folder, LOCKED), verified(folder, LOCKED)
    draw = random.Random(20261124)
    refused = 0
    for _ in range(MUTATIONS):
        which = draw.randrange(len(good))
        bad = bytearray(good[which])
        bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        try:
            found = verify_android(
                (*good[:which], bytes(bad), *good[which + 1 :]), challenge=challenge, at=at, status={}
            )
        except AttestationRefused:
            refused += 1
        else:
            assert found == original
    assert refused > MUTATIONS * 0.99


def test_flipped_bits_of_an_extension_are_read_or_refused(folder: Path) -> None:
    """Without a signature around it every reading is another description, and every refusal is typed."""
    whole = extension_of(x509.load_der_x509_certificate(chain(folder, LOCKED)[0]))
    original = read_key_description(whole)
    for at in range(len(whole)):
        for bit in range(8):
            bad = bytearray(whole)
            bad[at] ^= 1 << bit
            try:
                assert read_key_description(bytes(bad)) != original
            except AttestationRefused:
                continue


def test_reordered_shortened_and_repeated_chains_are_refused(folder: Path) -> None:
    wanted, good = expected(folder, LOCKED), chain(folder, LOCKED)
    challenge, at = base64.b64decode(wanted["attestationChallenge"]), created_at(wanted)
    for bad in ((), good[:1], good[:-1], good[::-1], good[1:], (good[0], *good[2:]), (good[0], *good)):
        with pytest.raises(AttestationRefused):
            verify_android(bad, challenge=challenge, at=at, status={})


def application(attestation: AndroidAttestation) -> ApplicationId:
    found = attestation.description.software.value("attestationApplicationId")
    assert isinstance(found, ApplicationId)
    return found


def test_a_locked_device_with_our_application_reaches_its_level(folder: Path) -> None:
    for name, level in ((LOCKED, 4), ("caiman/sdk36/TEE_EC_RKP", 3), (FACTORY, 3)):
        found = verified(folder, name)
        ours = application(found)
        assert require_capture_key(found, signatures=ours.signatures) == level
        packages = [p.name for p in ours.packages]
        assert require_capture_key(found, signatures=ours.signatures, packages=packages) == level


def test_a_key_of_another_application_is_refused(folder: Path) -> None:
    found = verified(folder, LOCKED)
    with pytest.raises(AttestationRefused, match="another signer"):
        require_capture_key(found, signatures=[bytes(32)])
    with pytest.raises(AttestationRefused, match="another application"):
        require_capture_key(found, signatures=application(found).signatures, packages=["org.example"])


def test_development_devices_are_read_and_then_refused(folder: Path) -> None:
    found = verified(folder, "akita/sdk34/TEE_EC_NONE")
    with pytest.raises(AttestationRefused, match="UNVERIFIED"):
        require_capture_key(found, signatures=application(found).signatures)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("origin", 2, "not made in the secure hardware"),
        ("purposes", (2, 7), "other things than sign"),
        ("algorithms", 1, "P-256"),
        ("ecCurve", 2, "P-256"),
        ("rootOfTrust", True, "how the device was booted"),
    ],
)
def test_each_demand_on_the_key_is_made(folder: Path, field: str, value: object, reason: str) -> None:
    found = verified(folder, LOCKED)
    hardware = found.description.hardware
    fields = tuple(
        replace(f, value=value) if f.name == field else f  # type: ignore[arg-type]
        for f in hardware.fields
    )
    worse = replace(found, description=replace(found.description, hardware=replace(hardware, fields=fields)))
    with pytest.raises(AttestationRefused, match=reason):
        require_capture_key(worse, signatures=application(found).signatures)
