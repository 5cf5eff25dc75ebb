"""What is logged: a salted commitment to a record, and the kind of the record. Never the record itself.

docs/formats/log.md describes the bytes. Whoever is given salt and record can check the commitment; once the
salt is destroyed nobody can, not even by trying every likely record, and the tree stays as it is.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

SALT_BYTES = 32
VERSION = 1
MAX_RECORD_BYTES = 1 << 20
MAX_INTEGER = 2**53 - 1  # RFC 8785 section 3.2.2.3: beyond this, readers of JSON disagree

Value = str | int | bool | None | Sequence["Value"] | Mapping[str, "Value"]


class EntryKind(StrEnum):
    """Everything that can be logged."""

    RECEIPT = "receipt"  # a capture was taken in
    CERTIFICATE = "certificate.issued"
    REVOCATION = "device.revoked"
    TSA = "tsa.changed"
    POLICY = "policy.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A record that is to be logged, with its salt. Logging the same entry again changes nothing."""

    kind: EntryKind
    record: bytes
    salt: bytes = field(repr=False)

    @property
    def leaf(self) -> bytes:
        """The bytes that go into the log and are public."""
        return leaf_bytes(self.kind, self.salt, self.record)


def new_entry(kind: EntryKind, record: Mapping[str, Value]) -> LogEntry:
    """An entry under a fresh salt. Raises ``ValueError`` as ``canonical``, and for a record over 1 MiB."""
    text = canonical(record)
    if len(text) > MAX_RECORD_BYTES:
        raise ValueError("a record has at most one MiB")
    return LogEntry(kind=kind, record=text, salt=secrets.token_bytes(SALT_BYTES))


def leaf_bytes(kind: str, salt: bytes, record: bytes) -> bytes:
    """The leaf for a record; the fixed length of the salt keeps salt and record apart."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return canonical({"commit": sha256(salt + record).hexdigest(), "kind": str(kind), "v": VERSION})


def canonical(value: Mapping[str, Value]) -> bytes:
    """RFC 8785 for the values that are allowed here: no fractions, names in ASCII.

    Raises ``ValueError`` for everything else, so that one record has one spelling.
    """
    _check(value)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError


def _check(value: Value) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ValueError("a whole number in a record lies within 53 bits")
    elif isinstance(value, Mapping):
        for name, member in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise ValueError("names in a record are ASCII text")
            _check(member)
    elif isinstance(value, list | tuple):
        for member in value:
            _check(member)
    else:
        raise ValueError("a record holds objects, lists, text, whole numbers, true, false and null")  # noqa: TRY004
