"""Pages of the service: the templates, and how an answer for a browser is dressed."""

from __future__ import annotations

from functools import cache

from flask import Response, request, url_for
from jinja2 import ChoiceLoader, Environment, PackageLoader

from authn.report.html import content_security_policy, environment
from authn.report.language import ENGLISH, LANGUAGES


@cache
def templates() -> Environment:
    """The templates of pages on top of those of reports, with the same escaping."""
    return environment().overlay(
        loader=ChoiceLoader([PackageLoader("authn.web"), PackageLoader("authn.report")])
    )


def page(text: str, *, script: bool = False, policy: str | None = None, spoken: str = ENGLISH) -> Response:
    """HTML that may load nothing but what the service itself serves, or what its own ``policy`` names."""
    response = Response(text, content_type="text/html; charset=utf-8")
    allowed = policy or content_security_policy(script=script)
    response.headers["Content-Security-Policy"] = f"{allowed}; frame-ancestors 'none'"
    response.headers["Content-Language"] = spoken
    response.headers["Vary"] = "Accept-Language"
    return response


def language() -> str:
    """The language of a page: what the address asks for (``?lang=``), else the browser, else English."""
    asked = request.args.get("lang", "")
    return asked if asked in LANGUAGES else request.accept_languages.best_match(list(LANGUAGES), ENGLISH)


def asked_language() -> str | None:
    """The language that the address asked for, to be carried on; None where it named none."""
    asked = request.args.get("lang", "")
    return asked if asked in LANGUAGES else None


def other_languages(
    endpoint: str, report_id: str | None = None, original: str | None = None
) -> tuple[tuple[str, str, str], ...]:
    """Code, name and address of the page in each language but this one."""
    others = [(code, name) for code, name in LANGUAGES.items() if code != language()]
    return tuple(
        (code, name, url_for(endpoint, report_id=report_id, original=original, lang=code))
        for code, name in others
    )


def switch() -> tuple[tuple[str, str, str], ...]:
    """Code, name and address of this very page in each other language; none of a page that a form led to."""
    if request.method not in ("GET", "HEAD"):
        return ()
    return tuple((code, name, f"?lang={code}") for code, name in LANGUAGES.items() if code != language())


def wants_page() -> bool:
    """Whether a browser asks: whoever takes anything, or says nothing, is a program."""
    offered = ["application/problem+json", "text/html"]
    return request.accept_mimetypes.best_match(offered) == "text/html"
