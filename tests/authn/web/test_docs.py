"""docs/http-api.md names every route and every status and code that the service answers with."""

from __future__ import annotations

import re

from authn.core import errors
from authn.web.openapi import openapi_document
from authn.web.problems import HTTP_CODES
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")


def test_the_table_of_routes_is_the_description() -> None:
    table = set(re.findall(r"^\| `([A-Z]+) (/\S+)` \|", TEXT, re.MULTILINE))
    described = {(m.upper(), path) for path, item in openapi_document()["paths"].items() for m in item}
    assert table == described


def test_every_code_of_the_router_is_explained_with_its_status() -> None:
    rows = dict(re.findall(r"^\| (\d{3}) \| (.+?) \|", TEXT, re.MULTILINE))
    for status, code in HTTP_CODES.items():
        assert f"`{code}`" in rows[str(status)]


def test_codes_and_statuses_in_the_table_are_those_of_the_errors() -> None:
    known = {
        e.code: e.http_status for e in vars(errors).values() if isinstance(e, type) and hasattr(e, "code")
    }
    rows = re.findall(r"^\| (\d{3}) \| (.+?) \|", TEXT, re.MULTILINE)
    named = [(code, int(status)) for status, codes in rows for code in re.findall(r"`([\w.]+)`", codes)]
    assert len(named) >= 15
    for code, status in named:
        assert known.get(code, status) == status, code
        assert code in known or code in HTTP_CODES.values(), code
