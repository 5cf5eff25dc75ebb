"""Uploads of signed captures: POST /v1/captures answers with a receipt of the log."""

from __future__ import annotations

import json

from flask import Blueprint, Response, g, request

from authn.web.answers import services, uncached
from authn.web.uploads import read_media

captures = Blueprint("captures", __name__, url_prefix="/v1")
captures.after_request(uncached)


@captures.post("/captures")
def take() -> Response:
    """Verify a signed, stamped capture of the device that sends it, log it, and answer with the receipt."""
    taken = services().captures.take(read_media(request, services().settings), g.principal)
    body = {
        "receipt": taken.receipt.text(),
        "index": taken.receipt.index,
        "log_key": taken.log_key,
        "counter": taken.counter,
        "counter_also_in": list(taken.others),
    }
    if taken.recovery is not None:
        body["recovery"] = taken.recovery
    return Response(json.dumps(body), status=201, content_type="application/json")
