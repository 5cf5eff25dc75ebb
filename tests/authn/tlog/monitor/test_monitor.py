"""A monitor over real HTTP: logs that grow, fork, shrink, lie, go down; kills; planted certificates."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authn.cli import cli
from authn.core.errors import LogContradiction, Unavailable
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.entry import EntryKind, new_entry
from authn.tlog.format.note import SigningKey, verify
from authn.tlog.format.records import certificate_issued
from authn.tlog.monitor.state import FILE, LOCK
from tests.conftest import ROOT
from tests.doubles.http_server import Answer
from tests.doubles.logs import KEY, entry
from tests.doubles.pki import Issued, TestPki, pem_of
from tests.doubles.served_log import ServedLog, served
from tests.doubles.witnesses import cosigner, policy_text
from tests.waiting import PATIENCE_S, until

LEAVES = [entry(n).leaf for n in range(700)]
OTHERS = [entry(n).leaf for n in range(700)]


def monitor(url: str, state: Path, *options: str, key: SigningKey = KEY) -> Result:
    arguments = ["log", "monitor", url, "--once", "--json", "--settle", "0", "--state", str(state)]
    return CliRunner().invoke(cli, [*arguments, "--log-key", str(key.verifier), *options])


def events(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def evidence(state: Path) -> list[str]:
    return [file.read_text() for file in sorted((state / "evidence").glob("*"))]


@pytest.mark.parametrize("full_only", [False, True], ids=["partial tiles", "full tiles alone"])
def test_a_log_that_grows_is_followed_and_only_new_entries_are_read(state: Path, full_only: bool) -> None:
    log = ServedLog(LEAVES, 0)
    with served(log) as url:
        for size, read in ((0, 0), (1, 1), (1, 0), (300, 299), (512, 212), (700, 188)):
            log.size, log.full_only = size, full_only and size == 512
            result = monitor(url, state)
            assert result.exit_code == 0, result.output
            (event,) = events(result)
            assert (event["event"], event["size"], event["read"]) == ("checkpoint", size, read)
    assert not (state / "evidence").exists()


def test_a_second_root_for_one_size_is_a_fork_and_both_notes_are_kept(state: Path) -> None:
    log = ServedLog(LEAVES, 300)
    with served(log) as url:
        assert monitor(url, state).exit_code == 0
        held = log.note()
        log.leaves = [*LEAVES[:120], *OTHERS[120:]]
        result = monitor(url, state)
    assert isinstance(result.exception, LogContradiction)
    assert (result.exception.kind, result.exception.exit_code) == ("fork", 5)
    (kept,) = evidence(state)
    assert held in kept
    assert log.note() in kept
    assert events(result)[-1]["event"] == "fork"


def test_a_longer_log_with_another_history_is_a_fork_with_a_proof(state: Path) -> None:
    log = ServedLog(LEAVES, 300)
    with served(log) as url:
        assert monitor(url, state).exit_code == 0
        log.leaves, log.size = [*LEAVES[:120], *OTHERS[120:]], 650
        for _ in range(2):  # it stays one
            result = monitor(url, state)
            assert isinstance(result.exception, LogContradiction)
            assert result.exception.kind == "fork"
    (kept,) = evidence(state)
    assert log.note() in kept
    assert "does not begin with its tree of 300" in kept
    assert "by the consistency proof" in kept


def test_a_log_that_shrinks_is_noticed_and_both_notes_are_kept(state: Path) -> None:
    log = ServedLog(LEAVES, 300)
    with served(log) as url:
        assert monitor(url, state).exit_code == 0
        log.size = 299
        result = monitor(url, state)
        assert isinstance(result.exception, LogContradiction)
        assert result.exception.kind == "shrink"
        (kept,) = evidence(state)
        for size in (299, 300):
            assert log.note(size) in kept
        log.size = 301
        assert monitor(url, state).exit_code == 0


@pytest.mark.parametrize("lie", ["leaf", "short bundle", "cut bundle"])
def test_entries_that_are_not_those_of_the_signed_tree_are_noticed(state: Path, lie: str) -> None:
    log = ServedLog(LEAVES, 300)
    if lie == "leaf":
        log.shown[7] = OTHERS[7]
    else:
        body = log._bundle(0, 256).body
        cut = body[:-1] if lie == "cut bundle" else body[: -2 - len(LEAVES[255])]
        log.answers["tile/entries/000"] = Answer(body=cut)
    with served(log) as url:
        result = monitor(url, state)
        assert isinstance(result.exception, LogContradiction)
        assert result.exception.kind == "unproven"
        log.shown, log.answers = {}, {}
        assert monitor(url, state).exit_code == 0  # nothing of the lie was believed


def test_tiles_are_not_believed(state: Path) -> None:
    """Whatever the tiles say, the root comes from the entries."""
    log = ServedLog(LEAVES, 300)
    log.answers["tile/0/000"] = Answer(body=bytes(256 * 32))
    with served(log) as url:
        assert monitor(url, state).exit_code == 0
        assert not [path for path in log.asked if path.startswith("/log/tile/0/")]


@pytest.mark.parametrize(
    "answer",
    [Answer(status=503), Answer(status=404), Answer(status=302, headers={"Location": "/log/checkpoint"}),
     Answer(body=b"<html>"), Answer(body=b"\xff\xfe"),
     Answer(body=ServedLog([], 0, SigningKey.generate("x")).note().encode())],
    ids=["503", "404", "redirect", "a page", "no text", "another log"],
)  # fmt: skip
def test_a_log_that_cannot_be_read_now_is_not_examined(state: Path, answer: Answer) -> None:
    log = ServedLog(LEAVES, 300)
    with served(log) as url:
        assert monitor(url, state).exit_code == 0
        before = (state / FILE).read_bytes()
        log.answers["checkpoint"] = answer
        result = monitor(url, state)
    assert (result.exit_code, events(result)[0]["event"]) == (4, "notExamined")
    assert (state / FILE).read_bytes() == before
    assert not (state / "evidence").exists()


def test_a_log_that_is_away_is_one_sentence(state: Path) -> None:
    result = monitor("http://127.0.0.1:9/log", state)
    assert result.exit_code == 4
    assert "cannot be reached" in str(events(result)[0]["detail"])


def test_a_folder_serves_one_log(state: Path) -> None:
    other = SigningKey.generate("other.test/log")
    with served(ServedLog(LEAVES, 5)) as url, served(ServedLog(LEAVES, 5, other)) as elsewhere:
        assert monitor(url, state).exit_code == 0
        result = monitor(elsewhere, state, key=other)
    assert (result.exit_code, "is about the log" in str(events(result)[0]["detail"])) == (4, True)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"version": 1}', b"\xff"], ids=repr)
def test_a_damaged_state_is_no_fresh_start(state: Path, damage: bytes) -> None:
    with served(ServedLog(LEAVES, 5)) as url:
        assert monitor(url, state).exit_code == 0
        (state / FILE).write_bytes(damage)
        result = monitor(url, state)
        assert (result.exit_code, (state / FILE).read_bytes()) == (4, damage)
        assert "damaged" in str(events(result)[0]["detail"])


def test_two_monitors_do_not_share_a_folder(state: Path) -> None:
    with served(ServedLog(LEAVES, 5)) as url:
        assert monitor(url, state).exit_code == 0
        with (state / LOCK).open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert isinstance(monitor(url, state).exception, Unavailable)


# witnesses

A, B = (replace(cosigner(name), clock=lambda: int(time.time())) for name in "ab")


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy"
    path.write_text(policy_text(("a", A.verifier, ""), ("b", B.verifier, ""), quorum=1).replace(" \n", "\n"))
    return str(path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is: it goes on when the test says so."""
    at = [time.time()]
    monkeypatch.setattr(time, "time", lambda: at[0])
    return at


def test_too_few_witnesses_are_told_after_the_grace_and_forgiven_when_they_sign(
    state: Path, policy: str, clock: list[float]
) -> None:
    log = ServedLog(LEAVES, 5, witness=A)
    asked = ("--policy", policy, "--grace")
    with served(log) as url:
        assert events(monitor(url, state, *asked, "0"))[0]["witnesses"] == ["a.example/w"]
        log.witness, log.size = None, 6
        assert monitor(url, state, *asked, "600").exit_code == 0
        clock[0] += 0.05
        result = monitor(url, state, *asked, "0")
        assert (result.exit_code, events(result)[0]["overdue"]) == (1, True)
        assert events(result)[0]["witnessed_size"] == 5
        log.witness = A
        assert monitor(url, state, *asked, "0").exit_code == 0


def test_a_busy_log_is_witnessed_as_far_as_it_shows_a_witnessed_checkpoint(
    state: Path, policy: str, clock: list[float]
) -> None:
    log = ServedLog(LEAVES, 5)
    with served(log) as url:
        assert monitor(url, state, "--policy", policy).exit_code == 0
        for size in (20, 300):
            witnessed = ServedLog(LEAVES, size - 5, witness=A)
            log.size, log.witnessed_note = size, witnessed.note()
            result = monitor(url, state, "--policy", policy, "--grace", "0.5")
            assert events(result)[0]["witnessed_size"] == size - 5
            assert result.exit_code == 0
            clock[0] += 0.6
        log.witnessed_note = ServedLog(LEAVES, 15, witness=A).note()  # older than what is derived already
        assert monitor(url, state, "--policy", policy).exit_code == 0


@pytest.mark.parametrize("size", [15, 250, 299, 301], ids=str)
def test_a_witnessed_checkpoint_of_another_history_is_a_contradiction(
    state: Path, policy: str, size: int
) -> None:
    log = ServedLog(LEAVES, 20)
    with served(log) as url:
        assert monitor(url, state, "--policy", policy).exit_code == 0
        log.size = 300
        log.witnessed_note = ServedLog([*LEAVES[:10], *OTHERS[10:]], size, witness=A).note()
        result = monitor(url, state, "--policy", policy)
    assert isinstance(result.exception, LogContradiction)
    assert result.exception.kind == ("shrink" if size > 300 else "fork")
    assert log.witnessed_note in evidence(state)[0]


@pytest.mark.parametrize(("age_s", "exit_code"), [(3500, 0), (3700, 1)])
def test_a_log_that_stands_still_for_one_reader_shows_it_by_old_signatures(
    state: Path, policy: str, age_s: int, exit_code: int
) -> None:
    log = ServedLog(LEAVES, 5, witness=replace(A, clock=lambda: int(time.time()) - age_s))
    with served(log) as url:
        result = monitor(url, state, "--policy", policy)
        (event,) = events(result)
        assert (result.exit_code, event["stale"], event["overdue"]) == (exit_code, exit_code == 1, False)
        log.witnessed_note = replace(log, witness=A).note()  # shown to the witnesses again
        assert monitor(url, state, "--policy", policy).exit_code == 0


def test_one_young_signature_is_not_enough_where_two_are_asked_for(state: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    both.write_text(policy_text(("a", A.verifier, ""), ("b", B.verifier, ""), quorum=2))
    log = ServedLog(LEAVES, 5, witness=A)
    old = replace(B, clock=lambda: int(time.time()) - 7200)
    log.witnessed_note = log.note() + ServedLog(LEAVES, 5, witness=old).note().splitlines()[-1] + "\n"
    with served(log) as url:
        (event,) = events(monitor(url, state, "--policy", str(both)))
        assert (event["witnessed_size"], event["stale"]) == (5, True)


def test_a_witness_s_bad_signature_refuses_the_note(state: Path, policy: str) -> None:
    log = ServedLog(LEAVES, 5)
    line = ServedLog(LEAVES, 6, witness=A).note().splitlines()[-1]
    log.answers["checkpoint"] = Answer(body=(log.note() + line + "\n").encode())
    with served(log) as url:
        assert monitor(url, state, "--policy", policy).exit_code == 4


# certificates


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture
def device(pki: TestPki, tmp_path: Path) -> Issued:
    """A certificate that was asked for, in a file."""
    leaf = pki.leaf("cam")
    (tmp_path / "asked.pem").write_bytes(leaf.chain_pem)
    return leaf


def test_only_certificates_that_nobody_asked_for_are_told(
    pki: TestPki, device: Issued, state: Path, tmp_path: Path
) -> None:
    stranger = pki.leaf("stranger").certificate
    thief = pki.leaf("cam", public_key=device.certificate.public_key()).certificate
    entries = [*LEAVES[:5], certificate_issued("d2", stranger).leaf,
               certificate_issued("d1", device.certificate).leaf]  # fmt: skip
    planted = [certificate_issued("d1", stranger).leaf, certificate_issued("d3", thief).leaf]
    log = ServedLog([*entries, *planted, *LEAVES[5:]], 7)
    mine = ("--watch", str(tmp_path / "asked.pem"), "--watch-device", "d1")
    with served(log) as url:
        result = monitor(url, state, *mine)
        assert result.exit_code == 0
        assert [(e["index"], e["asked"]) for e in events(result)[1:]] == [(6, True)]
        log.size = 9
        result = monitor(url, state, *mine)
        assert result.exit_code == 1
        told = {e["index"]: e["about"] for e in events(result)[1:]}
        assert told == {7: ["device"], 8: ["key"]}
        log.size = 400
        result = monitor(url, state, *mine)  # until they are explained, every time
        assert (result.exit_code, [e["event"] for e in events(result)[1:]]) == (1, ["unasked"] * 2)
    kept = (state / "evidence" / "unasked-7.txt").read_text()
    note = kept[kept.index(KEY.name + "\n") :]
    assert parse_checkpoint(verify(note, (KEY.verifier,)).text).size == 9
    assert planted[0].decode() in kept
    (tmp_path / "more").mkdir()
    for number, certificate in enumerate((stranger, thief)):
        (tmp_path / "more" / f"{number}.pem").write_bytes(pem_of(certificate))
    with served(log) as url:
        result = monitor(url, state, *mine, "--watch", str(tmp_path / "more"))
        assert result.exit_code == 0, result.output


def test_a_planted_certificate_behind_the_one_that_was_asked_for_explains_nothing(
    pki: TestPki, device: Issued, state: Path, tmp_path: Path
) -> None:
    planted = pki.leaf("cam").certificate
    folder = tmp_path / "cam"
    (folder / "asked").mkdir(parents=True)
    (folder / "device.json").write_text("{}")
    for file in (folder / "chain.pem", folder / "asked" / "1.pem"):
        file.write_bytes(device.chain_pem + pem_of(planted))
    leaves = [certificate_issued("d1", c).leaf for c in (device.certificate, planted)]
    with served(ServedLog(leaves, 2)) as url:
        result = monitor(url, state, "--watch", str(folder), "--watch-device", "d1")
    assert result.exit_code == 1
    assert [(e["event"], e["index"]) for e in events(result)[1:]] == [("entry", 0), ("unasked", 1)]


def test_what_is_watched_from_now_on_is_looked_for_from_the_start(
    pki: TestPki, device: Issued, state: Path, tmp_path: Path
) -> None:
    planted = certificate_issued("d1", pki.leaf("x", public_key=device.certificate.public_key()).certificate)
    log = ServedLog([planted.leaf, *LEAVES], 600)
    with served(log) as url:
        assert monitor(url, state).exit_code == 0
        result = monitor(url, state, "--watch", str(tmp_path / "asked.pem"))
        assert (result.exit_code, events(result)[0]["read"]) == (1, 600)
        assert events(monitor(url, state, "--watch", str(tmp_path / "asked.pem")))[0]["read"] == 0


def test_a_history_that_changed_before_what_is_watched_anew_is_a_fork(
    device: Issued, state: Path, tmp_path: Path
) -> None:
    log = ServedLog(LEAVES, 300)
    with served(log) as url:
        assert monitor(url, state).exit_code == 0
        log.leaves, log.size = [*OTHERS[:1], *LEAVES[1:]], 400
        result = monitor(url, state, "--watch", str(tmp_path / "asked.pem"))
    assert isinstance(result.exception, LogContradiction)
    assert result.exception.kind == "fork"


def test_leaves_of_before_and_of_unknown_form_are_counted_as_not_examined(
    state: Path, device: Issued, tmp_path: Path
) -> None:
    old = certificate_issued("d1", device.certificate)
    old = type(old)(kind=old.kind, record=old.record, salt=old.salt, version=1)
    log = ServedLog([old.leaf, b"\xff\xfe", b"{}"], 3)
    with served(log) as url:
        result = monitor(url, state, "--watch", str(tmp_path / "asked.pem"))
    (event,) = events(result)
    assert (event["untagged"], event["strange"]) == (1, 2)
    assert "was not examined" in result.stderr


def test_changes_of_the_service_s_own_are_told_once(state: Path) -> None:
    changes = [new_entry(kind, {"n": 1}).leaf for kind in (EntryKind.TSA, EntryKind.POLICY)]
    with served(ServedLog([*changes, *LEAVES], 5)) as url:
        first = events(monitor(url, state))
        assert [(e["index"], e["kind"]) for e in first[1:]] == [(0, "tsa.changed"), (1, "policy.changed")]
        assert len(events(monitor(url, state))) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no pem", "holds no certificates"), (None, "cannot be read")],
    ids=["no certificate", "no file"],
)
def test_certificates_that_cannot_be_read_are_said_before_the_log_is_asked(
    state: Path, tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "x.pem").write_bytes(content)
    result = monitor("http://127.0.0.1:9/log", state, "--watch", str(tmp_path / "x.pem"))
    assert isinstance(result.exception, Unavailable)
    assert said in result.exception.detail


# continuously, and killed


def started(url: str, state: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "authn", "log", "monitor", url, "--json", "--interval", "0.05"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    return subprocess.Popen(
        [*command, "--settle", "0", "--state", str(state), "--log-key", str(KEY.verifier), *options],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], wanted: str) -> dict[str, object]:
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, object] = json.loads(line)
        if event["event"] == wanted:
            return event
    raise AssertionError(process.stderr.read() if process.stderr else "")


def test_a_log_that_does_not_answer_is_told_of_again_and_again(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, looks = [1000.0], iter(range(5))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def pass_by(_seconds: float) -> None:
        now[0] += 40.0
        if next(looks, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pass_by)
    arguments = ["log", "monitor", "http://127.0.0.1:9/log", "--json", "--max-age", "60"]
    arguments += ["--state", str(state), "--log-key", str(KEY.verifier)]
    result = CliRunner().invoke(cli, arguments)
    assert [e["event"] for e in events(result)] == ["notExamined"] * 3  # of six looks, 40 s apart


def test_it_goes_on_through_an_outage_until_the_log_contradicts_itself(state: Path) -> None:
    log = ServedLog(LEAVES, 5)
    with served(log) as url, started(url, state) as process:
        try:
            assert read_until(process, "checkpoint")["size"] == 5
            log.down = True
            read_until(process, "notExamined")
            log.down, log.size = False, 9
            while read_until(process, "checkpoint")["size"] != 9:
                pass
            log.size = 8
            read_until(process, "shrink")
            assert process.wait(timeout=PATIENCE_S) == 5
        finally:
            process.kill()
    assert len(evidence(state)) == 1


def test_a_killed_monitor_goes_on_where_it_was_and_forgets_nothing_it_saw_signed(state: Path) -> None:
    """Killed on its way through a long log; the checkpoint that it was on its way to is remembered too."""
    leaves = [b"x%d" % n for n in range(256 * 70)]
    log = ServedLog(leaves, len(leaves), stall=threading.Event())
    assert log.stall is not None
    with served(log) as url:
        for _ in range(3):
            with started(url, state) as process:
                until(lambda: any("entries" in path for path in log.asked))
                process.send_signal(signal.SIGKILL)
            log.asked.clear()
        log.size -= 1
        result = monitor(url, state)
        assert isinstance(result.exception, LogContradiction)
        assert result.exception.kind == "shrink"
        log.size += 1
        log.asked.clear()
        log.unstalled = 65
        with started(url, state) as process:
            while log.bundles_asked < 66:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        log.stall.set()
        log.asked.clear()
        result = monitor(url, state)
        assert (result.exit_code, events(result)[0]["size"]) == (0, len(leaves))
        assert 0 < len([p for p in log.asked if "entries" in p]) <= 6
        assert [p.name for p in state.iterdir() if p.name.endswith(".tmp")] in ([], [".monitor.json"])
