"""A log opened for service: its key, its one origin for ever, appending and reading.

The key is made with the log and never again: a log that exists and whose key is missing, or is another one,
is not signed any further.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from sqlalchemy import Engine

from authn.core.errors import FileUnusable, LogHalted, LogInconsistent, NoteError, NotFound
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.entry import LogEntry
from authn.tlog.format.note import SigningKey, VerifyingKey, sign, verify
from authn.tlog.format.policy import WitnessPolicy
from authn.tlog.format.receipt import Inclusion, Receipt
from authn.tlog.format.receipt_cose import cose_receipt
from authn.tlog.log.reader import LogReader, add_cosignature
from authn.tlog.log.sequencer import Sequencer
from authn.tlog.log.storage import SqlStorage, TreeHead
from authn.tlog.log.watermark import MARK_FILE, WAY_OUT, Watermark
from signer.core.durable import create_durably

HALT_FILE = "log.halted"  # beside the key
VKEY_FILE = "log.vkey"  # beside the key, from the first start on: what a receipt verifies with


class Log:
    """Safe to be shared by threads, not to be carried across a fork. Made by ``open_log``."""

    def __init__(
        self,
        engine: Engine,
        key: SigningKey,
        halt_file: Path | None = None,
        policy: WitnessPolicy | None = None,
        watermark: Watermark | None = None,
    ) -> None:
        """Without a ``policy`` any one witness is enough."""
        self._engine = engine
        self._key = key
        self._policy = policy
        self._halt_file = halt_file
        self._watermark = watermark
        self._sequencer = Sequencer(SqlStorage(engine), key.name, self._sign, watermark)
        self.reader = LogReader(engine, self._mark)
        self._sequencer.start()

    @property
    def origin(self) -> str:
        return self._key.name

    @property
    def verifier(self) -> VerifyingKey:
        """The public key; ``str()`` of it is what others configure (a vkey)."""
        return self._key.verifier

    @property
    def halted(self) -> str | None:
        """Why nothing more is signed; None while all is well."""
        return self._sequencer.halted or self._told_to_halt()

    def halt(self, reason: str, evidence: str) -> None:
        """Sign nothing more, in every process and after every start, until somebody removes the file.

        What it says first stays. Raises ``Unavailable``, and ``ValueError`` for a log without such a file.
        """
        if self._halt_file is None:
            raise ValueError("this log was opened without a file to halt by")
        try:
            create_durably(self._halt_file, f"{reason}\n\n{evidence}".encode())
        except FileExistsError:
            return
        except OSError as e:
            raise FileUnusable(f"{self._halt_file} cannot be written: {e.strerror}") from e

    def append(self, entries: Sequence[LogEntry]) -> tuple[Receipt, ...]:
        """See ``Sequencer.append``."""
        return self._sequencer.append(entries)

    def append_queued(self) -> int:
        """See ``Sequencer.append_queued``."""
        return self._sequencer.append_queued()

    def checkpoint(self) -> str:
        """The newest, with the cosignatures that came for it. Raises ``Unavailable``."""
        return self.reader.note(self.reader.head().size)

    def witnessed_checkpoint(self) -> str | None:
        """The newest that enough witnesses of the log's policy have signed; None where there is none."""
        size = self._witnessed_size()
        return None if size is None else self.reader.note(size)

    def add_cosignature(self, size: int, witness: str, line: str) -> None:
        """Keep a verified signature line of a witness for a checkpoint. Raises ``Unavailable``."""
        add_cosignature(self._engine, size, witness, line)

    def receipt(self, index: int) -> Receipt:
        """A receipt under the newest checkpoint that enough witnesses have signed, else under the newest.

        Raises ``NotFound`` where there is no such entry, or its salt was destroyed.
        """
        opening, inclusion = self.reader.opening(index), self.inclusion(index)
        return Receipt(
            index=index,
            proof=inclusion.proof,
            note=inclusion.note,
            kind=opening.kind,
            salt=opening.salt,
            version=opening.leaf_version,
        )

    def inclusion(self, index: int) -> Inclusion:
        """The same without what the leaf commits to: for everybody. Raises ``NotFound``, ``Unavailable``."""
        newest = self.reader.head().size
        if not 0 <= index < newest:
            raise NotFound("the log has no such entry")
        witnessed = self._witnessed_size()
        size = newest if witnessed is None or witnessed <= index else witnessed
        proof = self.reader.inclusion(index, size)
        return Inclusion(index=index, proof=proof, note=self.reader.note(size))

    def cose_receipt(self, index: int, now: datetime) -> bytes:
        """The proof as COSE (RFC 9942), signed now. Raises ``NotFound``, ``LogHalted``, ``Unavailable``."""
        inclusion = self.inclusion(index)
        if self.halted:
            raise LogHalted(self.halted)
        (leaf,) = self.reader.leaves(index, index + 1)
        return cose_receipt(inclusion, leaf, self._key, now)

    def close(self) -> None:
        """Let the database go; waits for a batch that is being written."""
        self._sequencer.close()

    def _mark(self, head: TreeHead) -> None:
        if self._watermark is not None:
            self._watermark.keep(Checkpoint(head.origin, head.size, head.root))

    def _witnessed_size(self) -> int | None:
        policy = self._policy
        return self.reader.witnessed_size(bool if policy is None else policy.witnessed_by)

    def _told_to_halt(self) -> str | None:
        if self._halt_file is None or not self._halt_file.exists():
            return None
        try:
            reason = self._halt_file.read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError):
            reason = "the log was told to halt"
        return f"{reason}; {self._halt_file.name} beside the log's key has the evidence"

    def _sign(self, origin: str, size: int, root: bytes) -> str:
        told = self._told_to_halt()
        if told is not None:
            raise LogHalted(told)
        return sign(Checkpoint(origin, size, root).text(), (self._key,))


def open_log(engine: Engine, key_file: Path, origin: str, policy: WitnessPolicy | None = None) -> Log:
    """The log in this database; ``origin`` counts only for one that is yet to be started.

    Raises ``LogHalted`` when the key is missing or not the log's, ``LogInconsistent`` when what is stored
    contradicts itself or what the key has signed before (``authn.tlog.log.watermark``), ``Unavailable``.
    """
    head = _head(engine)
    watermark = Watermark(key_file.with_name(MARK_FILE))
    name = origin if head is None else head.origin
    if head is None:
        if key_file.exists() and key_file.with_name(VKEY_FILE).exists() and watermark.read() is None:
            raise LogInconsistent(
                f"the key {key_file} has signed a log that is not in the database; {WAY_OUT}"
            )
        with contextlib.suppress(FileExistsError):  # another process was first; its key is the one
            _make_key(key_file)
    key = _load_key(key_file, name)
    if head is not None:
        try:
            verify(head.note, (key.verifier,))
        except NoteError as e:
            raise LogHalted(f"the key {key_file} is not the one of the log {name}") from e
    if policy is not None and policy.logs and key.verifier not in policy.logs:
        raise FileUnusable("the witness policy names other logs than this one")
    return Log(engine, key, key_file.with_name(HALT_FILE), policy, watermark)


def _head(engine: Engine) -> TreeHead | None:
    try:
        return LogReader(engine).head()
    except NotFound:
        return None


def _make_key(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        create_durably(path, pem)
    except FileExistsError:
        raise
    except OSError as e:
        raise FileUnusable(f"the log's key {path} cannot be written: {e.strerror}") from e


def _load_key(path: Path, name: str) -> SigningKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as e:
        raise LogHalted(f"the log's key {path} cannot be read: {e.strerror}") from e
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise LogHalted(f"the log's key {path} is no key") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise LogHalted(f"the log's key {path} is not an Ed25519 key")
    return SigningKey(name=name, key=key)
