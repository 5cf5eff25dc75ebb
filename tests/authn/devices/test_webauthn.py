"""WebAuthn attestations: registrations of real devices, generated ones, and what must not pass."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authn.core.errors import AttestationRefused
from authn.devices.attestation import verify_attestation
from authn.devices.attestation.apple_root import apple_webauthn_root
from authn.devices.attestation.attested import Asked, Attested, Terms, WebAuthnTerms
from authn.service.enrolment.terms import origin_of
from tests.conftest import ROOT
from tests.doubles.webauthn import (
    AT,
    BE,
    BS,
    CHALLENGE,
    ED,
    NOW,
    ORIGIN,
    RP_ID,
    UP,
    UV,
    Authenticator,
    b64url,
    certificate,
)

VECTORS = ROOT / "tests" / "vectors" / "webauthn"
YUBICO = x509.load_pem_x509_certificate((VECTORS / "yubico-root.pem").read_bytes())
APPLE_DAY = datetime(2021, 9, 1, tzinfo=UTC)  # its leaf was valid for three days
MUTATIONS = 600


def unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def vector(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((VECTORS / f"{name}.json").read_text())
    return found


def asked_for(found: Mapping[str, str], at: datetime, **roots: tuple[x509.Certificate, ...]) -> Asked:
    webauthn = WebAuthnTerms(origin=found["origin"], rp_id=found["rp_id"], **roots)
    terms = Terms(formats=frozenset({"packed", "apple"}), webauthn=webauthn)
    return Asked(challenge=unb64url(found["challenge"]), at=at, terms=terms)


def sent(found: Mapping[str, str], fmt: str) -> dict[str, object]:
    return {"fmt": fmt, **{k: found[k] for k in ("attestation_object", "client_data")}}


def yubikey(**roots: tuple[x509.Certificate, ...]) -> tuple[dict[str, object], Asked]:
    found = vector("yubikey-es256")
    return sent(found, "packed"), asked_for(found, NOW, **(roots or {"hardware_roots": (YUBICO,)}))


def apple(at: datetime = APPLE_DAY) -> tuple[dict[str, object], Asked]:
    found = vector("apple")
    return sent(found, "apple"), asked_for(found, at, apple_roots=(apple_webauthn_root(),))


def test_a_yubikey_below_a_hardware_root_is_at_level_4() -> None:
    found = verify_attestation(*yubikey())
    assert found is not None
    assert (found.fmt, found.level) == ("packed", 4)
    facts = dict(found.facts)
    assert facts["aaguid"] == "6d44ba9bf6ec2e49b9300c8fe920cb73"
    assert facts["attested_by"] == "CN=Yubico U2F Root CA Serial 457200631"
    point = cose_key(unb64url(vector("yubikey-es256")["attestation_object"]))
    assert found.spki.endswith(point)


def cose_key(attestation_object: bytes) -> bytes:
    """The point of the key, by another reader of CBOR."""
    data = cbor2.loads(attestation_object)["authData"]
    id_bytes = int.from_bytes(data[53:55], "big")
    key = cbor2.loads(data[55 + id_bytes :])
    return b"\x04" + key[-2] + key[-3]


def test_the_same_key_below_a_root_that_is_not_listed_as_hardware_is_at_level_2() -> None:
    found = verify_attestation(*yubikey(other_roots=(YUBICO,)))
    assert found is not None
    assert found.level == 2


def test_a_maker_outside_the_list_is_refused() -> None:
    with pytest.raises(AttestationRefused, match="no root of the operator's list"):
        verify_attestation(*yubikey(hardware_roots=(apple_webauthn_root(),)))
    with pytest.raises(AttestationRefused, match="no root of the operator's list"):
        verify_attestation(*yubikey(apple_roots=(YUBICO,)))


def test_a_key_of_another_kind_than_p256_is_refused() -> None:
    found = vector("yubikey-ed25519")
    with pytest.raises(AttestationRefused, match="not P-256"):
        verify_attestation(sent(found, "packed"), asked_for(found, NOW, hardware_roots=(YUBICO,)))


def test_an_apple_device_is_at_level_4_while_its_certificate_is_valid() -> None:
    found = verify_attestation(*apple())
    assert found is not None
    assert (found.fmt, found.level) == ("apple", 4)
    assert dict(found.facts)["attested_by"] == "ST=California,O=Apple Inc.,CN=Apple WebAuthn Root CA"
    for day in (APPLE_DAY - timedelta(days=2), APPLE_DAY + timedelta(days=3)):
        with pytest.raises(AttestationRefused, match="not valid now"):
            verify_attestation(*apple(day))


@pytest.mark.parametrize("which", ["packed", "apple"])
def test_another_challenge_origin_or_site_is_refused(which: str) -> None:
    body, asked = yubikey() if which == "packed" else apple()
    verify_attestation(body, asked)
    with pytest.raises(AttestationRefused, match="another challenge"):
        verify_attestation(body, replace(asked, challenge=bytes(32)))
    for changed, reason in (({"origin": "https://x"}, "site's page"), ({"rp_id": "x"}, "another site")):
        terms = replace(asked.terms, webauthn=replace(asked.terms.webauthn, **changed))
        with pytest.raises(AttestationRefused, match=reason):
            verify_attestation(body, replace(asked, terms=terms))
    terms = replace(asked.terms, webauthn=replace(asked.terms.webauthn, origin=""))
    with pytest.raises(AttestationRefused, match="site's page"):
        verify_attestation(body, replace(asked, terms=terms))


@pytest.mark.parametrize("which", ["packed", "apple"])
def test_a_statement_of_another_format_than_it_says_is_refused(which: str) -> None:
    body, asked = yubikey() if which == "packed" else apple()
    with pytest.raises(AttestationRefused, match="another format"):
        verify_attestation({**body, "fmt": "apple" if which == "packed" else "packed"}, asked)


@pytest.mark.parametrize("which", ["packed", "apple"])
def test_flipped_bits_of_the_object_never_change_what_is_accepted(which: str) -> None:
    body, asked = yubikey() if which == "packed" else apple()
    original, draw = verify_attestation(body, asked), random.Random(20261124)
    whole, refused = unb64url(str(body["attestation_object"])), 0
    for _ in range(MUTATIONS):
        bad = bytearray(whole)
        bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        try:
            assert verify_attestation({**body, "attestation_object": b64url(bytes(bad))}, asked) == original
        except AttestationRefused:
            refused += 1
    assert refused == MUTATIONS


@pytest.mark.parametrize("which", ["packed", "apple"])
def test_every_truncation_is_refused(which: str) -> None:
    body, asked = yubikey() if which == "packed" else apple()
    whole = unb64url(str(body["attestation_object"]))
    for length in range(0, len(whole), 7):
        with pytest.raises(AttestationRefused):
            verify_attestation({**body, "attestation_object": b64url(whole[:length])}, asked)
    with pytest.raises(AttestationRefused, match="trailing"):
        verify_attestation({**body, "attestation_object": b64url(whole + b"\0")}, asked)


@pytest.fixture(scope="module")
def made() -> Authenticator:
    return Authenticator()


def asked_of(authenticator: Authenticator) -> Asked:
    roots = (authenticator.root_certificate(),)
    webauthn = WebAuthnTerms(origin=ORIGIN, rp_id=RP_ID, hardware_roots=roots)
    return Asked(challenge=CHALLENGE, at=NOW, terms=Terms(formats=frozenset({"packed"}), webauthn=webauthn))


def level(authenticator: Authenticator, body: Mapping[str, object]) -> int:
    found = verify_attestation(body, asked_of(authenticator))
    assert isinstance(found, Attested)
    public = authenticator.key.public_key()
    assert found.spki == public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found.level


def test_a_self_attestation_holds_and_raises_nothing(made: Authenticator) -> None:
    assert level(made, made.packed(chain=())) == 0


def test_a_key_that_may_be_copied_to_other_devices_stays_at_level_1(made: Authenticator) -> None:
    assert level(made, made.packed()) == 4
    assert level(made, made.packed(data=made.data(flags=UP | AT | BE))) == 1
    assert level(made, made.packed(data=made.data(flags=UP | AT | BE | BS))) == 1
    assert level(made, made.packed(data=made.data(flags=UP | AT | BE), chain=())) == 0


def test_extensions_and_a_sent_root_are_no_hindrance(made: Authenticator) -> None:
    extended = made.data(flags=UP | UV | AT | ED, extra=cbor2.dumps({"credProtect": 2}))
    assert level(made, made.packed(data=extended)) == 4
    assert level(made, made.packed(chain=(made.leaf(), made.root_certificate()))) == 4
    assert level(made, made.packed(chain=(made.leaf(aaguid=None),))) == 4


def stranger() -> Authenticator:
    return Authenticator()


WRONG = {
    "not present": (lambda a: a.packed(data=a.data(flags=AT)), "nobody was present"),
    "no key": (lambda a: a.packed(data=a.data(flags=UP)), "holds no key"),
    "copied but not copyable": (lambda a: a.packed(data=a.data(flags=UP | AT | BS)), "contradicts itself"),
    "another site": (lambda a: a.packed(data=a.data(rp_id="evil.example")), "another site"),
    "trailing bytes": (lambda a: a.packed(data=a.data(extra=b"\0")), "trailing bytes"),
    "extensions that are none": (
        lambda a: a.packed(data=a.data(flags=UP | AT | ED, extra=b"\0")),
        "no map",
    ),
    "announced and missing extensions": (
        lambda a: a.packed(data=a.data(flags=UP | AT | ED)),
        "truncated",
    ),
    "a key that is no point": (lambda a: a.packed(data=a.data(km2=bytes(32))), "not a point"),
    "a key with more in it": (lambda a: a.packed(data=a.data(km4=b"d")), "malformed"),
    "a short coordinate": (lambda a: a.packed(data=a.data(km3=bytes(31))), "malformed"),
    "another algorithm": (lambda a: a.packed(data=a.data(k3=-35)), "not P-256"),
    "another type": (lambda a: a.packed(client=a.client(type="webauthn.get")), "not about making"),
    "another challenge": (lambda a: a.packed(client=a.client(challenge="AAAA")), "another challenge"),
    "no challenge": (lambda a: a.packed(client=a.client(challenge=None)), "base64url"),
    "another origin": (lambda a: a.packed(client=a.client(origin="https://evil.example")), "site's page"),
    "a frame": (lambda a: a.packed(client=a.client(crossOrigin=True)), "inside another"),
    "a top origin": (lambda a: a.packed(client=a.client(topOrigin="https://x")), "inside another"),
    "client data that is a list": (lambda a: a.packed(client=b"[]"), "not about making"),
    "client data that is no JSON": (lambda a: a.packed(client=b"{"), "not JSON"),
    "a name twice": (
        lambda a: a.packed(client=a.client()[:-1] + b', "type": "webauthn.create"}'),
        "not JSON",
    ),
    "no signature": (lambda a: a.packed(statement={"sig": b""}), "does not hold"),
    "another signature algorithm": (lambda a: a.packed(statement={"alg": -257}), "not signed with ES256"),
    "an extra member": (lambda a: a.packed(statement={"ecdaaKeyId": b""}), "a packed statement has"),
    "an empty chain": (lambda a: a.packed(statement={"x5c": []}), "1 to 8"),
    "a chain of texts": (lambda a: a.packed(statement={"x5c": ["a"]}), "malformed"),
    "a stranger's chain": (lambda a: a.packed(chain=(stranger().leaf(),)), "does not hold"),
    "a stranger's issuer": (
        lambda a: a.packed(chain=(certificate(a.batch, stranger().root),)),
        "no root of the operator's",
    ),
    "not for attestations": (lambda a: a.packed(chain=(a.leaf(unit="Web servers"),)), "not one for attest"),
    "an authority": (lambda a: a.packed(chain=(a.leaf(ca=True),)), "that of an authority"),
    "another model": (lambda a: a.packed(chain=(a.leaf(aaguid=bytes(16)),)), "another model"),
    "a critical model": (lambda a: a.packed(chain=(a.leaf(critical=True),)), "as critical"),
    "an expired certificate": (lambda a: a.packed(chain=(a.leaf(days=-1),)), "not valid now"),
    "a leaf that issues": (
        lambda a: a.packed(chain=(certificate(a.batch, a.key, issuer="Batch 7"), certificate(a.key, a.root))),
        "not issued by the next",
    ),
}


@pytest.mark.parametrize("why", WRONG)
def test_each_rule_is_kept(made: Authenticator, why: str) -> None:
    make, reason = WRONG[why]
    with pytest.raises(AttestationRefused, match=reason):
        verify_attestation(make(made), asked_of(made))


def test_an_attestation_key_cannot_vouch_through_a_certificate_of_its_own(made: Authenticator) -> None:
    """The attack: a holder of one real attestation key issues himself another below it."""
    names = made.leaf().subject
    forged = (
        x509.CertificateBuilder(
            subject_name=names,
            issuer_name=names,
            public_key=made.key.public_key(),
            serial_number=9,
            not_valid_before=NOW - timedelta(days=1),
            not_valid_after=NOW + timedelta(days=1),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(made.batch, hashes.SHA256())
    )
    data, client = made.data(), made.client()
    signature = made.key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
    chain = [c.public_bytes(Encoding.DER) for c in (forged, made.leaf())]
    body = made.packed(data=data, client=client, statement={"sig": signature, "x5c": chain})
    with pytest.raises(AttestationRefused, match="not issued by the next"):
        verify_attestation(body, asked_of(made))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://assay.example.org", "https://assay.example.org"),
        ("https://Assay.Example.org:443/base/", "https://assay.example.org"),
        ("http://127.0.0.1:8318", "http://127.0.0.1:8318"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8318/", "http://[::1]:8318"),
        ("", ""),
    ],
)
def test_the_origin_is_written_as_a_browser_writes_it(url: str, origin: str) -> None:
    assert origin_of(url)[0] == origin
