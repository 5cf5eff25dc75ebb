"""The public faces of the two libraries: light to import, whole, documented, and as docs/api says."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from tests.conftest import ROOT
from tests.house.api_doc import FOLDER, PAGES, ast_docstring, homes, page

FACES = [face for faces in PAGES.values() for face in faces]


@pytest.mark.parametrize("face", FACES)
def test_every_name_of_a_face_is_that_of_the_module_it_is_imported_from(face: str) -> None:
    package = import_module(face)
    listed = [name for names in homes(face).values() for name in names]
    assert sorted(listed) == sorted(package.__all__) == sorted(set(listed))
    for module, names in homes(face).items():
        for name in names:
            assert getattr(package, name) is getattr(import_module(module), name), name


@pytest.mark.parametrize("face", FACES)
def test_what_a_face_gives_says_what_it_does(face: str) -> None:
    for module, names in homes(face).items():
        for name in names:
            thing = getattr(import_module(module), name)
            if inspect.isfunction(thing):
                assert thing.__doc__, name
            if inspect.isclass(thing) and not getattr(thing, "__dataclass_fields__", None):
                assert ast_docstring(thing) or issubclass(thing, Exception), name


def test_a_face_is_loaded_name_by_name() -> None:
    program = (
        "import sys, signer, signer.proof\n"
        "assert not {'cryptography', 'c2pa', 'cbor2'} & set(sys.modules)\n"
        "signer.proof.read_manifest\n"
        "assert 'signer.proof.timestamp' not in sys.modules\n"
        "try: signer.nothing\n"
        "except AttributeError as e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "module 'signer' has no attribute 'nothing'\n", done.stderr


@pytest.mark.parametrize("title", PAGES)
def test_the_api_pages_are_those_of_the_code(title: str) -> None:
    assert (FOLDER / f"{title}.md").read_text(encoding="utf-8") == page(title), (
        "run: python -m tests.house.api_doc"
    )
