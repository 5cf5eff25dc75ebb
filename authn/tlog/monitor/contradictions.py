"""What two signed checkpoints of one log prove against it, with what others need to see it.

"fork": they cannot be of one history, whoever looks at them with the log's key. "shrink": the log shows a
smaller tree than it did; by itself each note is fine. "unproven": what the log serves does not have the root
that it signed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from authn.core.errors import Unavailable
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.merkle import EMPTY_ROOT, leaf_hash
from authn.tlog.format.proof import Proof, consistency_proof, inclusion_proof, proves_inclusion, range_hash
from authn.tlog.format.text import encode
from authn.tlog.format.tiles import TileMissing, TileReader
from authn.tlog.monitor.remote import WronglyServed

FORK, SHRINK, UNPROVEN = "fork", "shrink", "unproven"

# level, index and the tree's size to a tile
TileOf = Callable[[int, int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A checkpoint with its note and the witnesses of the policy that have signed it; ``times``: when each of
    them did, by its own clock (seconds since 1970)."""

    checkpoint: Checkpoint
    note: str
    witnesses: tuple[str, ...] = ()
    times: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """``text`` is the evidence; ``name`` is for a file of it, the same for the same evidence."""

    kind: str
    sentence: str
    name: str
    text: str


def compared(earlier: Signed, later: Signed, tile: TileOf) -> Contradiction:
    """Two notes that do not fit together, or what was served did not fit ``later``."""
    old, new = earlier.checkpoint, later.checkpoint
    if old.size > new.size:
        why = f"the log showed {old.size} entries and shows {new.size} now"
        return _contradiction(SHRINK, why, earlier, later, "")
    if old.size == new.size and old.root != new.root:
        why = f"the log has signed two roots for {old.size} entries"
        return _contradiction(FORK, why, earlier, later, "")
    return _of_trees(earlier, later, TileReader(lambda level, index: tile(level, index, new.size)))


def _of_trees(earlier: Signed, later: Signed, reader: TileReader) -> Contradiction:
    """By the served tiles, which count only where they lead to the root that was signed."""
    old, new = earlier.checkpoint, later.checkpoint
    try:
        if not new.size or range_hash(reader.node, 0, new.size) != new.root:
            why = f"what the log serves does not have the root that it signed for {new.size} entries"
            return _contradiction(UNPROVEN, why, earlier, later, "")
        prefix = range_hash(reader.node, 0, old.size) if old.size else EMPTY_ROOT
        proof = consistency_proof(reader.node, old.size, new.size)
    except (TileMissing, WronglyServed, Unavailable) as e:
        why = f"the log does not serve the tree of {new.size} entries that it signed: {e}"
        return _contradiction(UNPROVEN, why, earlier, later, "")
    if prefix == old.root:
        why = f"the entries that the log serves are not those of the tree of {new.size} that it signed"
        return _contradiction(UNPROVEN, why, earlier, later, "")
    why = f"the log's tree of {new.size} entries does not begin with its tree of {old.size}"
    lines = [f"its first {old.size} entries have the root {encode(prefix)}", "by the consistency proof"]
    return _contradiction(FORK, why, earlier, later, "\n".join((*lines, *map(encode, proof))) + "\n")


def included(leaf: bytes, index: int, signed: Signed, tile: TileOf) -> str:
    """Evidence that a leaf is in the log: its text, a proof where the log serves one, and the checkpoint."""
    size = signed.checkpoint.size
    proof: Proof = ()
    reader = TileReader(lambda level, i: tile(level, i, size))
    try:
        proof = inclusion_proof(reader.node, index, size)
    except (TileMissing, WronglyServed, Unavailable, ValueError):
        proof = ()
    proven = proves_inclusion(leaf_hash(leaf), index, size, proof, signed.checkpoint.root)
    lines = map(encode, proof) if proven else ("(the log did not serve the hashes of a proof)",)
    return "\n".join((f"entry {index}", leaf.decode(), "by the inclusion proof", *lines, "", signed.note))


def _contradiction(kind: str, why: str, earlier: Signed, later: Signed, more: str) -> Contradiction:
    parts = [f"{kind}: {why}\n", "## earlier\n", earlier.note]
    if later.note != earlier.note:
        parts += ["\n## later\n", later.note]
    if more:
        parts += ["\n## of the later tree\n", more]
    text = "".join(parts)
    name = f"{kind}-{later.checkpoint.size}-{sha256(text.encode()).hexdigest()[:16]}"
    return Contradiction(kind=kind, sentence=why, name=name, text=text)
