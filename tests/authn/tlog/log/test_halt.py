"""Cosignatures into this home's log by the command, and what stops it: a restored backup."""

from __future__ import annotations

import shutil
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.serving import make_server

from authn.cli import cli
from authn.core.config import load_settings
from authn.core.errors import LogHalted, NotFound, SplitView
from authn.pki.authority import open_authority
from authn.service.wiring import open_transparency_log
from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.entry import EntryKind, LogEntry, new_entry
from authn.tlog.format.receipt import verify_receipt
from authn.tlog.witness.witness import Witness
from authn.web.witness import create_witness_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authn.tlog.log.log import Log

W = Cosigner(name="w.example/a", key=Ed25519PrivateKey.generate(), clock=lambda: 1_795_000_000)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    open_authority(load_settings())
    return tmp_path / "home"


def opened() -> closing[Log]:
    return closing(open_transparency_log(load_settings()))


def grown(count: int) -> tuple[LogEntry, ...]:
    entries = tuple(new_entry(EntryKind.POLICY, {"n": n}) for n in range(count))
    with opened() as log:
        log.append(entries)
    return entries


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@contextmanager
def witnessing(folder: Path) -> Iterator[Path]:
    """A policy file that names a witness of this home's log, which listens."""
    with opened() as log:
        key = log.verifier
    server = make_server("127.0.0.1", 0, create_witness_app(Witness(folder / "w.db", (key,), (W,))))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        policy = folder / "policy"
        policy.write_text(f"witness a {W.verifier} http://127.0.0.1:{server.server_port}\nquorum a\n")
        yield policy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_after_gathering_a_receipt_says_who_has_seen_the_log(home: Path, tmp_path: Path) -> None:
    entries = grown(3)
    with witnessing(tmp_path) as policy, opened() as log:
        before = log.receipt(1)
        assert verify_receipt(before, entries[1].leaf, log.verifier, (W.verifier,)).witnessed_by == ()
        result = run("log", "gather", "--policy", str(policy))
        assert (result.exit_code, result.stdout) == (0, "w.example/a has signed size 3\n"), result.output
        after = log.receipt(1)
        assert verify_receipt(after, entries[1].leaf, log.verifier, (W.verifier,)).witnessed_by == (W.name,)
    assert run("log", "check").exit_code == 0
    assert "w.example/a" in run("log", "show").stdout


def test_an_entry_is_forgotten_when_its_operator_says_yes_and_the_tree_stays_what_it_was(home: Path) -> None:
    grown(3)
    root = run("log", "show").stdout
    refused = CliRunner().invoke(cli, ["log", "forget", "1"], input="n\n")
    assert (refused.exit_code, run("log", "receipt", "1").exit_code) == (0, 0)
    assert "nothing was destroyed" in refused.stderr
    assert run("log", "forget", "1", "--yes").exit_code == 0
    assert isinstance(run("log", "receipt", "1").exception, NotFound)
    assert isinstance(run("log", "forget", "1", "--yes").exception, NotFound)
    assert run("log", "check").exit_code == 0
    assert run("log", "show").stdout == root


@pytest.mark.parametrize("index", [3, 2**63 - 1, 2**63, 10**20])
def test_a_number_that_no_entry_has_is_not_found_however_large(home: Path, index: int) -> None:
    grown(3)
    assert isinstance(run("log", "receipt", str(index)).exception, NotFound)
    assert isinstance(run("log", "forget", str(index), "--yes").exception, NotFound)


def test_too_few_witnesses_are_an_exit_code_of_one_and_no_halt(home: Path, tmp_path: Path) -> None:
    grown(2)
    with witnessing(tmp_path) as policy:
        pass  # it is down now
    assert run("log", "gather", "--policy", str(policy)).exit_code == 1
    with opened() as log:
        assert log.halted is None


def test_a_restored_home_signs_nothing_more_in_any_process(home: Path, tmp_path: Path) -> None:
    grown(2)
    shutil.copytree(home, tmp_path / "backup")
    grown(5)
    with witnessing(tmp_path) as policy:
        assert run("log", "gather", "--policy", str(policy)).exit_code == 0
        shutil.rmtree(home)
        shutil.copytree(tmp_path / "backup", home)
        with opened() as other:  # opened before anybody knows
            result = run("log", "gather", "--policy", str(policy))
            assert isinstance(result.exception, SplitView)
            with pytest.raises(LogHalted, match="at 7, and it has 2 now"):
                other.append((new_entry(EntryKind.POLICY, {"n": 99}),))
    with opened() as log:
        assert log.halted is not None
        assert log.reader.head().size == 2
        assert log.reader.head().note in (home / "pki" / "log.halted").read_text()
