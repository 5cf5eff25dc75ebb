"""RFC 3161 over HTTP (section 3.4): a query in, a reply out; a rejection is a reply with status 200 too."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from authn.web.api import services

MAX_QUERY_BYTES = 4096
QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"

tsa = Blueprint("tsa", __name__)


@tsa.post("/tsa")
def stamp() -> Response:
    """Stamp the digest in the query; the data themselves never come here."""
    if request.mimetype != QUERY_TYPE:
        raise UnsupportedMediaType(f"send an RFC 3161 query as {QUERY_TYPE}")
    request.max_content_length = MAX_QUERY_BYTES
    reply = services().tsa.respond(request.get_data(cache=False))
    return Response(reply, content_type=REPLY_TYPE, headers={"Cache-Control": "no-store"})
