"""The JSON API: devices and verifications (docs/http-api.md)."""

from __future__ import annotations

import json
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding
from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import CombinedMultiDict

from authn.core.instants import instant
from authn.core.media import Media
from authn.core.plain import Json
from authn.devices.registry import AttestationRecord, CertificateRecord, EnrolledDevice
from authn.devices.view import device_view
from authn.service.enrolment.tokens import verify_token
from authn.service.examinations import Asked
from authn.store.engine import Also
from authn.web.answers import conditional, json_answer, json_text, uncached
from authn.web.answers import services as services  # for the other views
from authn.web.asked import QUESTIONS, asked_for, form_of
from authn.web.jobs import accepted
from authn.web.listing import listed
from authn.web.preferences import preferences
from authn.web.repeats import fingerprint, media_key, once
from authn.web.taken_along import taken_along
from authn.web.uploads import read_json, read_media
from signer.proof.certificates import Certificate

api = Blueprint("api", __name__, url_prefix="/v1")
api.after_request(uncached)


@api.post("/devices")
def enrol() -> Response:
    """Enrol a device, or renew the certificate of the same name and key."""
    require_token()
    name, csr = read_json(request, ("name", "csr"))
    enrolled = services().intake.enrol(name, csr.encode("ascii", "replace"), services().clock())
    return enrolled_response(enrolled)


@api.get("/devices")
def devices() -> Response:
    """Every device with its status over time."""
    return json_answer({"devices": [dict(device_view(d)) for d in services().registry.list()]})


@api.get("/devices/<device_id>")
def device(device_id: str) -> Response:
    """One device with its certificates."""
    found = services().registry.find(device_id)
    issued = services().registry.certificates_of(found.device_id)
    evidence = services().registry.attestations_of(found.device_id)
    return json_answer(
        {
            **device_view(found),
            "certificates": [_certificate_json(c) for c in issued],
            "attestations": [_attestation_json(a) for a in evidence],
        }
    )


@api.post("/verifications")
def verify() -> Response:
    """Examine one file and answer with its report. What is asked about it stands in the query or the form."""
    asked_for(request.args)  # before the body is taken apart
    form_of(request.args)
    media = read_media(request, services().settings, fields=(*QUESTIONS, "format"), sidecar=True)
    given = CombinedMultiDict([request.args, request.form])
    asked, form = asked_for(given), form_of(given)
    if form != "report":
        return taken_along(media, asked, form)
    return once(fingerprint(media_key(media), asked), partial(_verified, media, asked))


def _verified(media: Media, asked: Asked, also: Also | None) -> Response:
    wishes = preferences(request.headers.getlist("Prefer"))
    if wishes.any:
        return accepted(media, asked, wishes, also)
    stored = services().examinations.examine_for(media, asked, also)
    response = json_text(stored.report)
    response.headers["Location"] = url_for("api.verification", verification_id=stored.id)
    return response


@api.get("/verifications/<verification_id>")
def verification(verification_id: str) -> Response:
    """A report that was given before, unchanged."""
    stored = services().verifications.get(verification_id, services().clock())
    return conditional(json_text(stored.report))


@api.get("/verifications")
def verifications() -> Response:
    """The reports that the one who asks has asked for, the newest first."""
    return listed()


@api.delete("/verifications/<verification_id>")
def forget(verification_id: str) -> Response:
    """Delete a report and its picture."""
    services().verifications.delete(verification_id)
    return Response(status=204)


def _certificate_json(certificate: CertificateRecord) -> dict[str, Json]:
    return {
        "serial": certificate.serial,
        "not_before": instant(certificate.not_before),
        "not_after": instant(certificate.not_after),
    }


def _attestation_json(attestation: AttestationRecord) -> dict[str, Json]:
    """What was read in the evidence; the evidence itself may name the device's serial number."""
    return {
        "fmt": attestation.fmt,
        "level": attestation.level,
        "facts": json.loads(attestation.facts),
        "examined_at": instant(attestation.examined_at),
    }


def require_token() -> str:
    """The bearer token of the request, if it is the one for enrolling. Raises as ``verify_token``."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else ""
    verify_token(given, services().enrolment_token)
    return given


def enrolled_response(enrolled: EnrolledDevice) -> Response:
    """What a device gets when it was enrolled or renewed."""
    response = json_answer(_enrolment(enrolled), 201)
    response.headers["Location"] = url_for("api.device", device_id=enrolled.device.device_id)
    return response


def _enrolment(enrolled: EnrolledDevice) -> dict[str, Json]:
    authority, settings = services().authority, services().settings
    own_tsa = f"{(settings.public_url or request.host_url).rstrip('/')}/tsa"
    return {
        "device_id": enrolled.device.device_id,
        "name": enrolled.device.name,
        "assurance_level": enrolled.device.assurance_level,
        "chain": pem(enrolled.chain),
        "tsa_url": settings.tsa_url or own_tsa,
        "signer_roots": pem(authority.device_roots),
        "tsa_roots": pem(services().tsa_roots),
        "log_key": str(services().log.verifier),
    }


def pem(certificates: tuple[Certificate, ...]) -> str:
    """Certificates as one PEM text, in their order."""
    return "".join(c.public_bytes(Encoding.PEM).decode() for c in certificates)
