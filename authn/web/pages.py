"""The page for people: drop a photo, read two columns of evidence. Works without JavaScript.

Views parse, call one function, render. An error is a page when a browser asks, a problem document otherwise.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from http import HTTPStatus

from flask import Blueprint, Response, redirect, request, url_for
from jinja2 import ChoiceLoader, Environment, PackageLoader
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from authn.errors import AuthnError
from authn.instants import parse_utc_field
from authn.report.cards import size
from authn.report.html import Links, content_security_policy, environment, render_report
from authn.report.receipt_page import receipt_page_policy, render_receipt_page
from authn.report.visible import visible
from authn.store.verifications import StoredVerification
from authn.web.api import services
from authn.web.problems import HTTP_CODES, OTHER_HTTP_CODE, RETRY_AFTER_S, problem
from authn.web.uploads import read_media, upload_turn

pages = Blueprint("pages", __name__)

PROBLEM_TITLES = {
    "assay.media.tooLarge": "This file is too large",
    "assay.request.tooLarge": "This file is too large",
    "assay.media.unsupported": "This kind of file is not examined",
    "assay.media.unreadable": "This file cannot be read",
    "assay.request.bad": "This request cannot be understood",
    "assay.request.notFound": "There is no such report",
    "assay.unavailable": "The service cannot examine anything right now",
}


@pages.get("/")
def home() -> Response:
    """The drop zone: a plain form."""
    settings = services().settings
    text = (
        _templates()
        .get_template("home.html.j2")
        .render(
            action=url_for("pages.examine"),
            receipt=url_for("pages.receipt"),
            script=url_for("static", filename="drop.js"),
            report_days=settings.report_days,
            largest=size(settings.max_media_bytes),
            policy=content_security_policy(script=True),
        )
    )
    return _page(text, script=True)


@pages.get("/receipt")
def receipt() -> Response:
    """The page that checks receipts in the browser, with the key of this service's log."""
    keys = f"{services().log.verifier}\n"
    response = _page(render_receipt_page(keys, home=url_for("pages.home")))
    response.headers["Content-Security-Policy"] = f"{receipt_page_policy()}; frame-ancestors 'none'"
    return response


@pages.post("/reports")
def examine() -> AnyResponse:
    """Examine one uploaded file, keep its report, and lead to it."""
    with upload_turn():
        media = read_media(request, services().settings)
        as_of = parse_utc(request.form.get("as_of", ""))
        stored = services().examinations.examine(media, as_of=as_of, preview=True)
    return redirect(url_for("pages.report", report_id=stored.id), code=HTTPStatus.SEE_OTHER)


@pages.get("/reports/<report_id>")
def report(report_id: str) -> Response:
    """A report that was given before, for people."""
    stored = _stored(report_id)
    links = Links(home=url_for("pages.home"), json=url_for("pages.report_document", report_id=report_id))
    text = render_report(json.loads(stored.report), stored.preview_jpeg, maps=stored.maps, links=links)
    return _page(text)


@pages.get("/reports/<report_id>/report.json")
def report_document(report_id: str) -> Response:
    """The same report for programs, unchanged."""
    response = Response(_stored(report_id).report, content_type="application/json")
    response.headers["Content-Disposition"] = "attachment; filename=report.json"
    return response


@pages.after_request
def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.errorhandler(AuthnError)
def _refused(error: AuthnError) -> Response:
    if error.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    return _problem(error.http_status, error.code, error.detail)


@pages.errorhandler(HTTPException)
def _http_refused(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    code = HTTP_CODES.get(status, OTHER_HTTP_CODE)
    return _problem(status, code, error.description or HTTPStatus(status).phrase)


def parse_utc(text: str) -> datetime | None:
    """The value of a ``datetime-local`` field, read as UTC; empty is None. Raises ``BadRequest``."""
    return parse_utc_field(text.strip(), "as_of") if text.strip() else None


def _problem(status: int, code: str, detail: str) -> Response:
    if request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) != "text/html":
        return problem(status, code, detail)
    text = (
        _templates()
        .get_template("problem.html.j2")
        .render(
            title=PROBLEM_TITLES.get(code, "This did not work"),
            detail=visible(detail),
            code=code,
            home=url_for("pages.home"),
            policy=content_security_policy(),
        )
    )
    response = _page(text)
    response.status_code = status
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _stored(report_id: str) -> StoredVerification:
    return services().verifications.get(report_id, services().clock())


def _page(text: str, *, script: bool = False) -> Response:
    response = Response(text, content_type="text/html; charset=utf-8")
    policy = f"{content_security_policy(script=script)}; frame-ancestors 'none'"
    response.headers["Content-Security-Policy"] = policy
    return response


@cache
def _templates() -> Environment:
    """The templates of pages on top of those of reports, with the same escaping."""
    return environment().overlay(
        loader=ChoiceLoader([PackageLoader("authn.web"), PackageLoader("authn.report")])
    )
