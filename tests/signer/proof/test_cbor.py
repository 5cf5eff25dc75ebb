"""One error for all that strangers' CBOR can be."""

from __future__ import annotations

import cbor2
import pytest

from signer.proof.cbor import NotCbor, read_cbor


def test_what_is_cbor_is_read() -> None:
    assert read_cbor(cbor2.dumps({"counter": 5, "hash": b"x"})) == {"counter": 5, "hash": b"x"}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"\x18", b"\x62\xff\xfe", b"\x81" * 100_000, b"\x5b\x7f" + b"\xff" * 7,
        b"\x9b\x7f" + b"\xff" * 7, b"\xc0\x61x", b"\xd8\x25\x41\0", b"\xc1\xfb\x7f\xf0" + bytes(6),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_not_has_one_error(data: bytes) -> None:
    with pytest.raises(NotCbor):
        read_cbor(data)
