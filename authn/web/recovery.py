"""The C2PA Soft Binding Resolution API 2.4, over what this service keeps of captures (docs/recovery.md).

A match says that a picture looks like a photo that was signed here, with the log's receipt for that photo.
"""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request, url_for

from authn.core.errors import BadRequest, NotFound, UnsupportedMedia
from authn.core.instants import instant
from authn.core.likeness import HASH_BITS, Recovered, Viewer
from authn.core.plain import Json
from authn.core.report import recovered_json
from authn.web.answers import json_answer, services, uncached, viewer
from authn.web.uploads import parse_flag, read_media, read_object, string_fields

if TYPE_CHECKING:
    from authn.recovery.lookup import Recovery

ALG = "org.assay.pdq.1"
SPECIFICATION = "2.4.0"
MANIFEST_TYPE = "application/c2pa"
MAX_QUERY_BYTES = 4096
USUAL_ANSWERS = 10
MOST_ANSWERS = 50

recovery = Blueprint("recovery", __name__)
recovery.after_request(uncached)


@recovery.get("/v1/matches/byBinding")
def by_binding() -> Response:
    """Photos whose hash lies near the one in the query."""
    return _by_hash(request.args.get("alg", ""), request.args.get("value", ""))


@recovery.post("/v1/matches/byBinding")
def by_large_binding() -> Response:
    """The same, asked in a body."""
    alg, value = string_fields(read_object(request, MAX_QUERY_BYTES), ("alg", "value"))
    return _by_hash(alg, value)


@recovery.post("/v1/matches/byContent")
def by_content() -> Response:
    """Photos that a picture looks like."""
    most, seen_by, hint = _most(), _viewer(), _hint()
    if request.args.get("alg", ALG) != ALG:
        raise BadRequest(f"the one algorithm here is {ALG}")
    media = read_media(request, services().settings)
    looks = services().examinations.looks_of(media)
    if not media.media_type.startswith("image/"):
        raise UnsupportedMedia(f"{media.media_type} is no picture, and pictures are compared here")
    found = _recovery().look_up(looks, seen_by, most, but=media.sha256)
    if hint is not None:
        seen = {f.record_sha256 for f in found}
        nearby = _recovery().look_up_hash(hint, seen_by, most)
        found += tuple(f for f in nearby if f.record_sha256 not in seen)
    return _matches(found[:most], looks.nothing_to_compare)


@recovery.get("/v1/manifests/<manifest_id>")
def manifest(manifest_id: str) -> Response:
    """The manifest store of a capture, or its active manifest alone."""
    alone = parse_flag("returnActiveManifest", request.args.get("returnActiveManifest")) or False
    store = _recovery().manifest(manifest_id, _viewer(), alone=alone)
    return Response(store, content_type=MANIFEST_TYPE)


@recovery.delete("/v1/manifests/<manifest_id>")
def forget(manifest_id: str) -> Response:
    """Delete what a capture looks like, and its manifest."""
    _recovery().forget(manifest_id, _viewer())
    return Response(status=HTTPStatus.NO_CONTENT)


@recovery.get("/v1/services/supportedAlgorithms")
def algorithms() -> Response:
    """What a query may bring: no watermark, one fingerprint."""
    ours: list[Json] = [] if services().recovery is None else [{"alg": ALG}]
    return json_answer({"watermarks": [], "fingerprints": ours})


@recovery.get("/v1/services/capabilities")
def capabilities() -> Response:
    """Which of the optional routes are here."""
    able: list[Json] = [] if services().recovery is None else ["queryByContent"]
    return json_answer({"c2paSpecificationVersion": SPECIFICATION, "supportedCapabilities": able})


@recovery.get("/v1/services/status")
def status() -> Response:
    """Whether everything works that look-ups need."""
    well = services().recovery is not None and not services().why_not_ready()
    now = instant(services().clock())
    return json_answer({"status": "ok" if well else "degraded", "timestamp": now})


@recovery.get("/.well-known/c2pa-soft-binding-resolution")
def discovery() -> Response:
    """Where the routes are."""
    return json_answer(
        {
            "apiEndpoint": "/v1",
            "c2paSpecificationVersion": SPECIFICATION,
            "capabilitiesEndpoint": url_for("recovery.capabilities"),
            "statusEndpoint": url_for("recovery.status"),
        }
    )


def _by_hash(alg: str, value: str) -> Response:
    return _matches(_recovery().look_up_hash(_hash(alg, value), _viewer(), _most()), "")


def _hash(alg: str, value: str) -> bytes:
    """Raises ``BadRequest`` for another algorithm, and for what is no hash of it."""
    if alg != ALG:
        raise BadRequest(f"alg is {alg[:80]!r}, and the one algorithm here is {ALG}")
    try:
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as e:
        raise BadRequest("value is not base64") from e
    if len(found) * 8 != HASH_BITS:
        raise BadRequest(f"value has {len(found)} bytes; a hash of {ALG} has {HASH_BITS // 8}")
    return found


def _hint() -> bytes | None:
    """The hash that came along with a picture, if there is one."""
    alg, value = request.args.get("hintAlg"), request.args.get("hintValue")
    if alg is None and value is None:
        return None
    return _hash(alg or "", value or "")


def _most() -> int:
    text = request.args.get("maxResults")
    if text is None:
        return USUAL_ANSWERS
    if not (text.isascii() and text.isdigit() and int(text[:9]) >= 1):
        raise BadRequest("maxResults must be a whole number from 1 on")
    return min(int(text[:9]), MOST_ANSWERS)


def _recovery() -> Recovery:
    """Raises ``NotFound`` where the operator keeps nothing to recover by."""
    found = services().recovery
    if found is None:
        raise NotFound("this service keeps nothing that captures could be found again by")
    return found


def _viewer() -> Viewer:
    """The gate has let them in, so somebody sees something; raises ``NotFound`` all the same."""
    found = viewer()
    if found is None:
        raise NotFound("there is nothing here that you may see")
    return found


def _matches(found: tuple[Recovered, ...], why_not: str) -> Response:
    """As the API has it, with what its schema leaves room for: our words, and why nothing was compared."""
    matches: list[Json] = [
        {
            "manifestId": f.manifest_id,
            "similarityScore": round(100 * (f.bits - f.distance) / f.bits),
            "recovered": recovered_json(f),
        }
        for f in found
    ]
    answer: dict[str, Json] = {"matches": matches}
    return json_answer({**answer, "not_examined": why_not} if why_not else answer)
