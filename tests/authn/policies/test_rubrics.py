"""The Asset Rubrics of C2PA say here what their own evaluators say, and crJSON is what the reader gives."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest

from authn.cli.forms import refuse_unwritten
from authn.core.errors import ExaminationFailed
from authn.core.plain import Json
from authn.core.report import report_json
from authn.examine.examination import labelled
from authn.examine.examiner import Examiner
from authn.examine.labelling import NOT_WRITTEN
from authn.examine.request import MAX_CRJSON_BYTES, Examined
from authn.pki.roots import TrustRoots
from authn.policies.rubrics.rubric import (
    CONFORMANCE,
    DEFAULT,
    FAILED_EXIT,
    INTEGRITY,
    RUBRICS,
    SIGNALS,
    labels,
    rubric,
)
from authn.policies.shelf import read_policy
from authn.provenance.engines import Encypher
from tests.authn.policies.made import rubric_file
from tests.conftest import ROOT
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for, media, signed_photo

# Made by the published evaluators with adobe/json-formula-py; see tests/vectors/README.md.
PUBLISHED = json.loads((ROOT / "tests" / "vectors" / "rubrics" / "published.json").read_text())
SCHEMA = json.loads((ROOT / "docs/formats/report.schema.json").read_text())


def said(document: Json, key: str) -> dict[str, str]:
    return {
        label.id.partition(":")[2]: "warning" if label.warns else "true" if label.value else "false"
        for label in labels(document, (key,))
    }


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_every_label_is_that_of_the_published_evaluators(name: str) -> None:
    published = PUBLISHED[name]
    for key in (INTEGRITY, *CONFORMANCE):
        assert said(published["crjson"], key) == published["labels"][key]
    signals = sorted(label.id for label in labels(published["crjson"], (SIGNALS,)))
    assert signals == published["signals"]


def test_the_rubrics_ship_with_their_licence_and_the_digests_of_what_was_published() -> None:
    notice = (
        resources.files("authn.policies.rubrics").joinpath("c2pa", "NOTICE.md").read_text(encoding="utf-8")
    )
    assert "Attribution 4.0" in notice
    assert {len(rubric(key).sha256) for key in RUBRICS} == {64}
    assert {rubric(key).version for key in RUBRICS} == {"1.0"}


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def test_a_signed_photo_is_captured_media_in_the_words_of_c2pa(pki: TestPki) -> None:
    examiner, signed = examiner_for(pki), media(signed_photo(pki.leaf()))
    crjson = examiner.crjson(signed)
    assert crjson is not None
    document = json.loads(crjson)
    assert document["manifests"][0]["validationResults"]["specVersion"]
    examined = labelled(Examined(report=examiner.examine(signed), preview_jpeg=None), crjson)
    found = {label.id: label for label in examined.report.run.rubrics or ()}
    assert found["inception:signal_capturedMedia"].text == "Contains Captured Media"
    assert found["inception:signal_capturedMedia"].manifest == document["manifests"][0]["label"]
    assert found["validation:valid_success"].value is True
    jsonschema.validate(report_json(examined.report), SCHEMA)


def test_a_file_without_a_credential_has_no_crjson_and_no_label(pki: TestPki) -> None:
    examiner, plain = examiner_for(pki), media(photo())
    assert examiner.crjson(plain) is None
    examined = labelled(Examined(report=examiner.examine(plain), preview_jpeg=None), None)
    assert (examined.crjson, examined.report.run.rubrics) == (None, ())


def test_a_credential_that_has_no_crjson_is_not_examined_and_never_said_to_be_absent(pki: TestPki) -> None:
    signed = examiner_for(pki).examine(media(signed_photo(pki.leaf())))
    for unwritten in (None, b"{", b" " * (MAX_CRJSON_BYTES + 1)):
        examined = labelled(Examined(report=signed, preview_jpeg=None), unwritten)
        assert (examined.crjson, examined.report.run.rubrics) == (None, ())
        assert NOT_WRITTEN in examined.report.not_examined
        with pytest.raises(ExaminationFailed):
            refuse_unwritten(examined)
    plain = Examined(report=examiner_for(pki).examine(media(photo())), preview_jpeg=None)
    assert NOT_WRITTEN not in labelled(plain, None).report.not_examined
    refuse_unwritten(plain)


def test_a_rubric_of_ones_own_does_not_pass_a_credential_that_nobody_could_show_it(pki: TestPki) -> None:
    """An engine that cannot write crJSON stands for a file of which c2pa-rs cannot."""
    forbids: Json = {"id": "desk:one", "expression": "a", "failIfMatched": True, "reportText": "It is so."}
    roots = TrustRoots(signer=pki.device_roots, tsa=pki.tsa_roots)
    policy = read_policy(rubric_file(forbids), "desk.json")
    examiner = Examiner(roots=roots, engines=(Encypher(roots),), policy=policy)
    report = examiner.examine(media(signed_photo(pki.leaf())))
    assert [(x.value, x.exit_code) for x in report.run.rubrics or ()] == [(None, FAILED_EXIT)]
    assert NOT_WRITTEN in report.not_examined
    assert examiner.examine(media(photo())).run.rubrics == ()


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"manifests": 5}, {"manifests": [None, {"label": 5}, {"label": "x", "assertions": []}]},
     {"manifests": [{"label": "x", "assertions": {"c2pa.ingredient.v3": {"activeManifest": 7}}}]}],
    ids=str,
)  # fmt: skip
def test_what_is_no_crjson_gives_labels_and_no_error(document: Json) -> None:
    assert len(labels(document, DEFAULT)) >= len(rubric(INTEGRITY).statements)
