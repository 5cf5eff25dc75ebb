"""HTTP, by Flask, and only here. Views parse, call one function, render."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response

from authn.core.config import Settings, is_loopback
from authn.service.services import Services
from authn.web import access, logs, problems, screening
from authn.web import metrics as measured
from authn.web.api import api
from authn.web.batches import batches
from authn.web.beside import beside
from authn.web.board import Board
from authn.web.captures import captures
from authn.web.comparisons import comparisons
from authn.web.enrolment import enrolment
from authn.web.est import est
from authn.web.health import health
from authn.web.jobs import jobs
from authn.web.log import log
from authn.web.openapi import openapi
from authn.web.pages import pages
from authn.web.pki import pki
from authn.web.recovery import recovery
from authn.web.tsa import tsa
from authn.web.uploads import MULTIPART_OVERHEAD_BYTES, MemoryRequest
from authn.web.views import views
from authn.web.webhooks import webhooks

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with it browsers send "Origin: null" with this site's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(services: Services, board: Board | None = None) -> Flask:
    """The application on services that are open already; it opens and closes nothing itself. ``board``: what
    all processes of the service write their numbers on, where there are several."""
    app = Flask(__name__)
    app.request_class = MemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = services.settings.max_media_bytes + MULTIPART_OVERHEAD_BYTES
    app.config["MAX_FORM_PARTS"] = 8
    # werkzeug counts its read buffer (64 KiB) and what is left of the piece before against this limit too: at
    # one buffer's size it refuses files at random.
    app.config["MAX_FORM_MEMORY_SIZE"] = 4 * MULTIPART_OVERHEAD_BYTES
    app.config["TRUSTED_HOSTS"] = trusted_hosts(services.settings)
    app.extensions["assay"] = services
    for blueprint in (api, enrolment, captures, tsa, pki, est, health, log, openapi, pages, recovery):
        app.register_blueprint(blueprint)
    for blueprint in (beside, comparisons, jobs, batches, webhooks, views, measured.metrics):
        app.register_blueprint(blueprint)
    logs.register(app)
    measured.register(app, board or Board(measured.families(), 1))
    problems.register(app)
    screening.register(app, services.settings.public_url)
    access.register(app, services)
    app.before_request(screening.screen_details)
    app.after_request(with_security_headers)
    return app


def trusted_hosts(settings: Settings) -> list[str] | None:
    """Host names that a request may carry, against pages that rebind their own name to this machine.

    None, which is any, where the service listens to others and no public_url says how they call it.
    """
    public = urlsplit(settings.public_url).hostname
    if public is None and not is_loopback(settings.host):
        return None
    hosts = ["localhost", "127.0.0.1", "[::1]"]
    return hosts if public is None else [*hosts, public]


def with_security_headers(response: Response) -> Response:
    """What every answer has where its view did not say otherwise."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if not response.is_streamed and response.calculate_content_length() == 0:
        response.headers.pop("Content-Type", None)  # Flask's own, of what has no content
    return response
