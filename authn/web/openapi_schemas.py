"""The shapes that the OpenAPI description names."""

from __future__ import annotations

import json
import re
from importlib.resources import files

from authn.web.openapi_parts import Object, array, shape


def schemas() -> Object:
    text: Object = {"type": "string"}
    instant: Object = {"type": "string", "format": "date-time"}
    maybe_instant: Object = {"type": ["string", "null"], "format": "date-time"}
    device: Object = {
        "device_id": text,
        "name": text,
        "spki_sha256": text,
        "enrolled_at": instant,
        "assurance_level": {"type": "integer", "minimum": 0, "maximum": 4},
        "assurance": text,
        "assurance_limit": text,
        "attestation_fmt": {"type": ["string", "null"]},
        "attested_at": maybe_instant,
        "revoked_at": maybe_instant,
        "invalid_since": maybe_instant,
        "revocation_reason": {"type": ["string", "null"]},
    }
    certificate = shape(serial=text, not_before=instant, not_after=instant)
    attestation = shape(
        fmt=text, level=device["assurance_level"], facts={"type": "object"}, examined_at=instant
    )
    return {
        "EnrolmentRequest": {**shape(name=text, csr=text), "additionalProperties": False},
        "AttestedEnrolmentRequest": {
            **shape(name=text, csr=text, challenge=text),
            "properties": {"name": text, "csr": text, "challenge": text, "attestation": shape(fmt=text)},
            "additionalProperties": False,
        },
        "EnrolmentChallenge": shape(
            challenge=text, expires_at=instant, formats=array(text), answer={"type": "object"}
        ),
        "Enrolment": shape(
            device_id=text,
            name=text,
            assurance_level=device["assurance_level"],
            chain=text,
            tsa_url=text,
            signer_roots=text,
            tsa_roots=text,
            log_key=text,
        ),
        "Device": shape(**device),
        "DeviceWithCertificates": shape(
            **device, certificates=array(certificate), attestations=array(attestation)
        ),
        "Problem": {
            **shape(type=text, title=text, status={"type": "integer"}, detail=text, code=text),
            "description": "`request_id` stands beside them, in the answer of /readyz `reasons` too.",
            "examples": [
                {
                    "type": "urn:assay:problem:assay.job.unknown",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "there is no such job; it may have expired or been deleted",
                    "code": "assay.job.unknown",
                }
            ],
        },
    }


def report_schemas() -> Object:
    """The schema that every report is tested against, each of its definitions as a component of its own:
    many tools follow references to components alone. ``report`` is ``Report``, ``axis`` ``ReportAxis``."""
    text = files("authn.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    text = re.sub(r'"#/\$defs/(\w+)"', lambda m: f'"#/components/schemas/{_component(m[1])}"', text)
    return {_component(name): schema for name, schema in json.loads(text)["$defs"].items()}


def _component(name: str) -> str:
    words = "".join(part.capitalize() for part in name.split("_"))
    return words if name == "report" else f"Report{words}"
