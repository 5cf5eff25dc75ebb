"""C2SP signed notes: text, an empty line, and one signature line for each signer. Ed25519 here.

A signature by a key that is not known is ignored, so that new kinds of signatures disturb no old reader; a
bad one by a key that is known refuses the whole note. What is not written canonically is no note.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from authn.core.errors import NoteError
from authn.tlog.format.text import decode, encode

ED25519 = 1
ID_BYTES = 4
MAX_CHARACTERS = 1_000_000
MAX_SIGNATURES = 64
DASH = "\u2014 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """``key_id`` are the first bytes of a hash over name, algorithm and key (see ``key_id``)."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Parsed, not verified. ``text`` ends with a newline."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedNote:
    """``signatures`` are those that are valid under the given keys; never empty."""

    text: str
    signatures: tuple[Signature, ...]


class Signer(Protocol):
    """Signs the text of a note in its own way."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    def signature(self, text: str) -> bytes: ...


class Verifier(Protocol):
    """Says whether a signature over the text of a note is its key's."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    @property
    def public(self) -> bytes: ...
    def accepts(self, text: str, signature: bytes) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """An Ed25519 key under a name; ``str()`` is its vkey, which Go's sumdb/note reads too."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, ED25519, self.public)

    def accepts(self, text: str, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True

    def __str__(self) -> str:
        return vkey(self.name, ED25519, self.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """See ``generate`` and ``load``."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)
    verifier: VerifyingKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Once: to derive the public key costs as much as a signature."""
        public = self.key.public_key().public_bytes_raw()
        object.__setattr__(self, "verifier", VerifyingKey(name=self.name, public=public))

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """A fresh key. Raises ``NoteError`` for a name that a note cannot carry."""
        return cls(name=check_name(name), key=Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, name: str, private: bytes) -> SigningKey:
        """From 32 raw bytes. Raises ``NoteError``."""
        try:
            return cls(name=check_name(name), key=Ed25519PrivateKey.from_private_bytes(private))
        except ValueError as e:
            raise NoteError("an Ed25519 key has 32 bytes") from e

    @property
    def key_id(self) -> bytes:
        return self.verifier.key_id

    def signature(self, text: str) -> bytes:
        return self.key.sign(text.encode())


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """signed-note, "Key IDs"."""
    return sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:ID_BYTES]


def parse_vkey(text: str) -> VerifyingKey:
    """An Ed25519 vkey. Raises ``NoteError``."""
    name, id_, raw = split_vkey(text)
    key = VerifyingKey(name=name, public=raw[1:])
    if raw[:1] != bytes([ED25519]) or len(raw) != 33 or key.key_id.hex() != id_:
        raise NoteError("this is no key of a log (an Ed25519 vkey)")
    return key


def vkey(name: str, algorithm: int, public: bytes) -> str:
    """A public key as one word."""
    return f"{name}+{key_id(name, algorithm, public).hex()}+{encode(bytes([algorithm]) + public)}"


def split_vkey(text: str) -> tuple[str, str, bytes]:
    """Name, key id in hex, and algorithm byte with key; the id is not compared. Raises ``NoteError``."""
    name, _, rest = text.partition("+")
    id_, _, encoded = rest.partition("+")
    return check_name(name), id_, _decoded(encoded)


def signature_line(signature: Signature) -> str:
    """As it stands in a note, with its newline."""
    return f"{DASH}{signature.name} {encode(signature.key_id + signature.signature)}\n"


def parse_signature_line(line: str) -> Signature:
    """``line`` without its newline. Raises ``NoteError``."""
    return _signature(line)


def sign(text: str, signers: Sequence[Signer]) -> str:
    """The signed note. ``text`` must end with a newline and hold no other control character."""
    lines = (
        signature_line(Signature(name=s.name, key_id=s.key_id, signature=s.signature(text))) for s in signers
    )
    note = f"{text}\n{''.join(lines)}"
    parse(note)
    return note


def parse(note: str) -> Note:
    """Raises ``NoteError``."""
    if len(note) > MAX_CHARACTERS or any(c < " " and c != "\n" for c in note) or not _is_utf8(note):
        raise NoteError("this is no signed note")
    text, gap, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if not gap or lines.pop() != "" or not 0 < len(lines) <= MAX_SIGNATURES:
        raise NoteError("the note has no signatures, or too many")
    return Note(text=text + "\n", signatures=tuple(map(_signature, lines)))


def verify(note: str, verifiers: Sequence[Verifier]) -> VerifiedNote:
    """Raises ``NoteError`` when a known key's signature is bad, or none of the signers is known."""
    parsed = parse(note)
    known = {(v.name, v.key_id): v for v in verifiers}
    valid: dict[tuple[str, bytes], Signature] = {}
    for signature in parsed.signatures:
        who = (signature.name, signature.key_id)
        if who in known and who not in valid:
            if not known[who].accepts(parsed.text, signature.signature):
                raise NoteError(f"the signature of {signature.name} is not valid")
            valid[who] = signature
    if not valid:
        raise NoteError("nobody who is known has signed this")
    return VerifiedNote(text=parsed.text, signatures=tuple(valid.values()))


def each_key_once(witnesses: Iterable[Verifier], logs: Iterable[Verifier]) -> tuple[Verifier, ...]:
    """Those of some witnesses that count: a key counts once whatever it is called, and the key of a log is
    nobody else's, so that it vouches for no log."""
    seen = {log.public for log in logs}
    found = []
    for witness in sorted(witnesses, key=lambda w: w.name):
        if witness.public not in seen:
            seen.add(witness.public)
            found.append(witness)
    return tuple(found)


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    raw = _decoded(encoded)
    if not line.startswith(DASH) or len(raw) <= ID_BYTES:
        raise NoteError("a line of signatures is not one")
    return Signature(name=check_name(name), key_id=raw[:ID_BYTES], signature=raw[ID_BYTES:])


def check_name(name: str) -> str:
    """The name itself. Raises ``NoteError`` for one that a note cannot carry."""
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise NoteError("a signer's name has no spaces and no plus sign")
    return name


def _decoded(text: str) -> bytes:
    try:
        raw = decode(text)
    except ValueError as e:
        raise NoteError("a line of signatures is not base64") from e
    if encode(raw) != text:
        raise NoteError("a line of signatures is not in canonical base64")
    return raw


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
