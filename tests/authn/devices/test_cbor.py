"""The strict reader of CBOR agrees with another reader where it reads, and refuses second spellings."""

from __future__ import annotations

import random

import cbor2
import pytest

from authn.devices.attestation.cbor import MAX_DEPTH, MAX_ITEMS, CborError, single

VALUES = [
    0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1, -1, -24, -25, -(2**32),
    b"", b"\x00" * 24, "", "ä" * 200, True, False, None, [], [1, [2, [b"3"]]], {},
    {1: 2, -1: "a", "b": [b"c"]},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda v: repr(v)[:24])
def test_what_another_encoder_writes_is_read_as_it_was_meant(value: object) -> None:
    assert single(cbor2.dumps(value)) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "truncated"),
        ("1817", "shortest"),
        ("190018", "shortest"),
        ("1900ff", "shortest"),
        ("1a0000ffff", "shortest"),
        ("1b00000000ffffffff", "shortest"),
        ("5803616263", "shortest"),
        ("5f4161ff", "indefinite"),
        ("9fff", "indefinite"),
        ("bfff", "indefinite"),
        ("c001", "a tag"),
        ("f97e00", "fraction"),
        ("f7", "unknown simple"),
        ("f820", "fraction"),
        ("1c", "reserved"),
        ("a20101", "truncated"),
        ("a201020103", "twice"),
        ("a1f501", "number or a text"),
        ("61ff", "not UTF-8"),
        ("4261", "truncated"),
        ("5b7fffffffffffffff", "truncated"),
        ("0000", "trailing"),
    ],
)
def test_a_second_spelling_is_refused(data: str, reason: str) -> None:
    with pytest.raises(CborError, match=reason):
        single(bytes.fromhex(data))


def test_depth_and_size_are_bounded() -> None:
    assert single(b"\x81" * MAX_DEPTH + b"\x00") is not None
    with pytest.raises(CborError, match="deeply"):
        single(b"\x81" * (MAX_DEPTH + 1) + b"\x00")
    with pytest.raises(CborError, match="too many"):
        single(cbor2.dumps([0] * (MAX_ITEMS + 1)))


def test_random_bytes_are_read_as_another_reader_reads_them_or_refused() -> None:
    draw = random.Random(8949)
    read = 0
    for _ in range(20_000):
        data = draw.randbytes(draw.randrange(1, 12))
        try:
            found = single(data)
        except CborError:
            continue
        assert found == cbor2.loads(data)
        read += 1
    assert read > 400
