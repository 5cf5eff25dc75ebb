"""Receipts after the fact: from the log for everybody, as COSE, and renewed under a witnessed checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from scitt_cose.receipt import verify_receipt as scitt_verify

from authn.cli import cli
from authn.core.errors import LogHalted
from authn.service.services import Services
from authn.tlog.format.policy import parse_policy
from authn.tlog.format.receipt import parse_inclusion, parse_receipt, verify_receipt
from authn.tlog.log.publisher import Publisher
from authn.web import create_app
from tests.doubles.logs import entry
from tests.doubles.witnesses import cosigner, listening, policy_text, witnessing

A = cosigner("a")
COSE = {"Accept": "application/cose"}


def pem(services: Services) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(services.log.verifier.public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_scitt_cose_verifies_what_the_service_answers(services: Services, client: FlaskClient) -> None:
    entries = tuple(map(entry, range(300)))
    services.log.append(entries)
    for index in (0, 255, 299):
        answer = client.get(f"/log/receipt/{index}", headers=COSE)
        assert answer.content_type == 'application/cose; cose-type="cose-sign1"'
        right = scitt_verify(
            answer.data, leaf_entry_hex=entries[index].leaf.hex(), log_public_key_pem=pem(services)
        )
        assert right.ok, right.errors
        wrong = scitt_verify(
            answer.data, leaf_entry_hex=entries[index - 1].leaf.hex(), log_public_key_pem=pem(services)
        )
        assert not wrong.ok


@pytest.mark.parametrize("accept", [None, "*/*", "text/html", "text/plain"], ids=str)
def test_everybody_gets_a_proof_and_nobody_a_salt(
    services: Services, client: FlaskClient, accept: str | None
) -> None:
    one = entry(1)
    services.log.append((entry(0), one))
    answer = client.get("/log/receipt/1", headers={"Accept": accept} if accept else {})
    assert answer.content_type == "text/plain; charset=utf-8"
    assert "Accept" in answer.headers["Vary"]
    assert one.salt.hex().encode() not in answer.data
    inclusion = parse_inclusion(answer.text)
    assert verify_receipt(inclusion, one.leaf, services.log.verifier).index == 1


@pytest.mark.parametrize("index", ["2", "99999999999999999999999999", "-1", "x"])
def test_an_entry_that_is_not_there_has_no_receipt(
    services: Services, client: FlaskClient, index: str
) -> None:
    services.log.append((entry(0), entry(1)))
    for headers in ({}, COSE):
        assert client.get(f"/log/receipt/{index}", headers=headers).status_code == 404


def test_a_halted_log_signs_no_cose(services: Services, client: FlaskClient) -> None:
    services.log.append((entry(0),))
    services.log.halt("for a test", "")
    answer = client.get("/log/receipt/0", headers=COSE)
    assert (answer.status_code, answer.json["code"]) == (503, LogHalted.code)  # type: ignore[index]
    assert client.get("/log/receipt/0").status_code == 200


# renewing


@pytest.fixture
def address(services: Services) -> Iterator[str]:
    with listening(create_app(services)) as url:
        yield f"{url}/log"


@pytest.fixture
def receipt(services: Services, tmp_path: Path) -> Path:
    """Of entry 1, under the checkpoint that it came with."""
    receipts = services.log.append((entry(0), entry(1)))
    path = tmp_path / "a.jpg.tlog-proof"
    path.write_text(receipts[1].text())
    return path


def refresh(services: Services, address: str, path: Path, *options: str) -> Result:
    key = ("--log-key", str(services.log.verifier))
    return CliRunner().invoke(cli, ["receipt", "refresh", "--log", address, *key, *options, str(path)])


def witnessed(services: Services, tmp_path: Path) -> None:
    with witnessing(tmp_path / "a.db", (services.log.verifier,), A) as url:
        policy = parse_policy(policy_text(("a", A.verifier, url), quorum=1))
        with closing(Publisher(services.log, policy, tmp_path / "lock", interval_s=1)) as publisher:
            publisher.publish()


def test_a_receipt_is_renewed_when_witnesses_have_signed(
    services: Services, address: str, receipt: Path, tmp_path: Path
) -> None:
    asked, before = ("--witness-key", str(A.verifier)), receipt.read_text()
    assert refresh(services, address, receipt, *asked).exit_code == 1
    assert receipt.read_text() == before
    services.log.append((entry(2),))
    witnessed(services, tmp_path)
    services.log.append((entry(3),))
    result = refresh(services, address, receipt, *asked)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"renewed {receipt}: 3 entries, seen by {A.name}\n"
    old, new = parse_receipt(before), parse_receipt(receipt.read_text())
    assert (new.index, new.salt, new.kind) == (old.index, old.salt, old.kind)
    leaf = services.log.reader.leaves(1, 2)[0]
    assert verify_receipt(new, leaf, services.log.verifier, (A.verifier,)).witnessed_by == (A.name,)


def test_a_witnessed_receipt_is_not_given_up(
    services: Services, address: str, receipt: Path, tmp_path: Path
) -> None:
    asked = ("--witness-key", str(A.verifier))
    witnessed(services, tmp_path)
    assert refresh(services, address, receipt, *asked).exit_code == 0
    other = cosigner("b")
    again = refresh(services, address, receipt, "--witness-key", str(other.verifier))
    assert again.exit_code == 1
    assert A.name in receipt.read_text()


def test_a_proof_for_another_entry_replaces_nothing(
    services: Services, address: str, receipt: Path, tmp_path: Path
) -> None:
    lying = receipt.read_text().replace("index 1", "index 0", 1)
    receipt.write_text(lying)
    result = refresh(services, address, receipt)
    assert (result.exit_code, receipt.read_text()) == (1, lying)
    assert "does not prove" in result.stderr


def test_a_log_that_is_away_costs_no_receipt(services: Services, receipt: Path, tmp_path: Path) -> None:
    before = receipt.read_text()
    assert refresh(services, "http://127.0.0.1:9/log", receipt).exit_code == 4
    assert refresh(services, "http://127.0.0.1:9/log", tmp_path / "none").exit_code != 0
    assert receipt.read_text() == before


def test_the_operator_s_command_gives_receipts_in_both_forms(
    services: Services, receipt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(services.settings.home))
    printed = CliRunner().invoke(cli, ["log", "receipt", "1"])
    assert printed.stdout == receipt.read_text()
    out = tmp_path / "receipt.cose"
    assert CliRunner().invoke(cli, ["log", "receipt", "1", "--cose", "--out", str(out)]).exit_code == 0
    leaf = services.log.reader.leaves(1, 2)[0]
    done = scitt_verify(out.read_bytes(), leaf_entry_hex=leaf.hex(), log_public_key_pem=pem(services))
    assert done.ok, done.errors
