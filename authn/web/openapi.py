"""The OpenAPI 3.1 description, written by hand; a test compares its paths with the router's."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version

from flask import Blueprint, Response

from authn.web.est import REQUEST_TYPE as EST_REQUEST_TYPE
from authn.web.log import COSE_TYPE
from authn.web.openapi_later import batch_paths, later_schemas, webhook_paths
from authn.web.openapi_parts import PROBLEM_TYPE, Object, array, ref, shape
from authn.web.openapi_parts import binary as _binary
from authn.web.openapi_parts import binary_content as _binary_content
from authn.web.openapi_parts import body as _body
from authn.web.openapi_parts import operation as _operation
from authn.web.openapi_parts import parameter as _parameter
from authn.web.openapi_parts import response as _response
from authn.web.openapi_recovery import matches_schema, recovery_paths
from authn.web.openapi_schemas import report_schemas, schemas
from authn.web.openapi_verifications import (
    comparison_paths,
    job_paths,
    job_schema,
    verification_paths,
    view_paths,
)
from authn.web.pki import CERTIFICATE_TYPE, CRL_TYPE, OCSP_REQUEST_TYPE, OCSP_RESPONSE_TYPE
from authn.web.tsa import QUERY_TYPE, REPLY_TYPE

openapi = Blueprint("openapi", __name__)


@openapi.get("/openapi.json")
def document() -> Response:
    """The description of this version."""
    return Response(_document_text(), content_type="application/json")


@cache
def _document_text() -> str:
    return json.dumps(openapi_document())


def openapi_document() -> Object:
    """The whole document. The report's schema is the one that every report is tested against."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Assay",
            "version": version("assay"),
            "description": "Media authenticity: cryptographic and heuristic evidence, never added up.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            **_devices(),
            **_enrolment(),
            **verification_paths(),
            **view_paths(),
            **comparison_paths(),
            **job_paths(),
            **batch_paths(),
            **webhook_paths(),
            **_captures(),
            **recovery_paths(),
            **_tsa(),
            **_status(),
            **_est(),
            **_log(),
            **_health(),
        },
        "components": {
            "schemas": {
                **schemas(),
                "Job": job_schema(),
                **later_schemas(),
                "Matches": matches_schema(),
                **report_schemas(),
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of this service (mk_...), or a token of the configured issuer. "
                    "Devices sign their requests instead (RFC 9421, docs/formats/requests.md).",
                },
                "enrolmentToken": {"type": "http", "scheme": "bearer", "description": "The enrolment token."},
                "enrolmentPassword": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The enrolment token as password; any name.",
                },
            },
            "responses": {
                "Problem": {
                    "description": "RFC 9457 problem; `code` is stable.",
                    "content": {PROBLEM_TYPE: {"schema": ref("schemas/Problem")}},
                }
            },
        },
    }


def _devices() -> Object:
    enrolled = _response("The device and its certificate.", ref("schemas/Enrolment"))
    return {
        "/v1/devices": {
            "post": _operation(
                "enrolDevice",
                "Enrol a device, or renew the certificate of the same name and key",
                {"201": enrolled},
                ("400", "401", "403", "409", "413", "503"),
                requestBody=_body("application/json", ref("schemas/EnrolmentRequest")),
                security=[{"enrolmentToken": []}],
            ),
            "get": _operation(
                "listDevices",
                "Every device with its status over time",
                {"200": _response("The devices.", shape(devices=array(ref("schemas/Device"))))},
                ("503",),
            ),
        },
        "/v1/devices/{device_id}": {
            "get": _operation(
                "getDevice",
                "One device with its certificates",
                {"200": _response("The device.", ref("schemas/DeviceWithCertificates"))},
                ("404", "503"),
                parameters=[_parameter("device_id", "path", {"type": "string"})],
            )
        },
    }


def _enrolment() -> Object:
    token: Object = {"security": [{"enrolmentToken": []}]}
    first: Object = {"content": {"application/json": {"schema": {"type": "object"}}}}
    ask = _operation(
        "askEnrolmentChallenge",
        "Something fresh for an enrolment to answer; the body is the first step of a format of two",
        {"201": _response("The challenge.", ref("schemas/EnrolmentChallenge"))},
        ("400", "401", "403", "413", "503"),
        requestBody=first,
        **token,
    )
    enrol = _operation(
        "enrolAttestedDevice",
        "Enrol a device that answers a challenge, with or without an attestation of its key",
        {"201": _response("The device and its certificate.", ref("schemas/Enrolment"))},
        ("400", "401", "403", "409", "413", "503"),
        requestBody=_body("application/json", ref("schemas/AttestedEnrolmentRequest")),
        **token,
    )
    return {"/v1/enrolment/challenge": {"post": ask}, "/v1/enrolment": {"post": enrol}}


def _captures() -> Object:
    receipt: Object = {
        "type": "object",
        "required": ["receipt", "index", "log_key"],
        "properties": {
            "receipt": {"type": "string", "description": "C2SP tlog-proof; verify it offline and keep it."},
            "index": {"type": "integer"},
            "log_key": {"type": "string", "description": "vkey of the log (C2SP signed-note)."},
            "counter": {"type": ["integer", "null"], "description": "The device's number for the capture."},
            "counter_also_in": {
                **array({"type": "integer"}),
                "description": "Entries of other captures of the device that bear that number.",
            },
        },
    }
    take = _operation(
        "takeCapture",
        "Verify a signed, stamped capture of a registered device, log it, and answer with the receipt",
        {
            "201": {
                "description": "The receipt; it leaves only after the log's commit.",
                "content": {"application/json": {"schema": receipt}},
            }
        },
        ("400", "408", "413", "415", "422", "503"),
        requestBody={
            "required": True,
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        },
    )
    return {"/v1/captures": {"post": take}}


def _tsa() -> Object:
    binary: Object = {"schema": {"type": "string", "format": "binary"}}
    stamp = _operation(
        "stamp",
        "RFC 3161 time-stamp; a rejection is a reply with status 200 too",
        {"200": {"description": "A time-stamp reply.", "content": {REPLY_TYPE: binary}}},
        ("413", "415"),
        requestBody={"required": True, "content": {QUERY_TYPE: binary}},
    )
    return {"/tsa": {"post": stamp}}


def _status() -> Object:
    answer: Object = {"200": _binary("An OCSP answer.", OCSP_RESPONSE_TYPE)}
    ask = _operation(
        "askStatus",
        "OCSP (RFC 6960); a refusal is an answer with status 200 too",
        answer,
        ("413", "415", "503"),
        requestBody={"required": True, "content": _binary_content(OCSP_REQUEST_TYPE)},
    )
    by_address = _operation(
        "askStatusByAddress",
        "OCSP with the request in the address, as base64",
        answer,
        ("400", "404", "503"),
        parameters=[_parameter("encoded", "path", {"type": "string"})],
    )
    crl: Object = {"200": _binary("The list.", CRL_TYPE), "304": {"description": "It is the list you have."}}
    issuing: Object = {"200": _binary("The certificate.", CERTIFICATE_TYPE)}
    return {
        "/pki/crl": {"get": _operation("getRevocationList", "What was revoked (RFC 5280)", crl, ("503",))},
        "/pki/issuing": {"get": _operation("getIssuingAuthority", "The issuer of devices", issuing, ())},
        "/pki/ocsp": {"post": ask},
        "/pki/ocsp/{encoded}": {"get": by_address},
    }


def _est() -> Object:
    certificates: Object = {"200": _binary("Certificates only, base64.", "application/pkcs7-mime")}
    body: Object = {"required": True, "content": {EST_REQUEST_TYPE: {"schema": {"type": "string"}}}}
    enrol = _operation(
        "estEnrol",
        "EST: a first certificate; the common name of the request is the device's name",
        certificates,
        ("400", "401", "403", "409", "413", "415", "503"),
        requestBody=body,
        security=[{"enrolmentToken": []}, {"enrolmentPassword": []}],
    )
    renew = _operation(
        "estRenew",
        "EST: a new certificate for an enrolled key, proven by the request's signature",
        certificates,
        ("400", "403", "413", "415", "503"),
        requestBody=body,
    )
    roots = _operation("estAuthorities", "EST: the roots and the issuer of devices", certificates, ())
    return {
        "/.well-known/est/cacerts": {"get": roots},
        "/.well-known/est/simpleenroll": {"post": enrol},
        "/.well-known/est/simplereenroll": {"post": renew},
    }


def _log() -> Object:
    note: Object = {
        "description": "A signed note.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    found = _binary("It never changes.", "application/octet-stream")
    path = _parameter("path", "path", {"type": "string"})
    index = _parameter("index", "path", {"type": "integer", "minimum": 0})
    proven: Object = {
        "description": "A tlog-proof without its line extra, or a COSE receipt (RFC 9942).",
        "content": {"text/plain": {"schema": {"type": "string"}}, **_binary_content(COSE_TYPE)},
    }
    proof = _operation("getReceipt", "That the log has an entry", {"200": proven}, ("404", "503"))
    level = _parameter("level", "path", {"type": "integer", "minimum": 0, "maximum": 5})
    tile = _operation("getTile", "A tile of hashes (C2SP tlog-tiles)", {"200": found}, ("404",))
    bundle = _operation("getEntries", "A bundle of leaves (C2SP tlog-tiles)", {"200": found}, ("404",))
    newest = _operation("getCheckpoint", "The newest checkpoint of the log", {"200": note}, ("503",))
    witnessed = _operation(
        "getWitnessedCheckpoint",
        "The newest that enough witnesses have signed",
        {"200": note},
        ("404", "503"),
    )
    return {
        "/log/checkpoint": {"get": newest},
        "/log/witnessed": {"get": witnessed},
        "/log/receipt/{index}": {"get": {**proof, "parameters": [index]}},
        "/log/tile/{level}/{path}": {"get": {**tile, "parameters": [level, path]}},
        "/log/tile/entries/{path}": {"get": {**bundle, "parameters": [path]}},
    }


def _health() -> Object:
    status = _response("It is.", shape(status={"type": "string"}))
    text: Object = {
        "description": "Prometheus' text format 0.0.4, summed over the service's processes.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    held: Object = {"type": "object", "description": "what holds the process that looks at files"}
    learned: Object = {"type": "array", "items": shape(id={"type": "string"}, lacks={"type": "string"})}
    able = _response("It can.", shape(status={"type": "string"}, confinement=held, detectors=learned))
    document = _response("This document.", {"type": "object"})
    return {
        "/healthz": {"get": _operation("isAlive", "Is the process alive", {"200": status}, ())},
        "/metrics": {"get": _operation("showMetrics", "What is measured, for Prometheus", {"200": text}, ())},
        "/readyz": {"get": _operation("isReady", "Can it do its work now", {"200": able}, ("503",))},
        "/openapi.json": {"get": _operation("getDescription", "This document", {"200": document}, ())},
    }
