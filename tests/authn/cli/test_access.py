"""``assay access``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authn.cli import cli
from authn.core.errors import BadRequest, CredentialsRefused, NotFound
from authn.service.access.keys import ApiKeys
from authn.service.access.scopes import SCOPES
from authn.store.engine import open_engine


def run(home: Path, *arguments: str) -> Result:
    environ = {"ASSAY_HOME": str(home)}
    return CliRunner().invoke(cli, ["access", *arguments], env=environ, catch_exceptions=True)


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    made = run(tmp_path, "key", "create", "ci", "--scope", "devices:read", "--scope", "verifications:create")
    text = made.stdout.strip()
    keys = ApiKeys(open_engine(f"sqlite:///{tmp_path / 'assay.db'}"))
    principal = keys.verify(text, datetime.now(UTC))
    assert principal.scopes == {"devices:read", "verifications:create"}

    listed = run(tmp_path, "key", "list", "--json").stdout
    assert text.rpartition("_")[2] not in listed
    row = json.loads(listed)
    assert (row["id"], row["name"], row["revoked_at"]) == (principal.id, "ci", None)
    assert "never used" not in run(tmp_path, "key", "list").stdout

    assert run(tmp_path, "key", "revoke", principal.id).exit_code == 0
    assert "revoked" in run(tmp_path, "key", "list").stdout
    with pytest.raises(CredentialsRefused):
        keys.verify(text, datetime.now(UTC))


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path, "key", "create", "ci", "--scope", "root").exception, BadRequest)
    assert isinstance(run(tmp_path, "key", "revoke", "0").exception, NotFound)
    assert run(tmp_path, "key", "create", "ci").exit_code == 2


def test_the_scopes_are_listed(tmp_path: Path) -> None:
    listed = run(tmp_path, "scopes").stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(SCOPES)
