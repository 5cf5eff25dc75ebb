"""The description is one that tools can work with: requests made from it, and a client made from it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jsonschema
import openapi_python_client
import pytest

from authn.core.errors import ExaminationFailed
from authn.service.access.keys import ApiKeys
from authn.service.access.scopes import SCOPES
from authn.service.services import Services
from authn.web import create_app
from authn.web.openapi import openapi_document
from tests.authn.web.conftest import InlineExaminer
from tests.authn.web.test_jobs import working
from tests.doubles.media import tiny_jpeg
from tests.doubles.witnesses import listening
from tests.fuzz.http import search


@pytest.fixture
def key(services: Services) -> str:
    return ApiKeys(services.engine).create("tool", frozenset(SCOPES), services.clock()).text


def test_whatever_is_sent_every_answer_is_one_that_the_description_names(
    services: Services, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request or two to each operation; many to all by hand: ``python -m tests.fuzz.http 200``."""

    def fail(*_given: object, **_named: object) -> None:
        raise ExaminationFailed("the scripted report is no whole one")

    monkeypatch.setattr(InlineExaminer, "examine", fail)
    found = search(create_app(services), {"Authorization": f"Bearer {key}"}, 1, below="/v1")
    assert found.failures == {}
    paths = {p: item for p, item in openapi_document()["paths"].items() if p.startswith("/v1")}  # type: ignore[union-attr]
    assert set(found.requests) == {f"{m.upper()} {p}" for p, item in paths.items() for m in item}


def test_the_examples_of_the_description_are_what_they_show() -> None:
    document = openapi_document()
    components = document["components"]
    shown = 0
    for name, schema in components["schemas"].items():  # type: ignore[call-overload,index,union-attr]
        for example in schema.get("examples", ()):
            schemas = {"components": components, "$ref": f"#/components/schemas/{name}"}
            jsonschema.validate(example, schemas)
            shown += 1
    assert shown >= 4


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A client as anybody would have it made, imported."""
    (tmp_path / "openapi.json").write_text(json.dumps(openapi_document()))
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    command = [sys.executable, "-m", openapi_python_client.__name__, "generate", "--path", "openapi.json"]
    command += ["--meta", "none", "--output-path", "assay_client", "--config", "config.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("assay_client")
    for name in [n for n in sys.modules if n.partition(".")[0] == "assay_client"]:
        del sys.modules[name]


def test_a_client_that_is_made_from_it_sends_files_and_reads_what_became_of_them(
    made: ModuleType, services: Services, key: str
) -> None:
    def call(name: str, *given: object, **named: object) -> object:
        return importlib.import_module(f"assay_client.api.default.{name}").sync(*given, **named)

    models = importlib.import_module("assay_client.models")
    file = importlib.import_module("assay_client.types").File
    with working(services), listening(create_app(services)) as url:
        client = made.AuthenticatedClient(base_url=url, token=key)
        files = [file(payload=tiny_jpeg(), file_name=f"{n}.jpg", mime_type="image/jpeg") for n in "ab"]
        batch = call("create_batch", client=client, body=models.CreateBatchFilesBody(file=files))
        assert batch.total == 2  # type: ignore[attr-defined]
        while (now := call("get_batch", batch.id, client=client)).state != "done":  # type: ignore[attr-defined]
            assert now.counts.not_examined == 0  # type: ignore[attr-defined]
        listed = call("list_verifications", client=client, limit=1)
        assert (len(listed.verifications), listed.next_cursor is None) == (1, False)  # type: ignore[attr-defined]
        unknown = call("get_job", "0" * 32, client=client)
        assert unknown.code == "assay.job.unknown"  # type: ignore[attr-defined]
