"""The owner of a device watches the service's log: what was asked for is quiet, what was not is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authn.cli import cli
from authn.core.config import load_settings
from authn.home.enrolment import enrol_device, renew_device
from authn.service.services import Services
from authn.store.engine import writing
from authn.tlog.format.records import certificate_issued
from authn.tlog.log.queue import enqueue
from authn.web import create_app
from signer.keys import open_key
from tests.authn.web.conftest import TOKEN
from tests.doubles.requests import csr_of
from tests.doubles.witnesses import listening


@pytest.fixture
def address(services: Services) -> Iterator[str]:
    with listening(create_app(services)) as url:
        yield url


@contextmanager
def watching(address: str, services: Services, tmp_path: Path) -> Iterator[object]:
    """The device "cam" of another machine, and a function that looks once."""
    settings = load_settings(environ={}, home=tmp_path / "owner", service_url=address, enrolment_token=TOKEN)
    enrol_device(settings, "cam", now=datetime.now(UTC))
    arguments = ["log", "monitor", f"{address}/log", "--once", "--json", "--settle", "0"]
    arguments += ["--log-key", str(services.log.verifier), "--state", str(tmp_path / "state")]
    arguments += ["--watch", str(tmp_path / "owner" / "devices" / "cam")]
    yield settings, lambda: CliRunner().invoke(cli, arguments)


def about(result: Result) -> list[tuple[str, list[str]]]:
    events = [json.loads(line) for line in result.stdout.splitlines()]
    return [(e["event"], e["about"]) for e in events if e["event"] != "checkpoint"]


def test_enrolling_and_renewing_are_what_the_owner_asked_for(
    address: str, services: Services, tmp_path: Path
) -> None:
    with watching(address, services, tmp_path) as (settings, look):
        assert about(look()) == [("entry", ["device", "key"])]
        services.intake.enrol("other", csr_of(), services.clock())
        renew_device(settings, "cam", now=datetime.now(UTC))
        result = look()
        assert (result.exit_code, about(result)) == (0, [("entry", ["device", "key"])])


def test_a_renewal_by_whoever_copied_the_key_is_told(
    address: str, services: Services, tmp_path: Path
) -> None:
    with watching(address, services, tmp_path) as (_, look):
        assert look().exit_code == 0
        folder = tmp_path / "owner" / "devices" / "cam"
        key = open_key(json.loads((folder / "device.json").read_text())["key_uri"])
        services.intake.enrol("cam", csr_of(key), services.clock())
        result = look()
        assert (result.exit_code, about(result)) == (1, [("unasked", ["device", "key"])])


def test_a_certificate_that_the_authority_issues_for_the_device_s_id_and_another_key_is_told(
    address: str, services: Services, tmp_path: Path
) -> None:
    with watching(address, services, tmp_path) as (_, look):
        assert look().exit_code == 0
        device = services.registry.find("cam")
        planted = services.authority.issue_device(csr_of(), device.device_id, "cam", services.clock())[0]
        with writing(services.engine) as connection:
            enqueue(connection, certificate_issued(device.device_id, planted))
        services.log.append_queued()
        result = look()
        assert (result.exit_code, about(result)) == (1, [("unasked", ["device"])])
        assert "the evidence is in" not in result.stderr
        assert list((tmp_path / "state" / "evidence").iterdir())


def test_a_revocation_of_one_s_device_is_told(address: str, services: Services, tmp_path: Path) -> None:
    with watching(address, services, tmp_path) as (_, look):
        look()
        services.revocations.revoke_device("cam", reason="lost", now=services.clock())
        result = look()
        assert (result.exit_code, about(result)) == (0, [("entry", ["device"])])
