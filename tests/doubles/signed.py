"""Really signed, really stamped photos under a test authority, with one thing changed at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from c2pa import Builder, C2paSigningAlg, Context, Signer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from authn.core.evidence import CryptographicEvidence
from authn.core.keys import spki_sha256
from authn.core.media import Media, media_of
from authn.devices import DeviceRecord
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots
from authn.pki.tsa import TimestampAuthority
from authn.policies.shelf import open_policy
from authn.provenance.answers import EngineAnswer
from authn.provenance.binding import read_file
from authn.provenance.engines import open_engines
from authn.provenance.logs import LogTrust
from authn.provenance.verifier import verify_file
from authn.sources import HeuristicSource
from signer.claim import CaptureClaim, DeviceAssertion, manifest_definition
from signer.credential import sign_media
from signer.proof.timestamp import build_request, parse_response
from signer.staple import bytes_to_stamp, staple
from tests.doubles.photos import photo
from tests.doubles.pki import Issued, TestPki


def signed_photo(
    leaf: Issued,
    *,
    data: bytes | None = None,
    media_type: str = "image/jpeg",
    chain_pem: bytes | None = None,
) -> bytes:
    """``chain_pem``: other certificates for the same key than the leaf's own."""
    claim = CaptureClaim(
        title="photo",
        captured_at=datetime.now(UTC),
        device=DeviceAssertion(device_id="device-0001", counter=1, nonce=bytes(16)),
    )
    return sign_media(data or photo(), media_type, claim, leaf.ec_key, chain_pem or leaf.chain_pem)


def stamped_photo(
    signed: bytes,
    authority: Issued,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    media_type: str = "image/jpeg",
) -> bytes:
    """``signed`` with a token that this authority issued at that clock."""
    stamper = TimestampAuthority(
        authority.certificate, authority.ec_key, authority.intermediates, clock=clock
    )
    request = build_request(bytes_to_stamp(signed, media_type), nonce=7)
    return staple(signed, media_type, parse_response(stamper.respond(request)))


def examiner_for(
    pki: TestPki,
    *,
    registry: Registered | None = None,
    sources: tuple[HeuristicSource, ...] = (),
    on_request: tuple[HeuristicSource, ...] = (),
    forensics: bool = False,
    roots: TrustRoots | None = None,
    policy: str = "default",
) -> Examiner:
    roots = roots or TrustRoots(signer=pki.device_roots, tsa=pki.tsa_roots)
    return Examiner(
        roots=roots,
        engines=open_engines(roots),
        policy=open_policy(policy),
        sources=sources,
        on_request=on_request,
        forensics=forensics,
        registry=registry,
    )


def media(data: bytes, name: str = "photo.jpg") -> Media:
    return media_of(data, name)


def answers_on(found: Media, at: datetime, roots: TrustRoots | None = None) -> list[EngineAnswer]:
    """What the engines answer about a file."""
    return [e.read(found.data, found.media_type, at) for e in open_engines(roots or TrustRoots())]


def evidence_on(
    found: Media, answers: Sequence[EngineAnswer], at: datetime, roots: TrustRoots | None = None
) -> CryptographicEvidence:
    """What follows from a file and such answers, without registry, logs and receipt."""
    return verify_file(
        read_file(found),
        answers=answers,
        roots=roots or TrustRoots(),
        registry=None,
        as_of=at,
        logs=LogTrust(),
        receipt=None,
    )


class Registered:
    """A registry view that knows the given leaves; implements ``RegistryView``."""

    def __init__(self, *leaves: Issued, **status: object) -> None:
        self._devices = {
            spki_sha256(leaf.certificate.public_key()): DeviceRecord(
                device_id=f"id-{i}",
                name=f"camera-{i}",
                spki_sha256=spki_sha256(leaf.certificate.public_key()),
                enrolled_at=datetime(2026, 1, 1, tzinfo=UTC),
                **status,  # type: ignore[arg-type]
            )
            for i, leaf in enumerate(leaves)
        }

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        return self._devices.get(spki_sha256)


def sidecar_of(leaf: Issued, data: bytes, media_type: str = "image/jpeg") -> tuple[bytes, bytes]:
    """A manifest store that lies beside the file, as another tool would write it, and the file it is for
    (the engine rewrites some containers before it hashes them)."""
    claim = CaptureClaim(
        title="photo",
        captured_at=datetime.now(UTC),
        device=DeviceAssertion(device_id="device-0001", counter=1, nonce=bytes(16)),
    )
    out = io.BytesIO()

    def raw(message: bytes) -> bytes:
        r, s = decode_dss_signature(leaf.ec_key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    settings = {
        "trust": {"trust_config": "1.3.6.1.4.1.62558.2.1\n"},
        "builder": {"thumbnail": {"enabled": False}},
    }
    with (
        Signer.from_callback(raw, C2paSigningAlg.ES256, leaf.chain_pem.decode()) as signer,
        Builder(manifest_definition(claim), context=Context.from_dict(settings)) as builder,
    ):
        builder.set_no_embed()
        store = builder.sign(signer, media_type, io.BytesIO(data), out)
    return store, out.getvalue()
