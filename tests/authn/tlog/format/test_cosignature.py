"""Cosignatures: ours verify, other people's verify, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from authn.core.errors import NoteError
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.cosignature import Cosigner, parse_witness_key, signed_at
from authn.tlog.format.note import SigningKey, parse_vkey, sign, verify

TEXT = Checkpoint("log.example", 7, bytes(range(32))).text()
LOG = SigningKey.generate("log.example")


def cosigner(algorithm: int, at: int = 1_795_000_000) -> Cosigner:
    key = Ed25519PrivateKey.generate() if algorithm == 4 else MLDSA44PrivateKey.generate()
    return Cosigner(name="w.example", key=key, clock=lambda: at)


@pytest.mark.parametrize("algorithm", [4, 6])
def test_a_cosigned_checkpoint_verifies_under_the_witness_key_and_names_its_time(algorithm: int) -> None:
    witness = cosigner(algorithm)
    key = parse_witness_key(str(witness.verifier))
    verified = verify(sign(TEXT, (LOG, witness)), (LOG.verifier, key))
    assert [s.name for s in verified.signatures] == ["log.example", "w.example"]
    assert signed_at(verified.signatures[1].signature) == 1_795_000_000


@pytest.mark.parametrize("algorithm", [4, 6])
def test_no_changed_byte_of_time_signature_or_checkpoint_is_accepted(algorithm: int) -> None:
    witness = cosigner(algorithm)
    signature = witness.signature(TEXT)
    assert witness.verifier.accepts(TEXT, signature)
    for at in (0, 7, 8, 9, len(signature) - 1):
        changed = bytearray(signature)
        changed[at] ^= 1
        assert not witness.verifier.accepts(TEXT, bytes(changed))
    for text in (TEXT.replace("\n7\n", "\n8\n"), TEXT.replace("log.", "lag."), "", "no checkpoint\n"):
        assert not witness.verifier.accepts(text, signature)
    for short in (b"", signature[:8], signature[:-1], signature + b"\0"):
        assert not witness.verifier.accepts(TEXT, short)


@pytest.mark.parametrize("algorithm", [4, 6])
def test_a_cosignature_without_a_time_is_refused(algorithm: int) -> None:
    witness = cosigner(algorithm, at=0)
    assert not witness.verifier.accepts(TEXT, witness.signature(TEXT))


def test_the_key_of_a_log_is_no_key_of_a_witness_nor_the_other_way_round() -> None:
    with pytest.raises(NoteError):
        parse_witness_key(str(LOG.verifier))
    with pytest.raises(NoteError):
        parse_vkey(str(cosigner(4).verifier))


def test_a_witness_signs_nothing_but_checkpoints() -> None:
    with pytest.raises(NoteError):
        cosigner(4).signature("transfer everything\n")


def test_cosignatures_that_sunlight_wrote_verify(suites: Path) -> None:
    folder = suites / "sunlight-testdata"
    keys = [
        parse_witness_key(json.loads((folder / name).read_text())["verifier_keys"][0])
        for name in (
            "witness/witness.v0.json",
            "witness2/witness.v0.json",
            "witness/mirror/mirror.v0.json",
        )
    ]
    notes = [p for p in sorted(folder.glob("witness*/**/checkpoint")) if len(p.parent.name) == 64]
    assert len(notes) == 3
    for path in notes:
        verified = verify(path.read_text(), keys)
        assert parse_checkpoint(verified.text).size > 0
        assert all(signed_at(s.signature) for s in verified.signatures)


def test_ed25519_and_ml_dsa_44_judge_every_wycheproof_vector_as_its_authors_do(suites: Path) -> None:
    judged = {"ed25519": 0, "mldsa_44_verify": 0}
    for suite in judged:
        groups = json.loads((suites / "wycheproof" / f"{suite}_test.json").read_text())["testGroups"]
        for group in groups:
            public = bytes.fromhex(group["publicKey"]["pk"] if suite == "ed25519" else group["publicKey"])
            for case in group["tests"]:
                context = bytes.fromhex(case.get("ctx", ""))
                accepted = _accepts(
                    suite, public, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]), context
                )
                assert accepted == (case["result"] == "valid"), (suite, case["tcId"], case["comment"])
                judged[suite] += 1
    assert judged == {"ed25519": 151, "mldsa_44_verify": 180}


def _accepts(suite: str, public: bytes, message: bytes, signature: bytes, context: bytes) -> bool:
    try:
        if suite == "ed25519":
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        else:
            MLDSA44PublicKey.from_public_bytes(public).verify(signature, message, context)
    except (InvalidSignature, ValueError):
        return False
    return True
