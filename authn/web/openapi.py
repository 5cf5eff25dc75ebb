"""The OpenAPI 3.1 description, written by hand; a test compares its paths with the router's."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from flask import Blueprint, Response

from authn.core.plain import Json
from authn.service.access.scopes import ROUTES, Needs
from authn.web.est import REQUEST_TYPE as EST_REQUEST_TYPE
from authn.web.log import COSE_TYPE
from authn.web.openapi_schemas import Object, array, ref, schemas, shape
from authn.web.pki import CERTIFICATE_TYPE, CRL_TYPE, OCSP_REQUEST_TYPE, OCSP_RESPONSE_TYPE
from authn.web.tsa import QUERY_TYPE, REPLY_TYPE

openapi = Blueprint("openapi", __name__)

# operation -> the router's name for it, where authn.service.access.scopes asks for a scope; a test compares
GUARDED = {
    "createVerification": "api.verify",
    "getVerification": "api.verification",
    "deleteVerification": "api.forget",
    "listDevices": "api.devices",
    "getDevice": "api.device",
    "takeCapture": "captures.take",
    "stamp": "tsa.stamp",
}
PROBLEM_TYPE = "application/problem+json"


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
            **_verifications(),
            **_captures(),
            **_tsa(),
            **_status(),
            **_est(),
            **_log(),
            **_health(),
        },
        "components": {
            "schemas": {**schemas(), "Report": _report_schema()},
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


def _report_schema() -> Object:
    """Without its own ``$id``, which many tools do not honour, its references have to start further up."""
    text = files("authn.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    schema: Object = json.loads(text.replace('"#/$defs/', '"#/components/schemas/Report/$defs/'))
    return {name: value for name, value in schema.items() if name not in ("$schema", "$id")}


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


def _verifications() -> Object:
    binary: Object = {"type": "string", "format": "binary"}
    fields: Object = {
        "type": "object",
        "properties": {"file": binary, "manifest": binary},
        "required": ["file"],
    }
    form: Object = {"multipart/form-data": {"schema": fields}}
    raw: Object = {kind: {"schema": {"type": "string"}} for kind in ("image/*", "video/*", "audio/*")}
    by_id: Json = [_parameter("verification_id", "path", {"type": "string"})]
    report = _response("The report.", ref("schemas/Report"))
    created: Object = {**report, "headers": {"Location": {"schema": {"type": "string"}}}}
    return {
        "/v1/verifications": {
            "post": _operation(
                "createVerification",
                "Examine one file; a refuted signature is a finding in a report, not an HTTP error",
                {"200": created},
                ("400", "408", "413", "415", "422", "503"),
                requestBody={"required": True, "content": {**form, **raw}},
                parameters=[
                    _parameter("as_of", "query", {"type": "string", "format": "date-time"}),
                    _parameter("heuristics", "query", {"type": "boolean"}),
                    _parameter("preview", "query", {"type": "boolean", "default": False}),
                ],
            )
        },
        "/v1/verifications/{verification_id}": {
            "get": _operation(
                "getVerification",
                "A report that was given before",
                {"200": report},
                ("404", "503"),
                parameters=by_id,
            ),
            "delete": _operation(
                "deleteVerification",
                "Delete a report and its picture",
                {"204": {"description": "It is gone."}},
                ("404", "503"),
                parameters=by_id,
            ),
        },
    }


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
        ("400", "503"),
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


def _binary(description: str, media_type: str) -> Object:
    return {"description": description, "content": _binary_content(media_type)}


def _binary_content(media_type: str) -> Object:
    return {media_type: {"schema": {"type": "string", "format": "binary"}}}


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
    held: Object = {"type": "object", "description": "what holds the process that looks at files"}
    learned: Object = {"type": "array", "items": shape(id={"type": "string"}, lacks={"type": "string"})}
    able = _response("It can.", shape(status={"type": "string"}, confinement=held, detectors=learned))
    document = _response("This document.", {"type": "object"})
    return {
        "/healthz": {"get": _operation("isAlive", "Is the process alive", {"200": status}, ())},
        "/readyz": {"get": _operation("isReady", "Can it do its work now", {"200": able}, ("503",))},
        "/openapi.json": {"get": _operation("getDescription", "This document", {"200": document}, ())},
    }


def _operation(
    operation_id: str, summary: str, responses: Object, problems: tuple[str, ...], **members: Json
) -> Object:
    if operation_id in GUARDED:
        problems = tuple(sorted({*problems, "401", "403", "429"}))
        rule = ROUTES[GUARDED[operation_id]]
        scopes: list[Json] = [rule.scope] if isinstance(rule, Needs) else []
        always = isinstance(rule, Needs) and rule.always
        nothing: list[Json] = [] if always else [{}]  # by default nothing is asked for
        members["security"] = [*nothing, {"bearer": scopes}]
    failures: Object = {status: ref("responses/Problem") for status in problems}
    return {
        "operationId": operation_id,
        "summary": summary,
        **members,
        "responses": {**responses, **failures},
    }


def _response(description: str, schema: Json) -> Object:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _body(content_type: str, schema: Json) -> Object:
    return {"required": True, "content": {content_type: {"schema": schema}}}


def _parameter(name: str, where: str, schema: Json) -> Object:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}
