"""Both C2PA readers as strangers would run them: given roots, network off. Oracles, not our verifier."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import encypher_c2pa
from c2pa import Context, Reader

from tests.doubles.pki import C2PA_CLAIM_SIGNING, DOCUMENT_SIGNING, TestPki, pem_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """``codes`` of the active manifest by kind; ``manifest`` is c2pa's own JSON (empty for the other one)."""

    state: str
    success: tuple[str, ...]
    informational: tuple[str, ...]
    failure: tuple[str, ...]
    manifest: dict[str, Any]


def read_with_c2pa(data: bytes, media_type: str, pki: TestPki) -> Reading:
    settings = {
        "trust": {
            "trust_config": f"{C2PA_CLAIM_SIGNING.dotted_string}\n{DOCUMENT_SIGNING.dotted_string}\n",
            "anchors": [
                {"trust_anchors": pem_of(*pki.device_roots).decode(), "trust_kind": "manifest"},
                {"trust_anchors": pem_of(*pki.tsa_roots).decode(), "trust_kind": "tsa"},
            ],
        },
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "core": {"allowed_network_hosts": []},
    }
    with Reader(media_type, io.BytesIO(data), context=Context.from_dict(settings)) as reader:
        document = json.loads(reader.detailed_json())
        active = (reader.get_validation_results() or {})["activeManifest"]
        return Reading(
            state=reader.get_validation_state(),
            success=tuple(c["code"] for c in active.get("success", ())),
            informational=tuple(c["code"] for c in active.get("informational", ())),
            failure=tuple(c["code"] for c in active.get("failure", ())),
            manifest=document["manifests"][document["active_manifest"]],
        )


def read_with_encypher(data: bytes, media_type: str, pki: TestPki) -> Reading:
    report = encypher_c2pa.verify(
        data,
        media_type,
        trust_pem=pem_of(*pki.device_roots).decode(),
        tsa_trust_pem=pem_of(*pki.tsa_roots).decode(),
        no_default_trust=True,
        telemetry=False,
        online=False,
    )
    results = report["validation_results"]
    return Reading(
        state=report["validation_state"],
        success=tuple(c["code"] for c in results.get("success", ())),
        informational=tuple(c["code"] for c in results.get("informational", ())),
        failure=tuple(c["code"] for c in results.get("failure", ())),
        manifest={},
    )
