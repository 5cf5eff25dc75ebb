"""Is the process alive, and can it do its work now?"""

from __future__ import annotations

import json

from flask import Blueprint, Response

from authn.core.errors import Unavailable
from authn.core.holds import confinement_json
from authn.examine.detectors import detectors_json
from authn.web.api import services
from authn.web.problems import refusal

health = Blueprint("health", __name__)


@health.get("/healthz")
def alive() -> Response:
    """Answers as long as the process does."""
    return Response('{"status":"ok"}', content_type="application/json", headers={"Cache-Control": "no-store"})


@health.get("/readyz")
def ready() -> Response:
    """Database, authorities and examiner are usable, or 503 with a sentence for each that is not; what holds
    the examiner too, and which learned detectors it has."""
    reasons = services().why_not_ready()
    if reasons:
        return refusal(503, Unavailable.code, "; ".join(reasons), reasons=list(reasons))
    status = {
        "status": "ready",
        "confinement": confinement_json(services().examinations.holds),
        "detectors": detectors_json(services().settings, services().detectors),
    }
    return Response(
        json.dumps(status), content_type="application/json", headers={"Cache-Control": "no-store"}
    )
