"""Batches and webhooks in the OpenAPI description."""

from __future__ import annotations

from authn.core.plain import Json
from authn.web.openapi_parts import Object, array, body, operation, parameter, ref, response, shape
from authn.web.openapi_verifications import idempotency_key, if_none_match, questions, tagged, waiting

_TEXT: Object = {"type": "string"}
_INSTANT: Object = {"type": "string", "format": "date-time"}
_MAYBE: Object = {"type": ["string", "null"]}
_COUNT: Object = {"type": "integer", "minimum": 0}
_BATCH: Object = {
    "id": "4c1f0e9d8b7a46538291a0b1c2d3e4f5",
    "state": "running",
    "total": 3,
    "counts": {"queued": 1, "running": 1, "done": 1, "not_examined": 0, "deleted": 0},
    "created_at": "2026-11-30T12:00:00Z",
    "expires_at": "2026-12-30T12:00:00Z",
    "results": "/v1/batches/4c1f0e9d8b7a46538291a0b1c2d3e4f5/results",
}
_WEBHOOK: Object = {
    "id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "url": "https://example.org/assay",
    "created_at": "2026-11-30T12:00:00Z",
    "failures": 0,
    "quiet_until": None,
}


def batch_paths() -> Object:
    """Many files in one request."""
    by_id: list[Json] = [parameter("batch_id", "path", _TEXT)]
    view = ref("schemas/Batch")
    found: Object = {**response("How many of its files are where.", view), "headers": waiting()}
    kept: Object = {**response("They are kept, and will be examined; ask at Location.", view)}
    binary: Object = {"type": "string", "format": "binary"}
    form: Object = {
        "type": "object",
        "properties": {"file": {**array(binary), "minItems": 1, "maxItems": 1000}},
        "required": ["file"],
    }
    content: Object = {"multipart/form-data": {"schema": form}, "application/zip": {"schema": binary}}
    lines: Object = {
        "description": "One JSON object a line, each a BatchResult.",
        "content": {"application/jsonl": {"schema": _TEXT}},
    }
    create = operation(
        "createBatch",
        "Examine many files later: a form with several, or one zip archive",
        {"202": {**kept, "headers": {"Location": {"schema": _TEXT}, **waiting()}}},
        ("400", "408", "409", "413", "422", "503", "507"),
        requestBody={"required": True, "content": content},
        parameters=[idempotency_key(), *questions()],
    )
    ask = operation(
        "getBatch",
        "How many files of a batch are where",
        {"200": tagged(found), "304": {"description": "Nothing has changed."}},
        ("404", "503"),
        parameters=[*by_id, if_none_match()],
    )
    read = operation(
        "getBatchResults", "What became of each file", {"200": lines}, ("404", "503"), parameters=by_id
    )
    gone: Object = {"204": {"description": "It is gone."}}
    remove = operation(
        "deleteBatch", "Stop what is not done yet; reports stay", gone, ("404", "503"), parameters=by_id
    )
    return {
        "/v1/batches": {"post": create},
        "/v1/batches/{batch_id}": {"get": ask, "delete": remove},
        "/v1/batches/{batch_id}/results": {"get": read},
    }


def webhook_paths() -> Object:
    """Who is told when an examination ends."""
    by_id: list[Json] = [parameter("webhook_id", "path", _TEXT)]
    asked = {
        **shape(url={"type": "string", "format": "uri", "maxLength": 2000}),
        "additionalProperties": False,
    }
    secret: Object = {"allOf": [ref("schemas/Webhook"), shape(secret=_TEXT)]}
    create = operation(
        "createWebhook",
        "Name an address; the secret of its notices is shown this once",
        {"201": response("The webhook with its secret.", secret)},
        ("400", "413", "422", "503"),
        requestBody=body("application/json", asked),
    )
    found = response("The webhooks of the one who asks.", shape(webhooks=array(ref("schemas/Webhook"))))
    gone: Object = {"204": {"description": "It is gone."}}
    remove = operation("deleteWebhook", "Send it nothing more", gone, ("404", "503"), parameters=by_id)
    queued: Object = {"202": {"description": "It will be sent."}}
    test = operation(
        "testWebhook", "Send it a notice that means nothing", queued, ("404", "503"), parameters=by_id
    )
    return {
        "/v1/webhooks": {
            "post": create,
            "get": operation("listWebhooks", "One's own webhooks", {"200": found}, ("503",)),
        },
        "/v1/webhooks/{webhook_id}": {"delete": remove},
        "/v1/webhooks/{webhook_id}/test": {"post": test},
    }


def later_schemas() -> Object:
    """``authn.web.batches`` and ``authn.web.webhooks``."""
    return {
        "Batch": {
            **shape(
                id=_TEXT,
                state={"type": "string", "enum": ["running", "done"]},
                total=_COUNT,
                counts=shape(queued=_COUNT, running=_COUNT, done=_COUNT, not_examined=_COUNT, deleted=_COUNT),
                created_at=_INSTANT,
                expires_at=_INSTANT,
                results=_TEXT,
            ),
            "examples": [_BATCH],
        },
        "BatchResult": shape(
            name=_TEXT,
            job=_TEXT,
            state={"type": "string", "enum": ["queued", "running", "done", "not_examined"]},
            verification=_MAYBE,
            problem={"anyOf": [ref("schemas/Problem"), {"type": "null"}]},
            report={"anyOf": [ref("schemas/Report"), {"type": "null"}]},
        ),
        "Webhook": {
            **shape(
                id=_TEXT,
                url=_TEXT,
                created_at=_INSTANT,
                failures=_COUNT,
                quiet_until={"type": ["string", "null"], "format": "date-time"},
            ),
            "examples": [_WEBHOOK],
        },
    }
