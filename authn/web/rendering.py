"""Pages of the service: the templates, and how an answer for a browser is dressed."""

from __future__ import annotations

from functools import cache

from flask import Response, request
from jinja2 import ChoiceLoader, Environment, PackageLoader

from authn.report.html import content_security_policy, environment


@cache
def templates() -> Environment:
    """The templates of pages on top of those of reports, with the same escaping."""
    return environment().overlay(
        loader=ChoiceLoader([PackageLoader("authn.web"), PackageLoader("authn.report")])
    )


def page(text: str, *, script: bool = False) -> Response:
    """HTML that may load nothing but what the service itself serves."""
    response = Response(text, content_type="text/html; charset=utf-8")
    policy = f"{content_security_policy(script=script)}; frame-ancestors 'none'"
    response.headers["Content-Security-Policy"] = policy
    return response


def wants_page() -> bool:
    """Whether a browser asks: whoever takes anything, or says nothing, is a program."""
    offered = ["application/problem+json", "text/html"]
    return request.accept_mimetypes.best_match(offered) == "text/html"
