"""Signed notes and checkpoints: one spelling, unknown keys ignored, bad signatures of known ones not."""

from __future__ import annotations

import base64

import pytest

from authn.core.errors import NoteError
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.note import SigningKey, key_id, parse, parse_vkey, sign, verify

A, B = SigningKey.generate("a.example/log"), SigningKey.generate("b.example")
TEXT = "first line\n\nafter an empty one\n"


def test_a_note_says_who_of_the_known_keys_has_signed_it() -> None:
    note = sign(TEXT, (A, B))
    assert [s.name for s in verify(note, (A.verifier, B.verifier)).signatures] == [A.name, B.name]
    assert [s.name for s in verify(note, (B.verifier,)).signatures] == [B.name]
    assert verify(note, (A.verifier,)).text == TEXT
    assert len(parse(note).signatures) == 2


def test_a_note_by_strangers_alone_is_refused() -> None:
    with pytest.raises(NoteError, match="nobody"):
        verify(sign(TEXT, (A,)), (B.verifier,))


def test_a_bad_signature_by_a_known_key_refuses_the_note_that_another_signed_well() -> None:
    note = sign(TEXT, (A, B))
    raw = bytearray(A.key_id + A.signature(TEXT))
    good = base64.b64encode(raw).decode()
    raw[-1] ^= 1
    forged = note.replace(good, base64.b64encode(raw).decode())
    assert forged != note
    with pytest.raises(NoteError, match=A.name):
        verify(forged, (A.verifier, B.verifier))
    assert verify(forged, (B.verifier,)).text == TEXT


def test_a_key_of_the_same_name_is_another_key() -> None:
    same = SigningKey.generate(A.name)
    with pytest.raises(NoteError, match="nobody"):
        verify(sign(TEXT, (same,)), (A.verifier,))


NOTE = sign("x\n", (A,))
LINE = NOTE.split("\n")[2]


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "x\n",
        "\n\n",
        "x\n\n",
        NOTE[:-1],
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("x", "x\t"),
        NOTE.replace("x", "\ud800"),
        NOTE + "\n",
        NOTE.replace("\u2014 ", "- "),
        NOTE.replace(" a.ex", "  a.ex"),
        NOTE.replace("a.example", "a+example"),
        NOTE.replace("a.example", "a\u2003example"),
        NOTE.replace("=\n", "\n"),
        "x\n\n\u2014 a.example AAAA\n",
        "x\n\n\u2014 a.example\n",
        "x\n\n" + f"{LINE}\n" * 65,
        "x" * 1_000_001 + NOTE,
    ],
)
def test_what_is_not_written_canonically_is_no_note(bad: str) -> None:
    assert bad != NOTE
    with pytest.raises(NoteError):
        verify(bad, (A.verifier,))


def test_base64_whose_last_bits_are_not_zero_is_refused() -> None:
    """A decoder that ignores them would see the same signature in two spellings."""
    raw = base64.b64encode(A.key_id + A.signature("x\n")).decode()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body, padding = raw.rstrip("="), raw[len(raw.rstrip("=")) :]
    other = body[:-1] + alphabet[alphabet.index(body[-1]) ^ 1] + padding
    assert base64.b64decode(other) == base64.b64decode(raw)
    with pytest.raises(NoteError, match="canonical"):
        parse(NOTE.replace(raw, other))


def test_a_key_is_read_back_from_its_word_and_from_no_other() -> None:
    word = str(A.verifier)
    assert parse_vkey(word) == A.verifier
    name, id_, key = word.split("+", 2)
    assert id_ == key_id(A.name, 1, A.verifier.public).hex()
    for bad in (f"{name}x+{id_}+{key}", f"{name}+00000000+{key}", f"{name}+{id_}+{key[:-4]}", name, "", "++"):
        with pytest.raises(NoteError):
            parse_vkey(bad)


def test_the_key_of_go_s_checksum_database_is_read_as_go_reads_it() -> None:
    """From golang.org/x/mod/sumdb's documentation."""
    key = parse_vkey("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
    assert (key.name, key.key_id.hex(), len(key.public)) == ("sum.golang.org", "033de0ae", 32)


ROOT = base64.b64encode(bytes(range(32))).decode()
GOOD = f"log.example\n42\n{ROOT}\n"


def test_a_checkpoint_is_what_its_text_says() -> None:
    assert parse_checkpoint(GOOD) == Checkpoint("log.example", 42, bytes(range(32)))
    assert parse_checkpoint(GOOD).text() == GOOD
    assert parse_checkpoint(GOOD + "more\n").extensions == ("more",)
    assert parse_checkpoint(f"log.example\n0\n{ROOT}\n").size == 0


@pytest.mark.parametrize(
    "bad",
    [
        "",
        GOOD[:-1],
        GOOD + "\n",
        GOOD.replace("\n42\n", "\n042\n"),
        GOOD.replace("\n42\n", "\n+42\n"),
        GOOD.replace("\n42\n", "\n-1\n"),
        GOOD.replace("\n42\n", "\n \u0664\n"),
        GOOD.replace("\n42\n", "\n\u0664\n"),
        GOOD.replace("\n42\n", "\n4_2\n"),
        GOOD.replace("\n42\n", f"\n{1 << 63}\n"),
        GOOD.replace("\n42\n", "\n" + "9" * 5000 + "\n"),
        GOOD.replace("log.example", ""),
        GOOD.replace(ROOT, ROOT[:-4]),
        GOOD.replace(ROOT, "AAAA"),
        GOOD.replace(ROOT, ROOT[:-2] + "9="),
        GOOD.replace(ROOT, "*" * 44),
        GOOD.replace(ROOT, base64.b64encode(bytes(33)).decode()),
    ],
)
def test_a_checkpoint_has_one_spelling(bad: str) -> None:
    assert bad != GOOD
    with pytest.raises(NoteError):
        parse_checkpoint(bad)
