"""Verifications and jobs in the OpenAPI description."""

from __future__ import annotations

from authn.core.plain import Json
from authn.core.views import NAMES
from authn.web.asked import FORMS
from authn.web.openapi_parts import Object, array, binary, operation, parameter, ref, response, shape
from authn.web.taken_along import ZIP


def verification_paths() -> Object:
    binary: Object = {"type": "string", "format": "binary"}
    fields: Object = {
        "type": "object",
        "properties": {"file": binary, "manifest": binary},
        "required": ["file"],
    }
    form: Object = {"multipart/form-data": {"schema": fields}}
    raw: Object = {kind: {"schema": {"type": "string"}} for kind in ("image/*", "video/*", "audio/*")}
    by_id: list[Json] = [parameter("verification_id", "path", {"type": "string"})]
    report = response("The report.", ref("schemas/Report"))
    located: Object = {"Location": {"schema": {"type": "string"}}}
    preferred: Object = {**located, "Preference-Applied": {"schema": {"type": "string"}}}
    created: Object = {**report, "headers": preferred, "content": _forms()}
    return {
        "/v1/verifications": {
            "post": operation(
                "createVerification",
                "Examine one file; a refuted signature is a finding in a report, not an HTTP error",
                {"200": created, "202": _accepted(preferred)},
                ("400", "408", "409", "413", "415", "422", "503", "507"),
                requestBody={"required": True, "content": {**form, **raw}},
                parameters=[
                    parameter("Prefer", "header", {"type": "string", "examples": ["respond-async, wait=5"]}),
                    idempotency_key(),
                    parameter("format", "query", {"enum": list(FORMS), "default": FORMS[0]}),
                    *questions(),
                ],
            ),
            "get": _listing(),
        },
        "/v1/verifications/{verification_id}": {
            "get": operation(
                "getVerification",
                "A report that was given before",
                {"200": tagged(report), "304": {"description": "It is the report you have."}},
                ("404", "503"),
                parameters=[*by_id, if_none_match()],
            ),
            "delete": operation(
                "deleteVerification",
                "Delete a report and its picture",
                {"204": {"description": "It is gone."}},
                ("404", "503"),
                parameters=by_id,
            ),
        },
    }


def view_paths() -> Object:
    """One picture of an upload, of which nothing is kept."""
    file: Object = {"file": {"type": "string", "format": "binary"}}
    form: Object = {"type": "object", "properties": file, "required": ["file"]}
    names: list[Json] = list(NAMES)
    raw: Object = {kind: {"schema": {"type": "string"}} for kind in ("image/*", "video/*", "audio/*")}
    draw = operation(
        "drawView",
        "A view of a picture beside that of an ordinary photo: no evidence, and not kept",
        {"200": binary("The picture.", "image/png")},
        ("400", "408", "413", "415", "422", "503"),
        requestBody={
            "required": True,
            "content": {"multipart/form-data": {"schema": form}, **raw},
        },
        parameters=[
            parameter("name", "path", {"type": "string", "enum": names}),
            parameter("lang", "query", {"type": "string"}),
        ],
    )
    return {"/v1/views/{name}": {"post": draw}}


def _forms() -> Object:
    """What ``format`` gives: the report, the credential as crJSON, an evidence bundle."""
    crjson: Object = {
        "type": "object",
        "description": "The credential as C2PA's crJSON, with format=crjson; nothing is kept.",
        "properties": {"@context": {}, "manifests": {"type": "array"}},
        "required": ["@context", "manifests"],
        "examples": [{"@context": {"@vocab": "https://c2pa.org/crjson"}, "manifests": []}],
    }
    bundle: Object = {"type": "string", "format": "binary", "description": "With format=bundle."}
    either: Json = {"oneOf": [ref("schemas/Report"), crjson]}
    return {"application/json": {"schema": either}, ZIP: {"schema": bundle}}


def comparison_paths() -> Object:
    """Two files, of which the first was signed."""
    text: Object = {"type": "string"}
    binary: Object = {"type": "string", "format": "binary"}
    count: Object = {"type": "integer", "minimum": 0}
    fields = shape(file=binary, original=binary)
    about = shape(sha256=text, integrity=text, signer=text, verification=text, page=text)
    square: Object = {"type": "array", "items": count, "minItems": 4, "maxItems": 4}
    apart: Object = {
        "type": "object",
        "properties": {
            "compared": {"type": "boolean"},
            "why": text,
            "width": count,
            "height": count,
            "reduced": {"type": "boolean"},
            "place": {"anyOf": [{"type": "null"}, {"type": "array", "items": count}]},
            "pixels_that_differ": count,
            "squares": array(square),
        },
        "required": ["compared"],
    }
    example: Object = {
        "original": {
            "sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
            "integrity": "established",
            "signer": "established",
            "verification": "/v1/verifications/9f2b1c7e5d3a48f0a6b4c2d1e0f98765",
            "page": "/reports/9f2b1c7e5d3a48f0a6b4c2d1e0f98765",
        },
        "file": {
            "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
            "integrity": "refuted",
            "signer": "established",
            "verification": "/v1/verifications/4c1d7e9b2f3a48f0a6b4c2d1e0f91234",
            "page": "/reports/4c1d7e9b2f3a48f0a6b4c2d1e0f91234",
        },
        "difference": {
            "compared": True,
            "width": 640,
            "height": 480,
            "reduced": False,
            "place": None,
            "pixels_that_differ": 1024,
            "squares": [[320, 160, 39, 201]],
        },
    }
    found: Object = {**shape(original=about, file=about, difference=apart), "examples": [example]}
    asked = operation(
        "compare",
        "Verify a signed original, and say where another file differs from it",
        {"200": response("Both reports, and the difference.", found)},
        ("400", "408", "413", "415", "422", "503"),
        requestBody={"required": True, "content": {"multipart/form-data": {"schema": fields}}},
        parameters=[q for q in questions() if q["name"] != "preview"],  # type: ignore[index,call-overload]
    )
    return {"/v1/comparisons": {"post": asked}}


def job_paths() -> Object:
    """Where a job is asked about, and stopped."""
    by_id: list[Json] = [parameter("job_id", "path", {"type": "string"})]
    found: Object = {**response("Where it is.", ref("schemas/Job")), "headers": waiting()}
    ask = operation(
        "getJob",
        "Where a job is, and what became of it",
        {"200": tagged(found), "304": {"description": "Nothing has changed."}},
        ("404", "503"),
        parameters=[*by_id, if_none_match()],
    )
    stop = operation(
        "deleteJob",
        "Stop a job and delete its upload",
        {"204": {"description": "It is gone."}},
        ("404", "503"),
        parameters=by_id,
    )
    return {"/v1/jobs/{job_id}": {"get": ask, "delete": stop}}


def job_schema() -> Object:
    """``authn.web.jobs.job_view``."""
    text: Object = {"type": "string"}
    instant: Object = {"type": "string", "format": "date-time"}
    maybe_instant: Object = {"type": ["string", "null"], "format": "date-time"}
    maybe_text: Object = {"type": ["string", "null"]}
    count: Object = {"type": "integer", "minimum": 0}
    example: Object = {
        "id": "9f2b1c7e5d3a48f0a6b4c2d1e0f98765",
        "state": "queued",
        "progress": {"attempts": 0, "attempts_allowed": 3, "waiting_before": 2},
        "created_at": "2026-11-30T12:00:00Z",
        "started_at": None,
        "finished_at": None,
        "expires_at": "2026-12-01T12:00:00Z",
        "batch_id": None,
        "verification": None,
        "problem": None,
    }
    job = shape(
        id=text,
        state={"type": "string", "enum": ["queued", "running", "done", "not_examined"]},
        progress=shape(attempts=count, attempts_allowed=count, waiting_before=count),
        created_at=instant,
        started_at=maybe_instant,
        finished_at=maybe_instant,
        expires_at=instant,
        batch_id=maybe_text,
        verification=maybe_text,
        problem={"anyOf": [ref("schemas/Problem"), {"type": "null"}]},
    )
    return {**job, "examples": [example]}


def questions() -> list[Json]:
    """What may be asked about a file."""
    return [
        parameter("as_of", "query", {"type": "string", "format": "date-time"}),
        parameter("heuristics", "query", {"type": "boolean"}),
        parameter("forensics", "query", {"type": "boolean"}),
        parameter("preview", "query", {"type": "boolean", "default": False}),
    ]


def idempotency_key() -> Object:
    """Of operations that are done once, however often they are sent."""
    return parameter("Idempotency-Key", "header", {"type": "string", "minLength": 1, "maxLength": 255})


def _listing() -> Object:
    text: Object = {"type": "string"}
    instant: Object = {"type": "string", "format": "date-time"}
    item = shape(
        id=text, created_at=instant, expires_at=instant, subject_sha256=text, verification={"type": "string"}
    )
    page = shape(verifications=array(item), next_cursor={"type": ["string", "null"]})
    found = response("A page of them.", page)
    limit: Json = {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    return operation(
        "listVerifications",
        "The reports that the one who asks has asked for, the newest first",
        {"200": tagged(found), "304": {"description": "It is the page you have."}},
        ("400", "503"),
        parameters=[parameter("cursor", "query", text), parameter("limit", "query", limit), if_none_match()],
    )


def tagged(found: Object) -> Object:
    """An answer with its ETag."""
    headers = found.get("headers")
    tag: Object = {"ETag": {"schema": {"type": "string"}}}
    return {**found, "headers": {**(headers if isinstance(headers, dict) else {}), **tag}}


def if_none_match() -> Object:
    """The tag of an answer that the client has."""
    return parameter("If-None-Match", "header", {"type": "string"})


def _accepted(headers: Object) -> Object:
    return {
        **response("It is kept, and will be examined; ask at Location.", ref("schemas/Job")),
        "headers": {**headers, **waiting()},
    }


def waiting() -> Object:
    """The header of an answer that will be another one soon."""
    return {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
