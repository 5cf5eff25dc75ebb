"""The Soft Binding Resolution API in the OpenAPI description, with the names that C2PA gave its parts."""

from __future__ import annotations

from authn.core.plain import Json
from authn.web.openapi_parts import Object, array, binary, body, operation, parameter, ref, response, shape

MANIFEST_TYPE = "application/c2pa"


def recovery_paths() -> Object:
    text: Json = {"type": "string"}
    most = parameter("maxResults", "query", {"type": "integer", "minimum": 1, "default": 10})
    query: Json = [_needed("alg"), _needed("value"), most]
    hints: Json = [parameter(name, "query", text) for name in ("alg", "hintAlg", "hintValue")]
    found: Object = {"200": response("What looks like it, the nearest first.", ref("schemas/Matches"))}
    wrong = ("400", "404", "503")
    pictures: Json = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "/v1/matches/byBinding": {
            "get": operation(
                "queryByBinding", "Photos whose hash is near this one", found, wrong, parameters=query
            ),
            "post": operation(
                "queryByLargeBinding",
                "The same, asked in a body",
                found,
                (*wrong, "413"),
                parameters=[most],
                requestBody=body("application/json", shape(alg=text, value=text)),
            ),
        },
        "/v1/matches/byContent": {
            "post": operation(
                "uploadFile",
                "Photos that were signed here and that a picture looks like",
                found,
                (*wrong, "408", "413", "415", "422"),
                parameters=[*list(hints), most],  # type: ignore[arg-type]
                requestBody={"required": True, "content": pictures},
            )
        },
        "/v1/manifests/{manifest_id}": _manifest(),
        **_services(),
    }


def _manifest() -> Object:
    by_id = parameter("manifest_id", "path", {"type": "string"})
    alone = parameter("returnActiveManifest", "query", {"type": "boolean", "default": False})
    store: Object = {"200": binary("The manifest store.", MANIFEST_TYPE)}
    gone: Object = {"204": {"description": "It is gone."}}
    return {
        "get": operation(
            "getManifestById",
            "The manifest store of a capture",
            store,
            ("400", "404", "503"),
            parameters=[by_id, alone],
        ),
        "delete": operation(
            "deleteManifest",
            "Delete what a capture looks like, and its manifest",
            gone,
            ("404", "503"),
            parameters=[by_id],
        ),
    }


def _services() -> Object:
    text: Json = {"type": "string"}
    algs = array(shape(alg=text))
    able = shape(c2paSpecificationVersion=text, supportedCapabilities=array(text))
    state = shape(status={"enum": ["ok", "degraded", "down"]}, timestamp=text)
    where = shape(
        apiEndpoint=text, c2paSpecificationVersion=text, capabilitiesEndpoint=text, statusEndpoint=text
    )
    rows = (
        ("/v1/services/supportedAlgorithms", "getSupportedBindings", "What a query may bring",
         shape(watermarks=algs, fingerprints=algs)),
        ("/v1/services/capabilities", "getServiceCapabilities", "Which optional routes are here", able),
        ("/v1/services/status", "getServiceStatus", "Whether look-ups work now", state),
        ("/.well-known/c2pa-soft-binding-resolution", "getWellKnown", "Where the routes are", where),
    )  # fmt: skip
    return {
        path: {"get": operation(name, summary, {"200": response("It.", schema)}, ())}
        for path, name, summary, schema in rows
    }


def matches_schema() -> Object:
    """``c2pa.softBindingQueryResult``, with ours beside C2PA's members."""
    match = shape(
        manifestId={"type": "string"},
        similarityScore={"type": "integer", "minimum": 0, "maximum": 100},
        recovered=ref("schemas/ReportRecovered"),
    )
    return {
        "type": "object",
        "properties": {"matches": array(match), "not_examined": {"type": "string"}},
        "required": ["matches"],
    }


def _needed(name: str) -> Object:
    return {**parameter(name, "query", {"type": "string"}), "required": True}
