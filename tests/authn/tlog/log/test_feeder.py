"""Gathering cosignatures from witnesses that work, are down, are slow, talk nonsense, or disagree."""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authn.core.errors import SplitView
from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.note import verify
from authn.tlog.format.policy import WitnessPolicy, parse_policy
from authn.tlog.log.feeder import MAX_ANSWER_BYTES, Collected, exchange_capped, feed
from authn.tlog.witness.witness import SIZE, Answer, Witness
from authn.web.witness import create_witness_app
from tests.authn.tlog.histories import History
from tests.doubles.witnesses import listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment

HISTORY = History(300)
DRIPS = 600  # a minute of them
A, B, C = (
    Cosigner(name=f"w.example/{n}", key=Ed25519PrivateKey.generate(), clock=lambda: 1_795_000_000)
    for n in "abc"
)


def policy(*witnesses: Cosigner, quorum: int = 1) -> WitnessPolicy:
    lines = [f"witness {w.name} {w.verifier} http://{w.name}" for w in witnesses]
    group = f"group g {quorum} {' '.join(w.name for w in witnesses)}"
    return parse_policy("\n".join((*lines, group, "quorum g")))


class Network:
    """Answers of witnesses by name; a missing one is down."""

    def __init__(self, **answers: Witness | Answer) -> None:
        self.answers = answers

    def __call__(self, url: str, body: bytes | None) -> Answer:
        found = self.answers.get(url.removesuffix("/add-checkpoint")[-1])
        if found is None:
            raise ConnectionRefusedError
        if isinstance(found, Answer):
            return found
        assert body is not None
        said: Answer = found.add_checkpoint(body)
        return Answer(status=said.status, content_type=said.content_type, body=said.body)


def collected(
    size: int, asked: WitnessPolicy, network: Network, log: History = HISTORY, newest: int | None = None
) -> Collected:
    now = size if newest is None else newest
    return feed(log.note(size), log.consistency, asked, newest=lambda: now, post=network)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "a.db", (HISTORY.key.verifier,), (A,))


def test_every_checkpoint_of_a_growing_log_is_cosigned(witness: Witness) -> None:
    for size in (0, 1, 1, 2, 100, 256, 300):
        gathered = collected(size, policy(A), Network(a=witness))
        assert (gathered.enough, gathered.missing, gathered.size) == (True, (), size)
        note = HISTORY.note(size) + gathered.cosigned[0].line
        assert len(verify(note, (HISTORY.key.verifier, A.verifier)).signatures) == 2


def test_witnesses_that_are_down_cost_their_own_signatures_alone(witness: Witness) -> None:
    two, three = (collected(9, policy(A, B, C, quorum=quorum), Network(a=witness)) for quorum in (1, 2))
    assert (two.enough, three.enough) == (True, False)
    assert [c.witness for c in two.cosigned] == ["w.example/a"]
    assert [m.split(":")[0] for m in two.missing] == ["w.example/b", "w.example/c"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=200, content_type="text/plain", body=""),
        Answer(status=200, content_type="text/plain", body="<html>\n"),
        Answer(status=200, content_type="text/plain", body="\u2014 w.example/a AAAA\n"),
        Answer(status=409, content_type=SIZE, body="many\n"),
        Answer(status=409, content_type=SIZE, body="007\n"),
        Answer(status=409, content_type=SIZE, body="3\n"),
        Answer(status=409, content_type="text/html", body="999\n"),
        Answer(status=302, content_type="text/html", body=""),
        Answer(status=500, content_type="text/html", body="\ufffd"),
    ],
)
def test_nonsense_is_no_signature_and_no_alarm(answer: Answer) -> None:
    gathered = collected(9, policy(A), Network(a=answer))
    assert (gathered.enough, gathered.cosigned, len(gathered.missing)) == (False, (), 1)


def test_a_signature_for_another_checkpoint_does_not_count() -> None:
    line = collected(8, policy(A), Network(a=_fresh_answer(8))).cosigned[0].line
    assert collected(9, policy(A), Network(a=Answer(status=200, content_type="", body=line))).cosigned == ()


def test_a_log_restored_from_a_backup_is_stopped(witness: Witness) -> None:
    collected(200, policy(A), Network(a=witness))
    with pytest.raises(SplitView, match="at 200, and it has 150 now"):
        collected(150, policy(A), Network(a=witness))


def test_an_old_checkpoint_of_a_log_that_has_grown_since_is_no_alarm(witness: Witness) -> None:
    collected(200, policy(A), Network(a=witness))
    assert collected(150, policy(A), Network(a=witness), newest=210).cosigned == ()


@pytest.mark.parametrize(("size", "says"), [(200, "another root for 200 entries"), (250, "another history")])
def test_a_second_history_is_stopped_and_the_witness_has_the_evidence(
    witness: Witness, size: int, says: str
) -> None:
    collected(200, policy(A), Network(a=witness))
    fork = History(300, key=HISTORY.key, changed_from=120)
    with pytest.raises(SplitView, match=says):
        collected(size, policy(A), Network(a=witness), fork)
    assert [e.split_view for e in witness.evidence()] == [size == 200]


def test_a_witness_that_names_its_size_with_the_refusal_of_a_root_is_understood_too() -> None:
    same = Answer(status=409, content_type=SIZE, body="9\n")
    with pytest.raises(SplitView, match="another root for 9 entries"):
        collected(9, policy(A), Network(a=same))
    assert collected(0, policy(A), Network(a=Answer(status=409, content_type="", body=""))).cosigned == ()


def test_over_http_a_witness_answers_as_it_does_here(witness: Witness) -> None:
    with listening(create_witness_app(witness)) as url:
        asked = parse_policy(f"witness a {A.verifier} {url}\nquorum a\n")
        for size in (7, 9):
            gathered = feed(HISTORY.note(size), HISTORY.consistency, asked, newest=lambda: 9)
            assert gathered.enough
        with pytest.raises(SplitView):
            feed(HISTORY.note(3), HISTORY.consistency, asked, newest=lambda: 3)


def test_a_witness_that_drips_floods_or_redirects_is_left_in_time() -> None:
    sent: list[str] = []

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
        path = environ["PATH_INFO"]
        start(
            "302 Found" if path == "/redirect" else "200 OK", [("Location", "/ok")] if "red" in path else []
        )
        for _ in range(DRIPS):
            sent.append(path)
            yield b"x" * (MAX_ANSWER_BYTES if path == "/flood" else 1)
            time.sleep(0.1 if path == "/drip" else 0)

    with listening(app) as url:
        with pytest.raises(TimeoutError):
            exchange_capped(f"{url}/drip", b"", timeout_s=0.5)
        assert sent.count("/drip") < DRIPS
        with pytest.raises(OSError, match="too long"):
            exchange_capped(f"{url}/flood", b"", timeout_s=60)
        assert exchange_capped(f"{url}/redirect", b"", timeout_s=60).status == 302


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:70000", f"http://{'a' * 70}.example", "http://a b", "ftp://127.0.0.1", "http://[::"],
)
def test_an_address_that_cannot_be_one_is_an_ordinary_failure(address: str) -> None:
    with pytest.raises((OSError, HTTPException)):
        exchange_capped(f"{address}/add-checkpoint", b"", timeout_s=2)


def _fresh_answer(size: int) -> Answer:
    line = "".join(f"{x}\n" for x in _cosigned_note(size).split("\n") if x.startswith("\u2014 w.example/a"))
    return Answer(status=200, content_type="text/plain", body=line)


def _cosigned_note(size: int) -> str:
    from authn.tlog.format.note import sign

    note = HISTORY.note(size)
    text = verify(note, (HISTORY.key.verifier,)).text
    return sign(text, (HISTORY.key, A))
