"""Every error is drawn in its tree, has a code of its own, and means the same over HTTP and in a shell."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import authn
import authn.core.errors
import detector.core.errors
import signer.core.errors

TREES = (authn.core.errors, detector.core.errors, signer.core.errors)
# Kinds that only narrow a parent's code for the module that raises and reads them.
NARROWER = {"authn.pki.chains"}
# What lacks tells the one who runs the service; to a client all of it is "not now".
CAUSES = {
    authn.core.errors.FileUnusable,
    authn.core.errors.HomeUnfit,
    authn.core.errors.DatabaseUnusable,
    authn.core.errors.Unreachable,
    authn.core.errors.Busy,
    authn.core.errors.SystemLacking,
    authn.core.errors.ClockUnfit,
}
CODE = re.compile(r"^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)+$")


def classes(module: ModuleType) -> list[type[Exception]]:
    return [
        c
        for _, c in inspect.getmembers(module, inspect.isclass)
        if issubclass(c, Exception) and c.__module__ == module.__name__
    ]


@pytest.mark.parametrize("module", TREES, ids=lambda m: m.__name__)
def test_the_drawing_shows_exactly_the_classes(module: ModuleType) -> None:
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)\b", module.__doc__ or "", re.MULTILINE)
    assert set(drawn) >= {c.__name__ for c in classes(module)}
    lines = [n for n in drawn if hasattr(module, n)]
    assert len(lines) == len(set(lines)) == len(classes(module))


@pytest.mark.parametrize("module", TREES, ids=lambda m: m.__name__)
def test_the_drawing_shows_who_descends_from_whom(module: ModuleType) -> None:
    parents: list[tuple[int, str]] = []
    for line in (module.__doc__ or "").splitlines():
        drawn = re.match(r"^([│├└─ ]*)([A-Z]\w+)\b", line)
        if not drawn or not hasattr(module, drawn.group(2)):
            continue
        depth, name = len(drawn.group(1)), drawn.group(2)
        parents = [(d, n) for d, n in parents if d < depth]
        if parents:
            assert getattr(module, name).__mro__[1].__name__ == parents[-1][1], name
        parents.append((depth, name))


def test_the_statuses_in_the_drawing_are_those_of_the_classes() -> None:
    rows = re.findall(r"^[│├└─ ]*([A-Z]\w+)\s+(\d{3})\s+(\d)", authn.core.errors.__doc__ or "", re.MULTILINE)
    assert len(rows) == len(classes(authn.core.errors))
    for name, status, exit_code in rows:
        error = getattr(authn.core.errors, name)
        assert (error.http_status, error.exit_code) == (int(status), int(exit_code)), name


def test_codes_are_dotted_and_tell_the_errors_of_a_package_apart() -> None:
    for module in TREES:
        codes = [c.code for c in classes(module) if c not in CAUSES]  # type: ignore[attr-defined]
        assert len(codes) == len(set(codes))
        assert all(CODE.match(code) for code in codes)


def test_what_is_unavailable_is_raised_by_its_cause_and_told_by_one_code() -> None:
    assert {c.code for c in CAUSES} == {authn.core.errors.Unavailable.code}
    assert all(c.__mro__[1] is authn.core.errors.Unavailable for c in CAUSES)
    sources = {p: p.read_text(encoding="utf-8") for p in Path(authn.__path__[0]).rglob("*.py")}
    assert [p for p, text in sources.items() if re.search(r"raise Unavailable\b", text)] == []


@pytest.mark.parametrize("package", ["authn", "detector", "signer"])
def test_no_error_is_defined_outside_its_tree(package: str) -> None:
    root = next(m for m in TREES if m.__name__.partition(".")[0] == package)
    base = {"authn": "AuthnError", "detector": "DetectorError", "signer": "SignerError"}[package]
    pending, strays = [getattr(root, base)], []
    while pending:
        error = pending.pop()
        pending += error.__subclasses__()
        if not error.__module__.startswith((root.__name__, "tests.")) and (
            error.__module__ not in NARROWER or error.__mro__[1] is getattr(root, base)
        ):
            strays.append(error)
    assert strays == []
