"""The log's side of witnessing: show the newest checkpoint to every witness of a policy, collect signatures.

A witness that is down, slow or talks nonsense costs its own signature only. One that holds a larger tree, or
that refuses the proof, says that this log has lost or changed what it once signed: ``SplitView``, after which
nothing may be signed until somebody has found out why. A witness can say so falsely and stop a log; that is
why the operator chooses witnesses, and why the words of the witness are kept.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from authn.core.errors import NoteError, SplitView
from authn.core.exchange import exchange
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.note import Signature, parse, parse_signature_line, signature_line
from authn.tlog.format.policy import PolicyWitness, WitnessPolicy
from authn.tlog.format.proof import Proof
from authn.tlog.format.text import canonical_number, encode
from authn.tlog.witness.witness import SIZE, Answer

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 64 << 10

Consistency = Callable[[int, int], Proof]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A witness's line for the checkpoint, with its newline; verified."""

    witness: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """``missing`` has one sentence for each witness that gave nothing; ``enough`` is the policy's word."""

    size: int
    cosigned: tuple[Cosigned, ...]
    missing: tuple[str, ...]
    enough: bool


class NoCosignature(Exception):
    """This witness gives no signature now; the message says why."""


# address and body (None: a GET) to an answer; raises OSError, or HTTPException
Exchange = Callable[[str, bytes | None], Answer]


def feed(
    note: str,
    consistency: Consistency,
    policy: WitnessPolicy,
    *,
    newest: Callable[[], int],
    post: Exchange | None = None,
) -> Collected:
    """Ask every witness that has an address. Raises ``SplitView``; its detail names the witness.

    ``newest`` is the log's size at the moment: the log may have grown, and been witnessed, since ``note``.
    """
    post = post or exchange_capped
    text = parse(note).text
    size = parse_checkpoint(text).size
    cosigned, missing = [], []
    for witness in policy.witnesses:
        try:
            cosigned.append(ask(witness, note, consistency, newest, post))
        except NoCosignature as e:
            missing.append(f"{witness.label}: {e}")
    return Collected(
        size=size,
        cosigned=tuple(cosigned),
        missing=tuple(missing),
        enough=policy.satisfied_by({c.witness for c in cosigned}),
    )


def exchange_capped(url: str, body: bytes | None, timeout_s: float = TIMEOUT_S) -> Answer:
    """POST, or GET without a body. Raises ``OSError``, ``HTTPException``."""
    answer = exchange(url, body, timeout_s=timeout_s, max_bytes=MAX_ANSWER_BYTES)
    return Answer(
        status=answer.status,
        content_type=answer.content_type,
        body=answer.content.decode("utf-8", errors="replace"),
    )


def evidence(note: str, split: SplitView) -> str:
    """The two notes that cannot both be true; the second where the witness showed it."""
    held = split.held or "(the witness did not show what it has signed)\n"
    return f"## this log's checkpoint\n{note}\n## signed by the witness\n{held}"


def ask(
    witness: PolicyWitness, note: str, consistency: Consistency, newest: Callable[[], int], post: Exchange
) -> Cosigned:
    """One witness: first as if it held this very size; it then names what it holds, and is shown the way
    from there. Refusing the very size that it holds, it holds another root (tlog-witness); a proxy's words
    are no such refusal, so it has to name that size before. Raises ``NoCosignature``, ``SplitView``."""
    if not witness.url:
        raise NoCosignature("the policy names no address")
    text = parse(note).text
    size = parse_checkpoint(text).size
    old, refused = size, 0
    for _attempt in range(5):  # another process of ours may ask at the same time
        answer = _exchange(witness, post, old, () if old == size else consistency(old, size), note)
        if answer.status == 200:
            return _cosigned(witness, text, answer.body)
        if answer.status == 422:
            said = f"has signed another history of this log than {old} to {size}"
            raise _split(witness, note, post, said)
        if answer.status != 409:
            raise NoCosignature(f"it answers {answer.status}")
        held = _held(answer.body) if answer.content_type == SIZE else old
        if held > size:
            if held <= newest():
                raise NoCosignature("it has signed a newer checkpoint already")
            raise _split(witness, note, post, f"has signed this log at {held}, and it has {newest()} now")
        if held != old:
            old = held
            continue
        refused += 1
        if old != size or not size:
            raise NoCosignature("it refuses the size that it names, or names none")
        if refused == 2:
            raise _split(witness, note, post, f"has signed another root for {size} entries")
        old = size if answer.content_type == SIZE else 0
    raise NoCosignature("it names another size each time")


def _split(witness: PolicyWitness, note: str, post: Exchange, said: str) -> SplitView:
    return SplitView(f"the witness {witness.label} {said}", _held_note(witness, note, post))


def _held_note(witness: PolicyWitness, note: str, post: Exchange) -> str:
    """What the witness signed last of this log; empty where it shows nothing that is a checkpoint of it."""
    origin = parse_checkpoint(parse(note).text).origin
    try:
        answer = post(f"{witness.url}/{sha256(origin.encode()).hexdigest()}/checkpoint", None)
        return answer.body if parse_checkpoint(parse(answer.body).text).origin == origin else ""
    except (OSError, http.client.HTTPException, NoteError):
        return ""


def _exchange(witness: PolicyWitness, post: Exchange, old: int, proof: Proof, note: str) -> Answer:
    lines = (f"old {old}", *map(encode, proof))
    try:
        return post(f"{witness.url}/add-checkpoint", ("\n".join(lines) + "\n\n" + note).encode())
    except TimeoutError as e:
        raise NoCosignature("it took too long") from e
    except (OSError, http.client.HTTPException) as e:
        raise NoCosignature(f"it cannot be reached ({type(e).__name__})") from e


def _cosigned(witness: PolicyWitness, text: str, body: str) -> Cosigned:
    """The first line by the witness's key; it may sign with others too."""
    for line in body.split("\n")[:-1]:
        try:
            signature: Signature = parse_signature_line(line)
        except NoteError as e:
            raise NoCosignature("its answer is no signature") from e
        if (signature.name, signature.key_id) == (witness.key.name, witness.key.key_id):
            if not witness.key.accepts(text, signature.signature):
                raise NoCosignature("its signature does not hold")
            return Cosigned(witness=witness.key.name, line=signature_line(signature))
    raise NoCosignature("it signs with another key than the policy's")


def _held(body: str) -> int:
    try:
        return canonical_number(body.removesuffix("\n"))
    except ValueError as e:
        raise NoCosignature("the size it names is no number") from e
