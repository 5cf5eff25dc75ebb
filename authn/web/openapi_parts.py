"""What an OpenAPI description is written with: shapes, answers, parameters, operations."""

from __future__ import annotations

from authn.core.plain import Json
from authn.service.access.scopes import ROUTES, Needs

Object = dict[str, Json]

# operation -> the router's name for it, where authn.service.access.scopes asks for a scope; a test compares
GUARDED = {
    "createVerification": "api.verify",
    "drawView": "views.draw",
    "compare": "comparisons.compare",
    "listVerifications": "api.verifications",
    "getVerification": "api.verification",
    "deleteVerification": "api.forget",
    "createBatch": "batches.create",
    "getBatch": "batches.status",
    "getBatchResults": "batches.results",
    "deleteBatch": "batches.remove",
    "createWebhook": "webhooks.create",
    "listWebhooks": "webhooks.listed",
    "deleteWebhook": "webhooks.remove",
    "testWebhook": "webhooks.test",
    "showMetrics": "metrics.show",
    "getJob": "jobs.status",
    "deleteJob": "jobs.cancel",
    "listDevices": "api.devices",
    "getDevice": "api.device",
    "takeCapture": "captures.take",
    "stamp": "tsa.stamp",
    "queryByBinding": "recovery.by_binding",
    "queryByLargeBinding": "recovery.by_large_binding",
    "uploadFile": "recovery.by_content",
    "getManifestById": "recovery.manifest",
    "deleteManifest": "recovery.forget",
}
PROBLEM_TYPE = "application/problem+json"


def binary(description: str, media_type: str) -> Object:
    return {"description": description, "content": binary_content(media_type)}


def binary_content(media_type: str) -> Object:
    return {media_type: {"schema": {"type": "string", "format": "binary"}}}


def operation(
    operation_id: str, summary: str, responses: Object, problems: tuple[str, ...], **members: Json
) -> Object:
    if operation_id in GUARDED:
        problems = tuple(sorted({*problems, "401", "403", "429"}))
        rule = ROUTES[GUARDED[operation_id]]
        scopes: list[Json] = [rule.scope] if isinstance(rule, Needs) else []
        always = isinstance(rule, Needs) and rule.always
        nothing: list[Json] = [] if always else [{}]  # by default nothing is asked for
        members["security"] = [*nothing, {"bearer": scopes}]
    if "requestBody" in members:
        problems = tuple(sorted({*problems, "415"}))  # a coding, also where the type is the right one
    failures: Object = {status: ref("responses/Problem") for status in problems}
    return {
        "operationId": operation_id,
        "summary": summary,
        **members,
        "responses": {**responses, **failures},
    }


def response(description: str, schema: Json) -> Object:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def body(content_type: str, schema: Json) -> Object:
    return {"required": True, "content": {content_type: {"schema": schema}}}


def parameter(name: str, where: str, schema: Json) -> Object:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def ref(name: str) -> Object:
    return {"$ref": f"#/components/{name}"}


def shape(**properties: Json) -> Object:
    required: list[Json] = list(properties)
    return {"type": "object", "properties": properties, "required": required}


def array(items: Json) -> Object:
    return {"type": "array", "items": items}
