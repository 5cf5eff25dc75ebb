"""What a TPM would send, written by software, with one thing changed at a time.

The structures are built here a second time, by hand from TCG TPM 2.0 Part 2, so that a mistake of the parser
is not shared. Signatures are good unless a test says otherwise.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from struct import pack
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from authn.devices.attestation.attested import Asked, Attested, Terms
from authn.devices.attestation.tpm import prepare_tpm, verify_tpm
from tests.doubles.pki import Issued, TestPki, issue, new_key

EK_CERTIFICATE = x509.ObjectIdentifier("2.23.133.8.1")
DEVICE_ATTRIBUTES = 0x0004_0472
ATTESTATION_KEY_ATTRIBUTES = 0x0005_0472
CHALLENGE = bytes(range(32))


def sized(data: bytes) -> bytes:
    return pack(">H", len(data)) + data


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_area(
    key: ec.EllipticCurvePrivateKey,
    attributes: int,
    *,
    kind: int = 0x0023,
    name_algorithm: int = 0x000B,
    policy: bytes = b"",
    symmetric: bytes = pack(">H", 0x0010),
    scheme: bytes = pack(">HH", 0x0018, 0x000B),
    curve: int = 0x0003,
    derivation: bytes = pack(">H", 0x0010),
    point: tuple[int, int] | None = None,
    more: bytes = b"",
) -> bytes:
    numbers = key.public_key().public_numbers()
    x, y = point or (numbers.x, numbers.y)
    return b"".join(
        (
            pack(">HHI", kind, name_algorithm, attributes),
            sized(policy),
            symmetric + scheme + pack(">H", curve) + derivation,
            sized(x.to_bytes(32, "big")) + sized(y.to_bytes(32, "big")),
            more,
        )
    )


def name_of(public: bytes) -> bytes:
    return pack(">H", 0x000B) + sha256(public).digest()


def certify_info(
    name: bytes,
    extra_data: bytes,
    *,
    magic: int = 0xFF544347,
    kind: int = 0x8017,
    safe: int = 1,
    more: bytes = b"",
) -> bytes:
    return b"".join(
        (
            pack(">IH", magic, kind),
            sized(pack(">H", 0x000B) + bytes(32)),
            sized(extra_data),
            pack(">QIIB", 12_345, 7, 1, safe),
            pack(">Q", 0x2019_1023_0016_3636),
            sized(name) + sized(pack(">H", 0x000B) + bytes(32)),
            more,
        )
    )


def signature(
    key: ec.EllipticCurvePrivateKey,
    data: bytes,
    *,
    algorithm: int = 0x0018,
    digest: int = 0x000B,
    more: bytes = b"",
) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return pack(">HH", algorithm, digest) + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big")) + more


def endorsement(
    pki: TestPki,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    *,
    issuer: Issued | None = None,
    **knobs: Any,
) -> x509.Certificate:
    """A certificate as a maker of TPMs writes it: no subject worth a name, the model in a critical
    alternative name."""
    model = x509.Name(
        [
            x509.NameAttribute(x509.ObjectIdentifier("2.23.133.2.1"), "id:54455354"),
            x509.NameAttribute(x509.ObjectIdentifier("2.23.133.2.2"), "Model T"),
            x509.NameAttribute(x509.ObjectIdentifier("2.23.133.2.3"), "id:00010002"),
        ]
    )
    usage = "key_encipherment" if isinstance(key, rsa.RSAPublicKey) else "key_agreement"
    alternative = (x509.SubjectAlternativeName([x509.DirectoryName(model)]), True)
    wanted: dict[str, Any] = {
        "ekus": (EK_CERTIFICATE,),
        "usages": (usage,),
        "ski": False,
        "extra": (alternative,),
        **knobs,
    }
    return issue(x509.Name([]), key, issuer=issuer or pki.issuing, **wanted)


@dataclass(kw_only=True)
class SoftStatement:
    """A whole enrolment of a key that is in no TPM, below ``pki``. Parts are replaced by ``knobs`` of the
    functions above; ``secret`` is what the TPM would have opened."""

    pki: TestPki
    endorsement_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(default_factory=new_key)
    attestation_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    device_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    endorsement_knobs: dict[str, Any] = field(default_factory=dict)
    attestation_knobs: dict[str, Any] = field(default_factory=dict)
    device_knobs: dict[str, Any] = field(default_factory=dict)
    info_knobs: dict[str, Any] = field(default_factory=dict)
    signature_knobs: dict[str, Any] = field(default_factory=dict)
    terms: Terms | None = None

    @cached_property
    def chain(self) -> list[bytes]:
        leaf = endorsement(self.pki, self.endorsement_key.public_key(), **self.endorsement_knobs)
        return [c.public_bytes(Encoding.DER) for c in (leaf, self.pki.issuing.certificate)]

    @cached_property
    def attestation_public(self) -> bytes:
        knobs = {"attributes": ATTESTATION_KEY_ATTRIBUTES, **self.attestation_knobs}
        return public_area(self.attestation_key, **knobs)

    @cached_property
    def device_public(self) -> bytes:
        return public_area(self.device_key, **{"attributes": DEVICE_ATTRIBUTES, **self.device_knobs})

    @property
    def first(self) -> dict[str, object]:
        return {
            "fmt": "tpm2",
            "x5c": [base64.b64encode(c).decode() for c in self.chain],
            "attestation_key": text(self.attestation_public),
        }

    @cached_property
    def state(self) -> bytes:
        return prepare_tpm(self.first, CHALLENGE, self._terms).state

    def second(self, *, challenge: bytes = CHALLENGE, secret: bytes | None = None) -> dict[str, object]:
        knobs = dict(self.info_knobs)
        opened = self.state[:32] if secret is None else secret
        info = certify_info(
            knobs.pop("name", name_of(self.device_public)),
            knobs.pop("extra_data", sha256(challenge + opened).digest()),
            **knobs,
        )
        return {
            **self.first,
            "key": text(self.device_public),
            "certify_info": text(info),
            "signature": text(signature(self.attestation_key, info, **self.signature_knobs)),
        }

    def asked(self, **changed: Any) -> Asked:
        wanted: dict[str, Any] = {
            "challenge": CHALLENGE,
            "at": datetime.now(UTC),
            "terms": self._terms,
            "state": self.state,
            **changed,
        }
        return Asked(**wanted)

    def verified(self, sent: dict[str, object] | None = None, **changed: Any) -> Attested:
        return verify_tpm(sent or self.second(), self.asked(**changed))

    @property
    def _terms(self) -> Terms:
        return self.terms or Terms(formats=frozenset({"tpm2"}), tpm_roots=self.pki.device_roots)
