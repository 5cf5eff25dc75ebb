"""A key counts once, whatever it is called, and the log's own key vouches for nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authn.core.errors import NoteError
from authn.core.evidence import Outcome
from authn.provenance.logs import LogTrust, parse_witness_keys, record_axis
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.cosignature import Cosigner, WitnessKey
from authn.tlog.format.entry import EntryKind, canonical, new_entry
from authn.tlog.format.merkle import leaf_hash
from authn.tlog.format.note import SigningKey, sign
from authn.tlog.format.policy import parse_policy
from authn.tlog.format.receipt import Receipt, parse_receipt, verify_receipt

LOG = SigningKey.generate("log.example")
RECORD = {"number": 1}


def cosigner(name: str, key: Ed25519PrivateKey | None = None) -> Cosigner:
    return Cosigner(name=name, key=key or Ed25519PrivateKey.generate(), clock=lambda: 1_795_000_000)


A = cosigner("a.example")
AGAIN = cosigner("b.example", A.key)  # type: ignore[arg-type]
OTHER = cosigner("c.example")
OWN = cosigner("log.example/w", LOG.key)


def receipt(*signers: Cosigner) -> str:
    entry = new_entry(EntryKind.RECEIPT, RECORD)
    note = sign(Checkpoint(LOG.name, 1, leaf_hash(entry.leaf)).text(), (LOG, *signers))
    made = Receipt(index=0, proof=(), note=note, kind=str(entry.kind), salt=entry.salt)
    return made.text()


def trust(quorum: int, *witnesses: Cosigner) -> LogTrust:
    return LogTrust(logs=(LOG.verifier,), witnesses=tuple(w.verifier for w in witnesses), quorum=quorum)


@pytest.mark.parametrize(
    ("signers", "quorum", "enough"),
    [
        ((A, AGAIN), 1, True),
        ((A, AGAIN), 2, False),
        ((A, AGAIN, OTHER), 2, True),
        ((A, AGAIN, OTHER), 3, False),
        ((AGAIN,), 1, True),  # the name that it was not called by first
        ((OWN,), 1, False),
        ((OWN, A), 2, False),
        ((OWN, A, OTHER), 2, True),
    ],
)
def test_names_do_not_make_witnesses(signers: tuple[Cosigner, ...], quorum: int, enough: bool) -> None:
    text = receipt(*signers)
    axis = record_axis(RECORD, text, trust(quorum, A, AGAIN, OTHER, OWN))
    assert axis.outcome is Outcome.ESTABLISHED  # the log's word, witnessed or not
    assert (axis.findings[-1].code == "assay.log.witnessed") == enough
    found = parse_receipt(text)
    verified = verify_receipt(
        found, new_leaf(found), LOG.verifier, tuple(w.verifier for w in (A, AGAIN, OTHER, OWN))
    )
    assert len(verified.witnessed_by) == len({public(s) for s in signers} - {LOG.verifier.public})


def new_leaf(found: Receipt) -> bytes:
    return found.leaf(canonical(RECORD))


def public(signer: Cosigner) -> bytes:
    return signer.verifier.public


@pytest.mark.parametrize(
    "keys",
    [
        lambda: (A.verifier, AGAIN.verifier),
        lambda: (OTHER.verifier, A.verifier, replace(A.verifier, name="d.example")),
        lambda: (A.verifier, OTHER.verifier, AGAIN.verifier, replace(OTHER.verifier, name="e.example")),
    ],
)
def test_one_key_under_two_names_is_refused_where_keys_are_given(
    keys: Callable[[], tuple[WitnessKey, ...]],
) -> None:
    with pytest.raises(NoteError, match="one key stands for two witnesses"):
        parse_witness_keys([str(key) for key in keys()])


def test_a_log_s_own_key_is_refused_as_its_witness() -> None:
    with pytest.raises(NoteError, match="own key stands as its witness"):
        parse_witness_keys([str(A.verifier), str(OWN.verifier)], (LOG.verifier,))


def test_the_same_key_given_twice_is_one() -> None:
    assert parse_witness_keys([str(A.verifier), str(A.verifier)]) == (A.verifier,)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((f"witness a {A.verifier}", f"witness b {AGAIN.verifier}"), "one key stands for two"),
        ((f"witness a {A.verifier}", f"witness own {OWN.verifier}"), "own key stands as its witness"),
        ((f"witness own {OWN.verifier}",), "own key stands as its witness"),
    ],
)
def test_a_policy_counts_keys_too(lines: tuple[str, ...], why: str) -> None:
    with pytest.raises(NoteError, match=why):
        parse_policy("\n".join((f"log {LOG.verifier}", *lines, "quorum none")) + "\n")
