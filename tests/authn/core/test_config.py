"""Where a setting comes from, and what is refused before anything opens."""

from __future__ import annotations

import os
import pickle
import re
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from authn.cli import cli
from authn.core import setting_rows
from authn.core.config import ATTESTATION_FORMATS, MASK, Settings, is_loopback, load_settings
from authn.core.errors import SettingsError
from authn.core.setting_rows import SETTINGS
from authn.devices.attestation import FORMATS, NONE
from signer.proof.usages import SIGNER_USAGES, usage_text
from tests.conftest import ROOT

TYPES = {Path: "folder", str: "text", int: "number", bool: "yes or no", tuple: "files"}


def toml(folder: Path, text: str) -> str:
    path = folder / "assay.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_rows_and_attributes_are_the_same_list() -> None:
    assert [row.name for row in SETTINGS] == [f.name for f in fields(Settings)][:-1]


def test_every_default_passes_its_own_checks() -> None:
    settings = load_settings(environ={})
    assert settings.port == 8318
    assert settings.home.is_absolute()
    assert {settings.origin(row.name) for row in SETTINGS} == {"default"}


def test_docs_list_every_setting_with_type_default_and_help() -> None:
    table = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", table, re.MULTILINE)
    expected = []
    for row in SETTINGS:
        default = str(row.default).lower() if isinstance(row.default, bool) else str(row.default or "")
        shown = f"`{default}`" if default else "empty"
        expected.append((row.name, TYPES[row.type], shown, row.help))
    assert rows == expected


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, "port = 1000\nworkers = 5\nreport_days = 7\n")
    settings = load_settings(file, {"ASSAY_PORT": "2000", "ASSAY_WORKERS": "6"}, port=3000)
    assert (settings.port, settings.workers, settings.report_days) == (3000, 6, 7)
    assert settings.origin("port") == "flag"
    assert settings.origin("workers") == "environment ASSAY_WORKERS"
    assert settings.origin("report_days") == f"file {file}"


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert load_settings(environ={"ASSAY_PORT": "2000"}, port=None).port == 2000


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = toml(tmp_path, "workers = 7\n")
    assert load_settings(environ={"ASSAY_CONFIG": file}).workers == 7


def test_paths_in_a_file_count_from_its_folder(tmp_path: Path) -> None:
    file = toml(tmp_path, f'home = "state"\nsigner_roots = "a.pem{os.pathsep}/b.pem"\n')
    settings = load_settings(file, {})
    assert settings.home == tmp_path / "state"
    assert settings.signer_roots == (tmp_path / "a.pem", Path("/b.pem"))


def test_several_roots_are_separated_as_in_path() -> None:
    settings = load_settings(environ={"ASSAY_TSA_ROOTS": f"/a.pem{os.pathsep}/b.pem"})
    assert settings.tsa_roots == (Path("/a.pem"), Path("/b.pem"))
    assert settings.shown("tsa_roots") == f"/a.pem{os.pathsep}/b.pem"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False), ("ON", True), ("no", False)])
def test_yes_and_no_have_several_words(text: str, value: bool) -> None:
    assert load_settings(environ={"ASSAY_HEURISTICS": text}).heuristics is value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASSAY_PORT", "http"),
        ("ASSAY_PORT", "65536"),
        ("ASSAY_PORT", "-1"),
        ("ASSAY_PORT", ""),
        ("ASSAY_WORKERS", "0"),
        ("ASSAY_CERTIFICATE_DAYS", "367"),
        ("ASSAY_HEURISTICS", "maybe"),
        ("ASSAY_HOST", ""),
        ("ASSAY_HOST", "a host"),
        ("ASSAY_HOST", "name\nother"),
        ("ASSAY_PUBLIC_URL", "ftp://example.org"),
        ("ASSAY_PUBLIC_URL", "http://"),
        ("ASSAY_PUBLIC_URL", "http://example.org:x"),
        ("ASSAY_SERVICE_URL", "http://user:secret@example.org"),
        ("ASSAY_SERVICE_URL", "http://example.org/?a=b"),
        ("ASSAY_TSA_URL", "example.org/tsa"),
        ("ASSAY_DATABASE_URL", "postgresql://localhost/assay"),
        ("ASSAY_DATABASE_URL", "sqlite:///:memory:"),
        ("ASSAY_DATABASE_URL", "assay.db"),
        ("ASSAY_ENROLMENT_TOKEN", "short"),
        ("ASSAY_ENROLMENT_TOKEN", "with a\ttabulator in it"),
        ("ASSAY_ATTESTATION_FORMATS", ""),
        ("ASSAY_ATTESTATION_FORMATS", "none sgx"),
        ("ASSAY_ATTESTATION_FORMATS", "android-key"),
        ("ASSAY_ATTESTATION_FORMATS", "packed"),
        ("ASSAY_ATTESTATION_FORMATS", "apple none"),
        ("ASSAY_ANDROID_SIGNATURES", "aa"),
        ("ASSAY_SIGNER_USAGES", ""),
        ("ASSAY_SIGNER_USAGES", "emailProtection"),
        ("ASSAY_SIGNER_USAGES", "1.3.6.1.5.5.7.3.4 1.3.6.1.5.5.7.3.8"),
        ("ASSAY_SIGNER_USAGES", "2.5.29.37.0"),
        ("ASSAY_ANDROID_STATUS_HOURS", "0"),
        ("ASSAY_PROT", "8318"),
        ("ASSAY_port", "8318"),
        ("ASSAY_", "x"),
    ],
)
def test_a_variable_that_cannot_be_meant_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(environ={name: value})
    assert refused.value.code == "assay.settings.invalid"
    assert "secret" not in refused.value.detail


def test_the_formats_of_the_settings_are_those_that_can_be_examined() -> None:
    assert sorted(ATTESTATION_FORMATS) == sorted((*FORMATS, NONE))


@pytest.mark.parametrize(
    "text",
    [
        "prot = 8318",
        "port = '8318'",
        "port = true",
        "port = 8318.0",
        "heuristics = 1",
        "home = 1",
        "[assay]\nport = 1",
        "port = ",
        "port = 1\nport = 2",
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        load_settings(toml(tmp_path, text), {})


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(str(tmp_path / "none.toml"), {})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not TOML"):
        load_settings(str(tmp_path / "binary.toml"), {})


def test_an_unknown_flag_is_a_defect_of_the_caller_and_says_so() -> None:
    with pytest.raises(SettingsError, match="prot is not a setting"):
        load_settings(environ={}, prot=1)


def test_other_variables_are_left_alone() -> None:
    load_settings(environ={"ASSAY_SUITES": "/x", "ASSAY_DATA": "/y", "PATH": "/bin", "ASSAYER": "z"})


def test_settings_travel_to_another_process_whole() -> None:
    settings = load_settings(environ={"ASSAY_PORT": "2000"})
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert copy.origin("port") == "environment ASSAY_PORT"


def test_a_secret_is_neither_shown_nor_printed_by_accident() -> None:
    settings = load_settings(environ={"ASSAY_ENROLMENT_TOKEN": "correct-horse-battery"})
    assert settings.shown("enrolment_token") == MASK
    assert "correct-horse" not in repr(settings)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("h", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_command_shows_values_and_origins_without_the_secret(tmp_path: Path) -> None:
    file = toml(tmp_path, "workers = 7\n")
    env = {"ASSAY_ENROLMENT_TOKEN": "correct-horse-battery", "ASSAY_HOME": str(tmp_path)}
    plain = CliRunner(env=env).invoke(cli, ["--config", file, "config", "show"])
    assert plain.exit_code == 0
    assert re.search(rf"^workers = 7 +\(file {re.escape(file)}\)$", plain.output, re.MULTILINE)
    assert re.search(r"^port = 8318 +\(default\)$", plain.output, re.MULTILINE)
    assert "correct-horse" not in plain.output
    as_json = CliRunner(env=env).invoke(cli, ["config", "show", "--json"])
    assert '"enrolment_token": {"value": "********"' in as_json.output


def test_a_password_in_the_database_s_address_is_not_shown() -> None:
    settings = load_settings(environ={}, database_url="postgresql+psycopg://assay:hunter2@db.example/assay")
    assert settings.shown("database_url") == "postgresql+psycopg://assay:********@db.example/assay"


def test_the_usages_that_are_written_out_here_are_those_of_the_signer() -> None:
    assert usage_text(SIGNER_USAGES) == setting_rows.SIGNER_USAGES
