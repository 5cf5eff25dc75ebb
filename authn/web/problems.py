"""Every error as RFC 9457 ``application/problem+json``, or as a page where a browser asks; no traceback and
no path of this machine leaves.

The third and last place where any exception is caught: it becomes a 500 here and a traceback in the log.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import cast

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from authn.core.errors import AuthnError
from authn.core.plain import Json
from authn.report.html import content_security_policy
from authn.report.language import speaking, t
from authn.web.rendering import asked_language, language, page, switch, templates, wants_page

HTTP_CODES = {
    400: "assay.request.bad",
    401: "assay.request.unauthenticated",
    404: "assay.request.notFound",
    405: "assay.request.methodNotAllowed",
    408: "assay.request.timeout",
    413: "assay.request.tooLarge",
    415: "assay.request.unsupportedType",
    431: "assay.request.headerTooLarge",
}
OTHER_HTTP_CODE = "assay.request.refused"
RETRY_AFTER_S = 5
ABOUT_FILES = frozenset(
    {"pages.examine", "pages.views_page", "beside.compare", "api.verify", "captures.take"}
)
PAGE_TITLES = {
    "assay.media.tooLarge": "problem.title.tooLarge",
    "assay.request.tooLarge": "problem.title.tooLarge",
    "assay.media.unsupported": "problem.title.unsupported",
    "assay.media.unreadable": "problem.title.unreadable",
    "assay.request.bad": "problem.title.bad",
    "assay.request.crossSite": "problem.title.crossSite",
    "assay.request.notFound": "problem.title.notFound",
    "assay.request.timeout": "problem.title.timeout",
    "assay.unavailable": "problem.title.unavailable",
}


def register(app: Flask) -> None:
    """Answer every exception of a view, and every refusal of the router, with a problem."""
    app.register_error_handler(Exception, _answer)


def problem(status: int, code: str, detail: str, **members: object) -> Response:
    """One RFC 9457 object; ``members`` are extension members (section 3.2)."""
    body = {**problem_object(status, code, detail), **members}
    g.problem_code = code
    if "request_id" in g:
        body["request_id"] = g.request_id
    return _dressed(Response(json.dumps(body), content_type="application/problem+json"), status)


def problem_object(status: int, code: str, detail: str) -> dict[str, Json]:
    """The same as a value, where it stands in another answer."""
    return {
        "type": f"urn:assay:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }


def refusal(status: int, code: str, detail: str, **members: object) -> Response:
    """The same for whoever asks: a page for a browser, a problem for a program."""
    if not wants_page():
        return problem(status, code, detail, **members)
    g.problem_code = code
    asked = asked_language()
    with speaking(language()):
        text = (
            templates()
            .get_template("problem.html.j2")
            .render(
                title=t(_title(code)),
                about_file=(request.endpoint or "") in ABOUT_FILES,
                detail=detail,
                code=code,
                # a Host that is none leaves nothing to build addresses with
                home=f"{request.root_path}/" + (f"?lang={asked}" if asked else ""),
                switch=switch(),
                policy=content_security_policy(),
            )
        )
    return _dressed(page(text, spoken=language()), status)


def _title(code: str) -> str:
    if code == HTTP_CODES[HTTPStatus.NOT_FOUND] and (request.endpoint or "").startswith("pages.report"):
        return "problem.title.noReport"
    return PAGE_TITLES.get(code, "problem.title.other")


def _dressed(response: Response, status: int) -> Response:
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept, Accept-Language"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _answer(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, AuthnError) and error.http_status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return refusal(error.http_status, error.code, error.detail)
    current_app.logger.error("unexpected error while answering", exc_info=error)
    return refusal(500, AuthnError.code, "the service failed; its log has the details")


def _http(error: HTTPException) -> Response:
    original = cast(Response, error.get_response())
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return original
    detail = error.description or HTTPStatus(error.code).phrase
    if error.code == HTTPStatus.NOT_FOUND and wants_page():
        with speaking(language()):
            detail = t("problem.nowhere")
    response = refusal(error.code, HTTP_CODES.get(error.code, OTHER_HTTP_CODE), detail)
    if "Allow" in original.headers:
        response.headers["Allow"] = original.headers["Allow"]
    if error.code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE and "Content-Encoding" in request.headers:
        response.headers["Accept-Encoding"] = "identity"  # RFC 9110, 15.5.16
    return response
