"""The service and its witnesses: what it publishes, and what keeps it from starting."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from authn.cli import cli
from authn.core.config import Settings, load_settings
from authn.core.errors import LogHalted, SettingsError, Unavailable
from authn.pki.authority import open_authority
from authn.service.wiring import check_services, open_services, open_transparency_log
from authn.tlog.format.note import SigningKey, VerifyingKey, verify
from authn.tlog.format.receipt import verify_receipt
from authn.tlog.witness.witness import Witness
from authn.web import create_app
from authn.web.witness import create_witness_app
from tests.authn.web.conftest import InlineExaminer
from tests.doubles.logs import entry
from tests.doubles.witnesses import cosigner, listening, policy_text

A, B = cosigner("a"), cosigner("b")


def settings_of(tmp_path: Path, policy: str = "") -> Settings:
    chosen = {}
    if policy:
        (tmp_path / "policy").write_text(policy)
        chosen["witness_policy"] = (tmp_path / "policy",)
    return load_settings(environ={}, home=tmp_path / "home", **chosen)


@pytest.fixture
def key(tmp_path: Path) -> VerifyingKey:
    """The key of a home's log, before the service ever started."""
    open_authority(settings_of(tmp_path))
    with closing(open_transparency_log(settings_of(tmp_path))) as log:
        return log.verifier


def test_a_checkpoint_is_published_as_witnessed_when_the_policy_is_met(
    tmp_path: Path, key: VerifyingKey
) -> None:
    apps = [create_witness_app(Witness(tmp_path / f"{w.name[0]}.db", (key,), (w,))) for w in (A, B)]
    with listening(apps[0]) as a, listening(apps[1]) as b:
        asked = policy_text(("a", A.verifier, a), ("b", B.verifier, b), quorum=2)
        services = open_services(
            settings_of(tmp_path, asked), confine=lambda _s, _r, heuristics: InlineExaminer(heuristics)
        )
        with closing(services):
            client = create_app(services).test_client()
            assert services.publisher is not None
            one = entry(1)
            services.log.append((one, entry(2)))
            assert client.get("/log/witnessed").status_code == 404
            services.publisher.publish()
            services.log.append((entry(3),))
            note = client.get("/log/witnessed")
            assert note.content_type == "text/plain; charset=utf-8"
            signers = {s.name for s in verify(note.text, (key, A.verifier, B.verifier)).signatures}
            assert (note.text.split("\n")[1], len(signers)) == ("2", 3)
            assert client.get("/log/checkpoint").text.split("\n")[1] == "3"
            verified = verify_receipt(services.log.receipt(0), one.leaf, key, (A.verifier, B.verifier))
            assert verified.witnessed_by == (A.name, B.name)


def test_a_service_with_a_halted_log_does_not_start(
    tmp_path: Path, key: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_services(settings_of(tmp_path))  # so that the next start has nothing to log
    with closing(open_transparency_log(settings_of(tmp_path))) as log:
        log.halt("the witness w has signed this log at 9, and it has 2 now", "notes")
    with pytest.raises(LogHalted, match=r"at 9, and it has 2 now; log\.halted beside"):
        check_services(settings_of(tmp_path))
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(cli, ["serve", "--port", "0"])
    assert isinstance(result.exception, LogHalted)
    assert "listens" not in result.stdout
    (tmp_path / "home" / "pki" / "log.halted").unlink()
    check_services(settings_of(tmp_path))


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("quorum\n", "cannot be used: line 1"),
        (f"log {SigningKey.generate('x').verifier}\nquorum none\n", "names other logs"),
    ],
    ids=["no policy", "another log"],
)
def test_a_policy_that_cannot_be_meant_is_said_before_the_start(
    tmp_path: Path, key: object, policy: str, said: str
) -> None:
    with pytest.raises(Unavailable, match=said):
        check_services(settings_of(tmp_path, policy))


def test_there_is_one_policy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one file"):
        load_settings(environ={"ASSAY_WITNESS_POLICY": "a:b", "ASSAY_HOME": str(tmp_path)})
