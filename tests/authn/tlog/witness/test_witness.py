"""A witness: what it signs, what it refuses, what it keeps, and that it forgets nothing when it is killed."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authn.core.errors import NoteError
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.cosignature import Cosigner, WitnessKey, parse_witness_key
from authn.tlog.format.note import SigningKey, verify
from authn.tlog.witness.witness import MAX_BODY_BYTES, MAX_UNPROVEN, Witness, parse_log
from authn.web.witness import create_witness_app
from tests.authn.tlog.histories import ORIGIN, History, body

if TYPE_CHECKING:
    from collections.abc import Iterator

COSIGNER = Cosigner(name="w.example/1", key=Ed25519PrivateKey.generate(), clock=lambda: 1_795_000_000)
HISTORY = History(600)
FORK = History(600, key=HISTORY.key, changed_from=150)
ORIGIN_HASH = sha256(ORIGIN.encode()).hexdigest()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness.db", (HISTORY.key.verifier,), (COSIGNER,))


def cosigned(note: str, line: str, key: WitnessKey = COSIGNER.verifier) -> bool:
    return len(verify(note + line, (HISTORY.key.verifier, key)).signatures) == 2


def test_a_growing_log_gets_a_cosignature_for_each_checkpoint(witness: Witness) -> None:
    for old, new in ((0, 0), (0, 1), (1, 1), (1, 7), (7, 256), (256, 257), (257, 600)):
        answer = witness.add_checkpoint(HISTORY.request(old, new))
        assert (answer.status, cosigned(HISTORY.note(new), answer.body)) == (200, True), (old, new)
    shown = witness.checkpoint(ORIGIN_HASH)
    assert shown is not None
    assert cosigned(shown, "")
    assert parse_checkpoint(verify(shown, (HISTORY.key.verifier,)).text).size == 600
    assert witness.evidence() == ()


def test_a_log_that_was_restored_from_a_backup_is_told_the_larger_size(witness: Witness) -> None:
    witness.add_checkpoint(HISTORY.request(0, 200))
    answer = witness.add_checkpoint(HISTORY.request(100, 150))
    assert (answer.status, answer.body, answer.content_type) == (409, "200\n", "text/x.tlog.size")


def test_two_histories_of_one_size_are_refused_and_both_notes_kept(witness: Witness) -> None:
    witness.add_checkpoint(HISTORY.request(0, 200))
    answer = witness.add_checkpoint(FORK.request(200, 200))
    assert (answer.status, answer.content_type) == (409, "text/plain; charset=utf-8")  # as tlog-witness asks
    (kept,) = witness.evidence()
    assert kept.split_view
    roots = [parse_checkpoint(verify(n, (HISTORY.key.verifier,)).text) for n in (kept.held, kept.offered)]
    assert roots[0].size == roots[1].size == 200
    assert roots[0].root != roots[1].root


def test_a_split_view_is_kept_also_where_the_old_size_is_wrong(witness: Witness) -> None:
    witness.add_checkpoint(HISTORY.request(0, 200))
    assert witness.add_checkpoint(FORK.request(10, 200)).status == 409
    assert [kept.split_view for kept in witness.evidence()] == [True]


def test_a_second_history_that_grew_is_refused_and_the_first_goes_on(witness: Witness) -> None:
    witness.add_checkpoint(HISTORY.request(0, 200))
    assert witness.add_checkpoint(FORK.request(200, 300)).status == 422
    assert [kept.split_view for kept in witness.evidence()] == [False]
    assert witness.add_checkpoint(HISTORY.request(200, 300)).status == 200


def test_bad_proofs_fill_no_disk_and_keep_no_split_view_out(tmp_path: Path) -> None:
    long = History(MAX_UNPROVEN + 60, key=HISTORY.key)
    witness = Witness(tmp_path / "w.db", (HISTORY.key.verifier,), (COSIGNER,))
    witness.add_checkpoint(long.request(0, 9))
    for size in range(10, MAX_UNPROVEN + 60):
        assert witness.add_checkpoint(body(9, (), long.note(size))).status == 422
    assert len(witness.evidence()) == MAX_UNPROVEN
    other = History(9, key=HISTORY.key, changed_from=3)
    assert witness.add_checkpoint(other.request(9, 9)).status == 409
    assert witness.evidence()[-1].split_view


def test_an_unknown_log_and_a_stranger_s_signature_are_refused(witness: Witness) -> None:
    assert (
        witness.add_checkpoint(History(5, key=SigningKey.generate("x.example")).request(0, 5)).status == 404
    )
    assert witness.add_checkpoint(History(5).request(0, 5)).status == 403
    assert witness.checkpoint(ORIGIN_HASH) is None


GOOD = HISTORY.request(3, 5).decode()


GO_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
GO = "go.sum database tree"


@pytest.mark.parametrize("origin", [GO, "another tree", "x"])
def test_a_log_may_be_called_otherwise_than_its_key(tmp_path: Path, origin: str) -> None:
    history = History(9, key=SigningKey.generate("sum.example"), origin=origin)
    known = parse_log(f"{history.key.verifier} {origin}")
    witness = Witness(tmp_path / "witness.db", (known,), (COSIGNER,))
    for old, new in ((0, 4), (4, 9)):
        answer = witness.add_checkpoint(history.request(old, new))
        assert answer.status == 200, answer.body
        keys = (history.key.verifier, COSIGNER.verifier)
        assert len(verify(history.note(new) + answer.body, keys).signatures) == 2
    assert witness.checkpoint(sha256(origin.encode()).hexdigest()) is not None
    own = History(9, key=history.key)  # the same key, and the name that it was not given for
    assert witness.add_checkpoint(own.request(0, 4)).status == 404


def test_a_key_signs_for_no_log_that_it_was_not_given_for(tmp_path: Path) -> None:
    """Whoever runs one log could otherwise use up the name of another."""
    thief = History(9, key=SigningKey.generate("thief.example"), origin=ORIGIN)
    witness = Witness(tmp_path / "a.db", (HISTORY.key.verifier, thief.key.verifier), (COSIGNER,))
    assert witness.add_checkpoint(thief.request(0, 4)).status == 403
    assert witness.add_checkpoint(HISTORY.request(0, 4)).status == 200


def test_the_key_of_the_go_checksum_database_is_known_for_its_log() -> None:
    assert parse_log(GO_KEY).origin == GO
    assert parse_log(f"{GO_KEY} other").origin == "other"
    assert parse_log(str(HISTORY.key.verifier)).origin == ""


def test_two_keys_for_one_log_are_refused_rather_than_one_of_them_forgotten(tmp_path: Path) -> None:
    other = SigningKey.generate(ORIGIN).verifier
    with pytest.raises(NoteError, match="two keys"):
        Witness(tmp_path / "a.db", (HISTORY.key.verifier, other), (COSIGNER,))
    Witness(tmp_path / "a.db", (HISTORY.key.verifier, HISTORY.key.verifier), (COSIGNER,))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xff\xfe",
        b"old 0\n\n",
        GOOD.replace("old 3", "old 03").encode(),
        GOOD.replace("old 3", "old -3").encode(),
        GOOD.replace("old 3", "old \u0663").encode(),
        GOOD.replace("old 3", "old 99999999999999999999").encode(),
        GOOD.replace("old 3", "new 3").encode(),
        GOOD.replace("old 3", "old 6").encode(),
        GOOD.replace("old 3\n", "old 3\nAAAA\n").encode(),
        GOOD.replace("old 3\n", "old 3\n*\n").encode(),
        ("old 3\n" + "A" * 43 + "=\n" * 1).encode(),
        body(3, (bytes(32),) * 64, HISTORY.note(5)),
        b"old 3\n\n" + b"A" * MAX_BODY_BYTES,
    ],
)
def test_what_is_no_request_is_a_bad_request(witness: Witness, bad: bytes) -> None:
    assert witness.add_checkpoint(bad).status == 400


def test_the_routes_are_those_of_tlog_witness(witness: Witness) -> None:
    client = create_witness_app(witness).test_client()
    assert client.get(f"/{ORIGIN_HASH}/checkpoint").status_code == 404
    assert client.post("/add-checkpoint", data=HISTORY.request(0, 3)).status_code == 200
    conflict = client.post("/add-checkpoint", data=HISTORY.request(0, 3))
    assert (conflict.status_code, conflict.content_type, conflict.text) == (409, "text/x.tlog.size", "3\n")
    assert cosigned(client.get(f"/{ORIGIN_HASH}/checkpoint").text, "")
    assert client.post("/add-checkpoint", data=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413


def test_of_two_that_continue_from_one_size_at_once_one_wins(witness: Witness) -> None:
    witness.add_checkpoint(HISTORY.request(0, 200))
    answers = []
    threads = [
        Thread(target=lambda h=h: answers.append(witness.add_checkpoint(h.request(200, 300)).status))
        for h in (HISTORY, HISTORY, HISTORY, HISTORY)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409]


@contextmanager
def served(home: Path, log: str = str(HISTORY.key.verifier)) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = (sys.executable, "-m", "authn", "witness", "serve", "--home", str(home))
    process = subprocess.Popen(
        (*command, "--listen", "127.0.0.1:0", "--log", log),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        found = re.search(r"http://\S+/", said)
        assert found, said
        yield found.group(), process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def post(url: str, content: bytes) -> tuple[int, str]:
    request = urllib.request.Request(f"{url}add-checkpoint", data=content, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode()


@pytest.mark.slow
def test_a_witness_that_is_killed_at_any_moment_never_signs_a_second_history(tmp_path: Path) -> None:
    home = tmp_path / "w"
    made = subprocess.run(
        (sys.executable, "-m", "authn", "witness", "init", "--home", str(home), "--name", "w.example/k"),
        capture_output=True,
        text=True,
        check=True,
    )
    key = parse_witness_key(made.stdout.strip())
    promised = 0
    for round_ in range(4):
        with served(home) as (url, process):
            status, text = post(url, HISTORY.request(0, 0))
            held = int(text) if status == 409 else 0
            assert held >= promised  # what left the process is remembered
            if held > 150:
                assert post(url, FORK.request(held, held))[0] == 409

            signed = Event()

            def kill(
                process: subprocess.Popen[str] = process, signed: Event = signed, round_: int = round_
            ) -> None:
                signed.wait(60)
                time.sleep(0.03 * (round_ + 1))
                os.killpg(process.pid, signal.SIGKILL)

            killer = Thread(target=kill)
            killer.start()
            with suppress(OSError, http.client.HTTPException):
                for size in range(held + 1, 600):
                    status, line = post(url, HISTORY.request(size - 1, size))
                    assert status == 200
                    assert cosigned(HISTORY.note(size), line, key)
                    promised = size
                    signed.set()
            killer.join()
    assert promised > 0


@pytest.mark.parametrize("command", [("serve", "--log", str(HISTORY.key.verifier)), ("evidence",)])
def test_a_witness_that_lost_its_memory_signs_no_more(tmp_path: Path, command: tuple[str, ...]):
    home = tmp_path / "w"
    run = partial(subprocess.run, capture_output=True, text=True, timeout=60, check=False)
    assay = (sys.executable, "-m", "authn", "witness")
    assert run([*assay, "init", "--home", str(home), "--name", "w.example/k"]).returncode == 0
    assert run([*assay, "evidence", "--home", str(home)]).returncode == 0
    for path in home.glob("witness.db*"):
        path.unlink()
    found = run([*assay, command[0], "--home", str(home), *command[1:]])
    assert (found.returncode, "nobody knows what this witness has signed" in found.stderr) == (4, True)
    assert not (home / "witness.db").exists()


def test_the_command_takes_logs_that_are_not_called_as_their_key(tmp_path: Path):
    home = tmp_path / "w"
    init = (sys.executable, "-m", "authn", "witness", "init", "--home", str(home), "--name", "w.example/k")
    subprocess.run(init, capture_output=True, timeout=60, check=True)
    with served(home, f"{HISTORY.key.verifier} some database tree") as (url, _):
        assert post(url, HISTORY.request(0, 1))[0] == 404
        other = HISTORY.request(0, 1).replace(ORIGIN.encode() + b"\n", b"some database tree\n", 1)
        assert post(url, other)[0] == 403  # known, and not signed as such
