"""Rubric files of somebody's own: C2PA's are read as published, a hostile one is refused or stops."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from authn.core.errors import PolicyError
from authn.core.plain import Json
from authn.policies.rubric_file import is_rubric, read_rubric
from authn.policies.rubrics.rubric import (
    FAILED_EXIT,
    MAX_MANIFESTS,
    MAX_TEXT,
    NOT_EVALUATED,
    labels_of,
    rubric,
)
from authn.policies.shelf import open_policy, read_policy
from tests.authn.policies.made import rubric_file
from tests.conftest import ROOT

VECTORS = ROOT / "tests" / "vectors" / "rubrics"
PUBLISHED = json.loads((VECTORS / "published.json").read_text())
KEYS = ("integrity", "signals-local", "conformance0.2-spec2.4")
SAYS: Json = {"true": {"en": "It is so."}, "false": {"en": "It is not so: {{matches}}"}}


def said(expression: str, **more: Json) -> Json:
    return {"id": "desk:one", "expression": expression, "reportText": SAYS, **more}


@pytest.mark.parametrize("key", KEYS)
def test_what_c2pa_published_is_read_as_the_one_that_ships(key: str) -> None:
    pytest.importorskip("yaml")
    file = VECTORS / f"asset-rubric-{key}.yml"
    found, ships = read_rubric(file.read_bytes(), file.name), rubric(key)
    assert found.sha256 == ships.sha256
    assert (found.version, found.name, found.variables) == (ships.version, ships.name, ships.variables)
    for document in (one["crjson"] for one in PUBLISHED.values()):
        own = [(x.id, x.value, x.text, x.manifest, x.warns) for x in labels_of(found, document)]
        assert own == [(x.id, x.value, x.text, x.manifest, x.warns) for x in labels_of(ships, document)]


def test_a_match_that_must_not_be_has_a_level_and_an_exit_code_and_so_has_what_could_not_be_looked_for() -> (
    None
):
    fails = rubric_file(said("@.a[?b == `1`].c", failIfMatched=True), {**_warning(), "id": "desk:two"})
    found = read_rubric(fails, "desk.json")
    passed = labels_of(found, {"a": []})
    assert [(x.value, x.level.value, x.exit_code) for x in passed] == [(True, "none", 0)] * 2
    matched = labels_of(found, {"a": [{"b": 1, "c": "that"}]})
    assert [(x.level.value, x.exit_code) for x in matched] == [("error", FAILED_EXIT), ("warning", 0)]
    assert matched[0].text == "It is not so: that"
    for open_ in (said("@.a == `1`", failIfMatched=True), said("keys(@.a)", failIfMatched=True)):
        (label,) = labels_of(read_rubric(rubric_file(open_), "desk.json"), {"a": 1})
        assert (label.value, label.level.value, label.exit_code) == (None, "warning", FAILED_EXIT)


def test_a_signal_that_must_not_be_fails_the_manifest_that_has_it_and_one_that_could_not_be_asked() -> None:
    document: Json = {"manifests": [{"label": "clean", "a": []}, {"label": "marked", "a": [{"b": 1}]}]}
    found = {}
    for expression in ("a[?b == `1`].b", "keys(a)"):
        asked = rubric_file(said(expression, id="desk:signal_one", failIfMatched=True))
        labels = labels_of(read_rubric(asked, "desk.json"), document)
        found[expression] = [(x.manifest, x.value, x.level.value, x.exit_code) for x in labels]
    assert found == {
        "a[?b == `1`].b": [("clean", True, "none", 0), ("marked", False, "error", FAILED_EXIT)],
        "keys(a)": [(m, None, "warning", FAILED_EXIT) for m in ("clean", "marked")],
    }


def test_of_manifests_that_are_too_many_to_be_asked_a_signal_says_so() -> None:
    signal = read_rubric(rubric_file(said("b", id="desk:signal_one")), "desk.json")
    many: list[Json] = [{"label": f"m{i}"} for i in range(MAX_MANIFESTS)]
    assert labels_of(signal, {"manifests": many}) == ()
    (label,) = labels_of(signal, {"manifests": [*many, {"label": "last", "b": 1}]})
    assert (label.value, label.text, label.manifest) == (None, NOT_EVALUATED, "")


def _warning() -> dict[str, Json]:
    return {"id": "desk:one", "expression": "@.a[*].c", "reportText": SAYS, "warnIfMatched": True}


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ({**_warning(), "faiIfMatched": True}, "a statement has no faiIfMatched"),
        (said("now()"), "there is no function now"),
        (said("a", failIfMatched="yes"), "failIfMatched is true or false"),
        ({**_warning(), "reportText": "This is a genuine photo."}, "promises more than evidence can"),
        ({**_warning(), "reportText": "{{expr \"manifests[0]\"}}"}, "placeholder"),
        ({**_warning(), "id": "a b"}, "id is of letters"),
        ({"id": "desk:one", "reportText": "only words"}, "no statement with an expression"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(statement: Json, why: str) -> None:
    with pytest.raises(PolicyError, match=r"desk\.json") as refused:
        read_rubric(rubric_file(statement), "desk.json")
    assert why in refused.value.detail


def test_nothing_is_included_and_no_name_of_the_evaluator_is_taken() -> None:
    for information in (
        {"include": ["/etc/passwd"]},
        {"variables": {"$args": 1}},
        {"expressions": {"a": "b"}},
    ):
        with pytest.raises(PolicyError):
            read_rubric(rubric_file(said("a"), **information), "desk.json")
    with pytest.raises(PolicyError, match="another statement has this id"):
        read_rubric(rubric_file(said("a"), said("b")), "desk.json")


YAML = "rubric_metadata: {name: desk, issuer: A desk, date: 2026-11-30, version: 1.0.0}\n---\n"
STATEMENT = "- id: desk:one\n  expression: a\n  reportText: It is so.\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &a [x]\nb: *a\n", "anchors and aliases"),
        ("a: !!python/object/apply:os.system [id]\n", "tags are not read"),
        ("a: 1\na: 2\n", "each once in a mapping"),
        ("a: {<<: {b: 1}}\n", "each once in a mapping"),
        ("a: " + "[" * 200 + "]" * 200 + "\n", "nested too deeply"),
        ("a: [" + "1," * 30_000 + "]\n", "holds too much"),
        ("a: [1\n", "line"),
        ("a: " + "x" * 300_000 + "\n", "too large"),
    ],
    ids=["aliases", "tags", "keys", "merges", "depth", "count", "broken", "size"],
)
def test_yaml_that_does_more_than_hold_values_is_refused(text: str, why: str) -> None:
    pytest.importorskip("yaml")
    with pytest.raises(PolicyError) as refused:
        read_rubric((YAML + STATEMENT + "---\n" + text).encode(), "desk.yml")
    assert why in refused.value.detail


def test_a_scalar_of_yaml_is_what_json_has_and_a_bad_statement_is_told_with_its_line() -> None:
    pytest.importorskip("yaml")
    found = read_rubric((YAML + STATEMENT).encode(), "desk.yml")
    assert (found.key, found.version) == ("desk", "1.0.0")
    with pytest.raises(PolicyError, match=r"desk\.yml is not a rubric: line 6 \(desk:two\): expression"):
        read_rubric((YAML + STATEMENT + "- id: desk:two\n  expression: '('\n").encode(), "desk.yml")


@pytest.mark.parametrize(
    "expression",
    ["_grow(a)", "length(a[?length($all[?contains($all, @)]) > 0]) > 0", "_self(a)"],
)
def test_a_rubric_that_would_run_on_is_stopped_whatever_it_asks(expression: str) -> None:
    doubling = {f"_n{i}": f"_n{i + 1}($args[0] * $args[0])" for i in range(40)}
    rubric_ = rubric_file(
        *({**_warning(), "id": f"desk:{i}", "expression": expression} for i in range(12)),
        variables={"$all": list(range(1000))},
        expressions={"_grow": "_n0(`9007199254740993`)", **doubling, "_n40": "$args[0]", "_self": "_self(@)"},
    )
    found = read_rubric(rubric_, "desk.json")
    labels = labels_of(found, {"a": list(range(1000))})
    assert {x.value for x in labels} <= {None, True, False}
    assert len(labels) == 12


def test_a_policy_of_this_house_is_no_rubric_and_a_rubric_brings_the_default_policy(tmp_path: Path) -> None:
    assert not any(
        is_rubric(open_policy(name).toml) for name in ("default", "newsroom", "archive", "insurer")
    )
    data = rubric_file(said("a"))
    found, default = read_policy(data, "desk.json"), open_policy("default")
    assert (found.name, found.toml, found.rules) == ("desk", data, default.rules)
    assert replace(found, rubric=None).sha256 != default.sha256
    (tmp_path / "desk.json").write_bytes(data)
    assert open_policy(str(tmp_path / "desk.json")) is not None


def test_a_policy_is_told_from_a_rubric_by_how_it_begins_and_in_one_walk() -> None:
    assert is_rubric(b'\xef\xbb\xbf\n {"information_block": {}}')
    assert not is_rubric(b"sentences = [\n{ id = 'a.b' },\n]\n")
    assert not is_rubric(b"\n" * 1024 * 1024)


def test_sums_over_arrays_of_a_file_are_counted_as_what_they_make() -> None:
    found = read_rubric(rubric_file(said("+".join(["a"] * 300))), "desk.json")
    (label,) = labels_of(found, {"a": [[1] * 500] * 500})
    assert (label.value, label.text) == (None, "It could not be evaluated.")


def test_no_words_of_a_file_make_a_rubric_promise_and_no_file_makes_it_long() -> None:
    file = rubric_file(said("@.a[*].c", warnIfMatched=True))
    found = read_rubric(file, "desk.json")
    (honest,) = labels_of(found, {"a": [{"c": "this photo is authentic and real"}]})
    assert honest.text == "It is not so: 1 found"
    often: Json = {"true": {"en": "It is so."}, "false": {"en": "{{matches}}" * 40}}
    found = read_rubric(
        rubric_file({**said("@.a[*].c", warnIfMatched=True), "reportText": often}), "desk.json"
    )
    (long,) = labels_of(found, {"a": [{"c": "x" * 119}] * 8})
    assert len(long.text) == MAX_TEXT
