"""The statement of an audit is logged once, however often it is interrupted; a receipt proves it alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from authn.audit.check import Checked, check_run
from authn.audit.conduct import conduct
from authn.audit.logged import RECEIPT_FILE, SALT_FILE, InLog, check_logged, log_statement
from authn.core.errors import AuditError, Unavailable
from authn.tlog.format.note import SigningKey
from authn.tlog.log.reader import LogReader
from authn.tlog.log.sequencer import Sequencer
from tests.authn.audit.test_run import AS_OF, Silent, order_for, photos
from tests.doubles.commands import Shell
from tests.doubles.logs import KEY, ORIGIN, entry, open_log

SIGNER = SigningKey.generate("assay-audit")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logged")
    order = order_for(photos(folder / "in", "a.gif", "b.gif"), folder / "run")
    conduct(replace(order, key=lambda: SIGNER), clock=lambda: AS_OF, progress=Silent())
    return folder / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def log(engine: Engine) -> Iterator[Sequencer]:
    with closing(open_log(engine)) as opened:
        opened.append((entry(1),))
        yield opened


def looked(
    run: Path, *, asked: bool = False, keys: tuple[SigningKey, ...] = (KEY,)
) -> tuple[InLog | None, Checked]:
    checked = check_run(run, [SIGNER.verifier])
    return check_logged(run, [k.verifier for k in keys], checked, asked=asked), checked


def test_a_receipt_proves_that_the_statement_is_in_the_log(run: Path, log: Sequencer) -> None:
    assert looked(run)[0] is None
    log_statement(run, log.append)
    found, checked = looked(run, asked=True)
    assert (found, checked.found) == (InLog(origin=ORIGIN, index=1), {})


@pytest.mark.parametrize("when", ["before the log has it", "before its receipt is kept", "after all"])
def test_a_crash_between_any_two_steps_logs_nothing_twice(
    run: Path, log: Sequencer, engine: Engine, when: str
) -> None:
    def crashing(entries):  # type: ignore[no-untyped-def]
        if when == "before its receipt is kept":
            log.append(entries)
        raise Unavailable("the machine went away")

    if when == "after all":
        log_statement(run, log.append)
    else:
        with pytest.raises(Unavailable):
            log_statement(run, crashing)
        assert not (run / RECEIPT_FILE).exists()
    log_statement(run, log.append)
    assert looked(run, asked=True)[1].found == {}
    assert LogReader(engine).head().size == 2


def test_a_receipt_of_another_statement_or_of_an_unknown_log_is_told_apart(run: Path, log: Sequencer) -> None:
    log_statement(run, log.append)
    stranger = SigningKey.generate("other.test/log")
    assert looked(run, keys=(stranger,))[1].found == {}
    assert looked(run, keys=(stranger,), asked=True)[1].found.keys() == {"log"}
    impostor = SigningKey.generate(ORIGIN)
    assert looked(run, keys=(impostor,))[1].found.keys() == {"log"}
    note = run / "completeness.note"
    note.write_text(note.read_text().replace("reported 2", "reported 1"))
    assert looked(run)[1].found.keys() == {"signature", "log"}
    (run / RECEIPT_FILE).write_text("nothing")
    assert looked(run)[1].found.keys() == {"signature", "log"}
    (run / RECEIPT_FILE).unlink()
    assert looked(run, asked=True)[1].found.keys() == {"signature", "log"}


def test_what_cannot_be_logged_says_why(run: Path, log: Sequencer) -> None:
    (run / SALT_FILE).write_text("{")
    with pytest.raises(AuditError, match="a second time"):
        log_statement(run, log.append)
    (run / "completeness.note").unlink()
    with pytest.raises(AuditError, match="has its audit finished"):
        log_statement(run, log.append)


def test_the_commands_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (cwd := tmp_path / "here").mkdir()
    shell = Shell(tmp_path / "home", cwd, monkeypatch, capsys)
    (cwd / "archive").mkdir()
    (cwd / "archive" / "notes.txt").write_text("no photo")
    assert shell("audit", "archive", "--out", "run", "--no-heuristics", "--no-html", "--jobs", "1").code == 3
    assert shell("audit", "log", "run").code == 4  # no service lives here
    assert shell("pki", "crl", "--out", "first.crl").code == 0
    logged = shell("audit", "log", "run")
    assert (logged.code, "of the log assay.local/log" in logged.out) == (0, True), logged.said
    checked = shell("audit", "verify", "run", "--logged", "--json")
    assert (checked.code, json.loads(checked.out)["logged"]["log"]) == (0, "assay.local/log")
    assert shell("audit", "verify", "run", "--logged", home=tmp_path / "other").code == 1
