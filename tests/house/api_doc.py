"""Writes docs/api from the public faces of the two libraries: ``python -m tests.house.api_doc``.

A face is a package whose ``__init__`` has ``__all__``. What stands there of a name is its signature and its
docstring; the order is that of the package's own imports, module by module.
"""

from __future__ import annotations

import ast
import enum
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from tests.conftest import ROOT
from tests.house.source import parsed

FOLDER = ROOT / "docs" / "api"
PAGES = {"signer": ("signer", "signer.proof", "signer.keys"), "detector": ("detector",)}
WIDTH = 96
MARK = "Generated from the code: `python -m tests.house.api_doc`."


def homes(face: str) -> dict[str, list[str]]:
    """Which module gives which names, in the order of the package's own imports; its own names first."""
    package = import_module(face)
    public = set(package.__all__)
    found: dict[str, list[str]] = {}
    for node in ast.walk(parsed(Path(str(package.__file__)))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module, []).extend(a.name for a in node.names if a.name in public)
    own = sorted(public.difference(*found.values()))
    return {module: names for module, names in {face: own, **found}.items() if names}


def page(title: str) -> str:
    parts = [f"# {title}", "", MARK, ""]
    for face in PAGES[title]:
        parts += [f"## {face}", "", *_text(import_module(face)), ""]
        for module, names in homes(face).items():
            if module != face:
                parts += [f"### {module}", "", *_text(import_module(module), whole=False), ""]
            for name in names:
                parts += [f"#### {name}", "", *_entry(name, getattr(import_module(module), name))]
    return "\n".join(parts).rstrip() + "\n"


def _entry(name: str, thing: object) -> Iterator[str]:
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        yield from _described(f"class {name}: {', '.join(m.name for m in thing)}", thing)
    elif inspect.isclass(thing) and issubclass(thing, Exception):
        yield from _described(f"class {name}({thing.__mro__[1].__name__})", thing)
    elif inspect.isclass(thing):
        yield from _class(name, thing)
    elif inspect.isfunction(thing):
        yield from _described(_called(name, thing), thing)
    else:
        value = f" = {thing!r}" if isinstance(thing, str | int | float) else ""
        yield from _described(f"{name}: {type(thing).__name__}{value}", None)


def _class(name: str, cls: type) -> Iterator[str]:
    protocol = getattr(cls, "_is_protocol", False)
    yield from _described(f"class {name}(Protocol)" if protocol else f"class {_called(name, cls)}", cls)
    for member, value in vars(cls).items():
        if isinstance(value, property) and not member.startswith("_"):
            yield from _described(f"{name}.{member}: {value.fget.__annotations__['return']}", value)
        elif inspect.isfunction(value) and not member.startswith("_"):
            yield from _described(_called(f"{name}.{member}", value), value)


def _described(code: str, thing: object) -> Iterator[str]:
    yield from ("```python", code, "```", "")
    if thing is not None and (text := list(_text(thing))):
        yield from (*text, "")


def _called(name: str, thing: object) -> str:
    """A call as it is written, one parameter a line where it does not fit on one."""
    signature = inspect.signature(thing)  # type: ignore[arg-type]
    shown = list(_parameters(p for p in signature.parameters.values() if p.name != "self"))
    returns = "" if inspect.isclass(thing) else f" -> {signature.return_annotation}"
    whole = f"{name}({', '.join(shown)}){returns}"
    if len(whole) <= WIDTH:
        return whole
    return "\n".join([f"{name}(", *(f"    {p}," for p in shown), f"){returns}"])


def _parameters(parameters: Iterable[inspect.Parameter]) -> Iterator[str]:
    starred = False
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not starred:
            yield "*"
        starred = starred or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        prefix = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        annotation = "" if p.annotation is p.empty else f": {p.annotation}"
        # What has no spelling of its own would bear an address.
        default = "" if p.default is p.empty else f" = {re.sub('^<.*>$', '...', repr(p.default))}"
        yield f"{prefix}{p.name}{annotation}{default}"


def _text(thing: object, *, whole: bool = True) -> Iterator[str]:
    """A docstring as Markdown, or its first paragraph. None where a class has none of its own."""
    if inspect.isclass(thing) and not ast_docstring(thing):
        return
    text = (inspect.getdoc(thing) or "").replace("``", "`")
    yield from (text if whole else text.partition("\n\n")[0]).splitlines()


def ast_docstring(cls: type) -> str:
    """What the source says; a dataclass or a protocol without a docstring would get a made one."""
    tree = parsed(Path(str(sys.modules[cls.__module__].__file__)))
    nodes = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    return next((ast.get_docstring(n) or "" for n in nodes), "")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for title in PAGES:
        (FOLDER / f"{title}.md").write_text(page(title), encoding="utf-8")
