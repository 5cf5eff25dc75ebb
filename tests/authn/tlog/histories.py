"""A log in memory that can also do what no log may: show a second history under the same key."""

from __future__ import annotations

import base64

from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.note import SigningKey, sign
from authn.tlog.format.proof import Proof, consistency_proof
from tests.authn.tlog.trees import Grown

ORIGIN = "log.example/receipts"


class History:
    def __init__(
        self,
        size: int,
        *,
        key: SigningKey | None = None,
        changed_from: int | None = None,
        origin: str | None = None,
    ) -> None:
        self.key = key or SigningKey.generate(ORIGIN)
        self.origin = origin or self.key.name
        self._tree = Grown(
            b"entry %d" % i if changed_from is None or i < changed_from else b"other %d" % i
            for i in range(size)
        )

    def note(self, size: int) -> str:
        return sign(Checkpoint(self.origin, size, self._tree.roots[size]).text(), (self.key,))

    def consistency(self, old: int, new: int) -> Proof:
        return consistency_proof(self._tree.node, old, new)

    def request(self, old: int, new: int) -> bytes:
        return body(old, self.consistency(old, new), self.note(new))


def body(old: int, proof: Proof, note: str) -> bytes:
    lines = (f"old {old}", *(base64.b64encode(h).decode() for h in proof))
    return ("\n".join(lines) + "\n\n" + note).encode()
