"""Uploads of signed captures: POST /v1/captures answers with a receipt of the log."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request

from authn.captures import Captures
from authn.web.api import services
from authn.web.uploads import read_media

captures = Blueprint("captures", __name__, url_prefix="/v1")


@captures.post("/captures")
def take() -> Response:
    """Verify a signed and stamped capture of a registered device, log it, and answer with the receipt."""
    media = read_media(request, services().settings)
    taken = Captures(services().examinations, services().log, services().clock).take(media)
    body = {"receipt": taken.receipt.text(), "index": taken.receipt.index, "log_key": taken.log_key}
    return Response(json.dumps(body), status=201, content_type="application/json")
