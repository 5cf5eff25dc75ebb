"""That an audit left nothing out: a Merkle root over every input and its row, in a statement that is signed.

Leaf *i* is of line *i* of the plan: the input's name and the digest of its row, which is a report or the
reason why there is none. The statement is a C2SP checkpoint in a signed note. ``leaves.bin`` keeps the
leaves, so that a verifier can say which row differs and not only that one does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from authn.audit.plan import FILE_MODE, RunFolder, read_plan, replace_file
from authn.core.errors import AuditError, FileUnusable
from authn.core.instants import instant
from authn.core.visible import visible
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.merkle import Frontier, leaf_hash
from authn.tlog.format.note import SigningKey, sign
from signer.core.durable import create_durably, rewritten_durably

STATEMENT_FILE, LEAVES_FILE = "completeness.note", "leaves.bin"
UNSIGNED_FILE = "completeness.txt"  # the same text, where there is no key
KEY_FILE, VKEY_FILE = "audit.pem", "audit.vkey"
ORIGIN, KEY_NAME = "assay.audit/1", "assay-audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What was written: the root, and who signed it (a vkey), if anybody."""

    root: bytes
    size: int
    signer: str | None


def leaf_of(name: str, digest: bytes) -> bytes:
    """The leaf's hash of an input whose row has this digest."""
    return leaf_hash(json.dumps([name, digest.hex()]).encode())


def state(
    work: RunFolder,
    digest_of: Callable[[str], bytes | None],
    facts: Iterable[tuple[str, str]],
    key: SigningKey | None,
) -> Stated:
    """Write leaves and statement over a finished run; ``facts`` become lines of it. Raises ``AuditError``
    where an input lacks its row, or the disk fails."""
    frontier = Frontier()
    try:
        with rewritten_durably(work.folder / LEAVES_FILE, mode=FILE_MODE) as f:
            for entry in read_plan(work.plan_file):
                digest = digest_of(entry.name)
                if digest is None:
                    raise AuditError(f"{entry.name!r} is on the plan and has no row")
                leaf = leaf_of(entry.name, digest)
                frontier.append(leaf)
                f.write(leaf)
        checkpoint = Checkpoint(ORIGIN, frontier.size, frontier.root(), tuple(_lines(work, facts)))
        signed, other = work.folder / STATEMENT_FILE, work.folder / UNSIGNED_FILE
        if key is None:
            signed, other = other, signed
        replace_file(signed, checkpoint.text() if key is None else sign(checkpoint.text(), [key]))
        other.unlink(missing_ok=True)
    except OSError as e:
        raise AuditError(f"{work.folder} cannot be written: {e.strerror or e}") from e
    return Stated(
        root=checkpoint.root, size=checkpoint.size, signer=None if key is None else str(key.verifier)
    )


def _lines(work: RunFolder, facts: Iterable[tuple[str, str]]) -> Iterable[str]:
    known = (
        ("source", work.question.source),
        ("question", work.question.fingerprint),
        ("as_of", instant(work.as_of)),
    )
    return (f"{name} {visible(value, 1000)}" for name, value in (*known, *facts))


def load_key(path: Path) -> SigningKey:
    """An Ed25519 key in PEM. Raises ``FileUnusable``."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as e:
        raise FileUnusable(f"the key {path} cannot be read: {e.strerror}") from e
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise FileUnusable(f"the key {path} is no key") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise FileUnusable(f"the key {path} is not an Ed25519 key")
    return SigningKey(name=KEY_NAME, key=key)


def home_key(home: Path) -> SigningKey:
    """The key that a home signs its audits with, made at the first of them. Raises ``FileUnusable``."""
    path = home / KEY_FILE
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_durably(path, pem)
        except FileExistsError:
            pass  # another audit was faster; its key is ours
        except OSError as e:
            raise FileUnusable(f"the key {path} cannot be written: {e.strerror}") from e
    key = load_key(path)
    public = home / VKEY_FILE
    if not public.exists():
        replace_file(public, f"{key.verifier}\n")
    return key
