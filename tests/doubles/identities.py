"""Really signed photos with an identity assertion that nobody signed, as any tool can write one."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from c2pa import Builder, C2paSigningAlg, Context, Signer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from authn.core.plain import Json
from authn.provenance.answers import EngineAnswer, EngineCode, EngineState, EngineTraits, Scope
from signer.claim import CaptureClaim, DeviceAssertion, manifest_definition
from tests.doubles.photos import photo
from tests.doubles.pki import C2PA_CLAIM_SIGNING, Issued

OTHER_USAGE = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
HARD_BINDING = {"url": "self#jumbf=c2pa.assertions/c2pa.hash.data", "hash": "AAAA"}


def photo_with_identity(leaf: Issued, data: Json = None, label: str = "cawg.identity") -> bytes:
    """The claim signature covers the assertion, so the C2PA part of the file is whole. Without ``data`` there
    is no assertion, and the certificate may be for ``OTHER_USAGE``."""
    claim = CaptureClaim(
        title="photo",
        captured_at=datetime.now(UTC),
        device=DeviceAssertion(device_id="device-0001", counter=1, nonce=bytes(16)),
    )
    definition = json.loads(manifest_definition(claim))
    if data is not None:
        definition["assertions"].append({"label": label, "data": data})

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(leaf.ec_key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    settings = {
        "trust": {"trust_config": f"{C2PA_CLAIM_SIGNING.dotted_string}\n{OTHER_USAGE.dotted_string}\n"},
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    out = io.BytesIO()
    with (
        Signer.from_callback(sign, C2paSigningAlg.ES256, leaf.chain_pem.decode()) as signer,
        Builder(json.dumps(definition), context=Context.from_dict(settings)) as builder,
    ):
        builder.sign(signer, "image/jpeg", io.BytesIO(photo()), out)
    return out.getvalue()


def aggregated(identities: list[Json], issuer: Json = "did:web:identities.example") -> Json:
    """As c2pa-rs shows an identity claims aggregation."""
    return {
        "signer_payload": {"referenced_assertions": [], "sig_type": "cawg.identity_claims_aggregation"},
        "signature_info": {
            "type": ["VerifiableCredential", "IdentityClaimsAggregationCredential"],
            "issuer": issuer,
            "credentialSubject": {"verifiedIdentities": identities},
        },
    }


def answer_with(data: Json, *codes: tuple[str, str], label: str = "cawg.identity") -> EngineAnswer:
    """An answer of an engine whose manifest has that identity assertion; ``codes``: code and kind."""
    where = f"self#jumbf=/c2pa/urn:c2pa:1/c2pa.assertions/{label}"
    manifest: Json = {"assertions": [{"label": label, "data": data}]}
    return EngineAnswer(
        by=EngineTraits(name="c2pa-rs", version="1", shows_claims=True),
        state=EngineState.READ,
        codes=tuple(
            EngineCode(code=c, kind=k, scope=Scope.ACTIVE, detail="said", where=where) for c, k in codes
        ),
        active="urn:c2pa:1",
        store={"manifests": {"urn:c2pa:1": manifest}},
    )
