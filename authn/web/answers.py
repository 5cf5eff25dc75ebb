"""What the views below /v1 have in common: the services, who asks, how an answer looks."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from flask import Response, current_app, g, request

from authn.core.likeness import Viewer
from authn.core.plain import Json
from authn.service.recovering import viewer_of
from authn.service.services import Services
from signer.core.digest import sha256_of


def services() -> Services:
    """What ``create_app`` was given."""
    return cast(Services, current_app.extensions["assay"])


def asking() -> str | None:
    """Who asks, as tables hold it; None for strangers."""
    return None if g.principal is None else str(g.principal.name)


def viewer() -> Viewer | None:
    """Whose captures whoever asks may find again."""
    return viewer_of(services().settings, g.principal)


def json_answer(value: Mapping[str, Json], status: int = 200) -> Response:
    """One JSON object."""
    return json_text(json.dumps(value), status)


def json_text(text: str, status: int = 200) -> Response:
    """JSON that is text already."""
    return Response(text, status=status, content_type="application/json")


def conditional(response: Response) -> Response:
    """With its ETag, and 304 without content where the client has it already (RFC 9110, 13.1.2)."""
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(sha256_of(response.get_data()).value.hex())
    return cast(Response, response.make_conditional(request))


def uncached(response: Response) -> Response:
    """For ``after_request``: not to be kept by anybody between, and with its digest."""
    response.headers.setdefault("Cache-Control", "no-store")
    if not response.is_streamed and response.status_code != HTTPStatus.NOT_MODIFIED:
        digest = base64.b64encode(sha256_of(response.get_data()).value).decode()
        response.headers["Content-Digest"] = f"sha-256=:{digest}:"  # RFC 9530
    return response
