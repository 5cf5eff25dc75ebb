"""Every error as RFC 9457 ``application/problem+json``; no traceback and no path of this machine leaves.

The third and last place where any exception is caught: it becomes a 500 here and a traceback in the log.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import cast

from flask import Flask, Response, current_app
from werkzeug.exceptions import HTTPException

from authn.errors import AuthnError

HTTP_CODES = {
    400: "assay.request.bad",
    401: "assay.request.unauthenticated",
    404: "assay.request.notFound",
    405: "assay.request.methodNotAllowed",
    408: "assay.request.timeout",
    413: "assay.request.tooLarge",
    415: "assay.request.unsupportedType",
}
OTHER_HTTP_CODE = "assay.request.refused"
RETRY_AFTER_S = 5


def register(app: Flask) -> None:
    """Answer every exception of a view, and every refusal of the router, with a problem."""
    app.register_error_handler(Exception, _answer)


def problem(status: int, code: str, detail: str, **members: object) -> Response:
    """One RFC 9457 object; ``members`` are extension members (section 3.2)."""
    body = {
        "type": f"urn:assay:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    response = Response(json.dumps(body), status=status, content_type="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _answer(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, AuthnError) and error.http_status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return problem(error.http_status, error.code, error.detail)
    current_app.logger.error("unexpected error while answering", exc_info=error)
    return problem(500, AuthnError.code, "the service failed; its log has the details")


def _http(error: HTTPException) -> Response:
    original = cast(Response, error.get_response())
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return original
    detail = error.description or HTTPStatus(error.code).phrase
    response = problem(error.code, HTTP_CODES.get(error.code, OTHER_HTTP_CODE), detail)
    if "Allow" in original.headers:
        response.headers["Allow"] = original.headers["Allow"]
    return response
