"""What is logged: a salted commitment to a record, and the kind of the record. Never the record itself.

docs/formats/log.md describes the bytes. Whoever is given salt and record can check the commitment; once the
salt is destroyed nobody can, not even by trying every likely record, and the tree stays as it is.

Leaves about certificates and revocations carry tags too (version 2): hashes by which whoever knows a device,
a key or a certificate finds the leaves about it, and nobody else learns anything (decision 0007).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

SALT_BYTES = 32
VERSION, TAGGED_VERSION = 1, 2
TAG_DOMAIN = b"assay.log/tag/v2"
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
    AUDIT = "audit.finished"  # the statement of completeness of an audit


# tag -> the member of the record that it is made of, where the record has it
TAGS = {"certificate": "certificate_sha256", "device": "device_id", "key": "spki_sha256"}
TAGGED_KINDS = frozenset({EntryKind.CERTIFICATE, EntryKind.REVOCATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A record that is to be logged, with its salt. Logging the same entry again changes nothing.

    ``version`` is that of its leaf; None is the newest of its kind.
    """

    kind: EntryKind
    record: bytes
    salt: bytes = field(repr=False)
    version: int | None = None
    _leaf: bytes = field(default=b"", init=False, repr=False, compare=False)  # made when first asked for

    @property
    def leaf(self) -> bytes:
        """The bytes that go into the log and are public."""
        if not self._leaf:
            made = leaf_bytes(self.kind, self.salt, self.record, self.leaf_version)
            object.__setattr__(self, "_leaf", made)
        return self._leaf

    @property
    def leaf_version(self) -> int:
        return newest_version(self.kind) if self.version is None else self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What everybody can read in a leaf. ``tags``: name and hash."""

    kind: str
    version: int
    commit: bytes
    tags: tuple[tuple[str, bytes], ...] = ()


def newest_version(kind: str) -> int:
    """The version in which leaves of a kind are written now."""
    return TAGGED_VERSION if kind in TAGGED_KINDS else VERSION


def new_entry(kind: EntryKind, record: Mapping[str, Value]) -> LogEntry:
    """An entry under a fresh salt. Raises ``ValueError`` as ``canonical``, and for a record over 1 MiB."""
    text = canonical(record)
    if len(text) > MAX_RECORD_BYTES:
        raise ValueError("a record has at most one MiB")
    return LogEntry(kind=kind, record=text, salt=secrets.token_bytes(SALT_BYTES))


def leaf_bytes(kind: str, salt: bytes, record: bytes, version: int = VERSION) -> bytes:
    """The leaf for a record; the fixed length of the salt keeps salt and record apart.

    Raises ``ValueError``: a salt of another length, an unknown version, a record that is no JSON object.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    commit = sha256(salt + record).digest()
    leaf: dict[str, Value] = {"commit": commit.hex(), "kind": str(kind), "v": version}
    if version == TAGGED_VERSION:
        leaf["tags"] = {name: hash_.hex() for name, hash_ in _tags(commit, record)}
    elif version != VERSION:
        raise ValueError("leaves have version 1 or 2")
    return canonical(leaf)


def tag(name: str, commit: bytes, value: str) -> bytes:
    """What a leaf with this commitment says about a device, a key or a certificate (``TAGS``).

    The commitment makes it another hash in every leaf: nobody who does not know ``value`` can tell that two
    leaves are about the same.
    """
    return sha256(b"\n".join((TAG_DOMAIN, name.encode(), commit + value.encode()))).digest()


def parse_leaf(leaf: bytes) -> Leaf:
    """Raises ``ValueError`` for anything that ``leaf_bytes`` would not have written."""
    try:
        members = json.loads(leaf)
        kind, version, commit = members["kind"], members["v"], bytes.fromhex(members["commit"])
        tags = tuple((name, bytes.fromhex(text)) for name, text in members.get("tags", {}).items())
    except (KeyError, TypeError, AttributeError, RecursionError) as e:
        raise ValueError("this is no leaf of a log") from e
    found = Leaf(kind=kind, version=version, commit=commit, tags=tags)
    if not isinstance(kind, str) or type(version) is not int or canonical(_written(found)) != leaf:
        raise ValueError("this is no leaf of a log")
    return found


def _written(leaf: Leaf) -> dict[str, Value]:
    """The members of a leaf of a known version and form; of any other, ones that no leaf has."""
    if any(len(h) != sha256().digest_size for h in (leaf.commit, *(h for _, h in leaf.tags))):
        return {}
    written: dict[str, Value] = {"commit": leaf.commit.hex(), "kind": leaf.kind, "v": leaf.version}
    if leaf.version == TAGGED_VERSION and {name for name, _ in leaf.tags} <= TAGS.keys():
        return {**written, "tags": {name: hash_.hex() for name, hash_ in leaf.tags}}
    return written if leaf.version == VERSION and not leaf.tags else {}


def _tags(commit: bytes, record: bytes) -> list[tuple[str, bytes]]:
    members = json.loads(record)
    if not isinstance(members, dict):
        raise ValueError("a record is an object")  # noqa: TRY004
    values = ((name, members.get(member)) for name, member in TAGS.items())
    return [(name, tag(name, commit, value)) for name, value in values if isinstance(value, str)]


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
