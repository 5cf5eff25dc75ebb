"""``assay policy`` and ``--policy``: what docs/policies.md shows is what happens."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from authn.cli.fail_on import exit_code
from authn.core.errors import PolicyError
from authn.core.report import Level, PolicyStatement, StatementKind
from authn.policies.reading import parse_policy
from authn.policies.rubrics.rubric import FAILED_EXIT
from tests.authn.policies.made import policy_file, rubric_file, statement
from tests.conftest import ROOT
from tests.doubles.commands import Shell
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, pem_of
from tests.doubles.signed import examiner_for, media, signed_photo, stamped_photo

PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
TOML_BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ROOTS = ("--signer-roots", "roots.pem", "--tsa-roots", "tsa.pem", "--no-heuristics")


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def ok(shell: Shell, *arguments: str) -> str:
    ended = shell(*arguments)
    assert ended.code == 0, ended.said
    return ended.out


@pytest.fixture
def photos(shell: Shell, pki: TestPki) -> Path:
    signed = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())
    (shell.cwd / "photo.jpg").write_bytes(signed)
    (shell.cwd / "plain.jpg").write_bytes(photo())
    (shell.cwd / "roots.pem").write_bytes(pem_of(*pki.device_roots))
    (shell.cwd / "tsa.pem").write_bytes(pem_of(*pki.tsa_roots))
    return shell.cwd


def test_every_policy_on_the_page_is_one() -> None:
    assert len(TOML_BLOCKS) >= 3
    for block in TOML_BLOCKS:
        parse_policy(block.encode(), "the page")


def test_the_commands_on_the_page_do_what_it_says(shell: Shell, photos: Path) -> None:
    (photos / "ours.toml").write_text(TOML_BLOCKS[0])
    assert "insurer" in ok(shell, "policy", "list")
    shown = ok(shell, "policy", "show", "newsroom")
    assert parse_policy(shown.encode(), "shown").name == "assay-newsroom"
    assert "ours.toml: desk 1, 3 statements" in ok(shell, "policy", "check", "ours.toml")
    tried = ok(shell, "policy", "try", "ours.toml", "photo.jpg", "--language", "de", *ROOTS)
    assert "true           desk.signed [cryptographic] (note)" in tried
    assert "hat diese Datei signiert" in tried


def test_a_bad_file_is_told_with_its_line_and_ends_with_2(shell: Shell, photos: Path) -> None:
    (photos / "bad.toml").write_bytes(
        policy_file(statement(id="made.x", kind="heuristic", warns_of=["synthetic"], true="a", false="b"))
    )
    why = "bad.toml, line 4 (made.x): a heuristic statement has no false [assay.policy.malformed]"
    for command in (("policy", "check", "bad.toml"), ("verify", "plain.jpg", "--policy", "bad.toml")):
        ended = shell(*command)
        assert (ended.code, why in ended.said) == (PolicyError.exit_code, True)
    assert shell("verify", "plain.jpg", "--policy", "nowhere").code == PolicyError.exit_code


def test_verify_exits_as_the_policy_says_and_a_bundle_keeps_it(shell: Shell, photos: Path) -> None:
    ended = shell("verify", "plain.jpg", "--policy", "insurer", "--json", *ROOTS)
    report = json.loads(ended.out)
    assert ended.code == 11
    assert report["tool"]["policy"]["name"] == "assay-insurer 2"
    ok(shell, "bundle", "photo.jpg", "--policy", "newsroom", "--out", "photo.zip", *ROOTS)
    assert "repeated byte for byte" in shell("verify", "--bundle", "photo.zip").said


def test_a_policy_adds_to_what_fails_and_never_is_the_callers_word(pki: TestPki) -> None:
    report = examiner_for(pki).examine(media(photo()))
    asks = PolicyStatement(
        id="a.b",
        kind=StatementKind.HEURISTIC,
        value=True,
        level=Level.NONE,
        exit_code=12,
        texts=(("en", "a"),),
    )
    refuted = frozenset({"refuted"})
    assert exit_code(report, refuted) == 0
    assert exit_code(replace(report, policy_statements=(asks,)), refuted) == 12
    assert exit_code(replace(report, policy_statements=(asks,)), frozenset()) == 0


def test_an_audit_judges_by_the_policy_that_is_given(shell: Shell, photos: Path) -> None:
    (folder := photos / "archive").mkdir()
    (folder / "plain.jpg").write_bytes(photo())
    ok(shell, "audit", "archive", "--out", "run", "--policy", "newsroom", "--no-heuristics", "--jobs", "1")
    row = json.loads((photos / "run" / "results.jsonl").read_text().splitlines()[0])
    said = {s["id"]: s["value"] for s in row["policy_statements"]}
    assert said["newsroom.noCredential"] is True


def test_crjson_and_labels_are_printed_beside_our_own_words(shell: Shell, photos: Path) -> None:
    document = json.loads(ok(shell, "verify", "--format", "crjson", "photo.jpg", *ROOTS))
    assert document["manifests"][0]["validationResults"]["failure"] == []
    said = ok(shell, "verify", "--rubrics", "photo.jpg", *ROOTS)
    assert "yes  inception:signal_capturedMedia (signals-local 1.0): Contains Captured Media" in said
    assert said.index("CRYPTOGRAPHIC EVIDENCE") < said.index("LABELS OF C2PA'S ASSET RUBRICS")


NO_SOURCE = rubric_file(
    {
        "id": "desk:no_capture",
        "expression": "_actions()[?digitalSourceType != null].action",
        "failIfMatched": True,
        "reportText": {
            "true": "No action states a source.",
            "false": "An action states a source: {{matches}}",
        },
    },
    expressions={"_actions": "manifests[0].assertions.'c2pa.actions.v2'.actions"},
)


def test_verify_audit_and_bundles_apply_a_rubric_of_ones_own(shell: Shell, photos: Path) -> None:
    (photos / "desk.json").write_bytes(NO_SOURCE)
    (archive := photos / "archive").mkdir()
    (archive / "photo.jpg").write_bytes((photos / "photo.jpg").read_bytes())
    checked = shell("policy", "check", "desk.json")
    assert (checked.code, "desk 1.0.0, an Asset Rubric, 1 statements" in checked.out) == (0, True)
    ended = shell("verify", "archive/photo.jpg", "--policy", "desk.json", "--json", *ROOTS)
    report = json.loads(ended.out)
    (label,) = report["run"]["rubrics"]
    assert (ended.code, label["exit_code"], label["level"]) == (FAILED_EXIT, FAILED_EXIT, "error")
    assert label["text"].startswith("An action states a source: c2pa.")
    assert report["tool"]["policy"]["name"] == "desk 1.0.0"
    assert shell("bundle", "archive/photo.jpg", "--policy", "desk.json", "--out", "b.zip", *ROOTS).code == 0
    assert "repeated byte for byte" in shell("verify", "--bundle", "b.zip").said
    audit = ("audit", "archive", "--out", "run", "--policy", "desk.json", "--jobs", "1", "--no-html", *ROOTS)
    assert shell(*audit).code == FAILED_EXIT
    assert shell(*audit, "--fail-on", "never").code == 0
    assert shell("audit", "export", "run", "--format", "sarif", "--out", "run.sarif").code == 0
    (run,) = json.loads((photos / "run.sarif").read_text())["runs"]
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [("desk:no_capture", "error")]
