"""The log's side of witnessing: show the newest checkpoint to every witness of a policy, collect signatures.

A witness that is down, slow or talks nonsense costs its own signature only. One that holds a larger tree, or
that refuses the proof, says that this log has lost or changed what it once signed: ``SplitView``, after which
nothing may be signed until somebody has found out why. A witness can say so falsely and stop a log; that is
why the operator chooses witnesses, and why the words of the witness are kept.
"""

from __future__ import annotations

import base64
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authn.errors import NoteError, SplitView
from authn.tlog.checkpoint import parse as parse_checkpoint
from authn.tlog.note import Signature, parse, parse_signature_line, signature_line
from authn.tlog.policy import PolicyWitness, WitnessPolicy
from authn.tlog.proof import Proof
from authn.tlog.witness import SIZE

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 64 << 10
CHUNK_BYTES = 8 << 10

Consistency = Callable[[int, int], Proof]


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessAnswer:
    """What came back over HTTP."""

    status: int
    content_type: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A witness's line for the checkpoint, with its newline; verified."""

    witness: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """``missing`` has one sentence for each witness that gave nothing; ``enough`` is the policy's word."""

    size: int
    cosigned: tuple[Cosigned, ...]
    missing: tuple[str, ...]
    enough: bool


class _Nothing(Exception):
    """This witness gives no signature now; the message says why."""


# address and body to an answer; raises OSError, or HTTPException
Post = Callable[[str, bytes], WitnessAnswer]


def gather(
    note: str,
    consistency: Consistency,
    policy: WitnessPolicy,
    *,
    newest: Callable[[], int],
    post: Post | None = None,
) -> Gathered:
    """Ask every witness that has an address. Raises ``SplitView``; its detail names the witness.

    ``newest`` is the log's size at the moment: the log may have grown, and been witnessed, since ``note``.
    """
    post = post or post_capped
    text = parse(note).text
    size = parse_checkpoint(text).size
    cosigned, missing = [], []
    for witness in policy.witnesses:
        try:
            cosigned.append(_ask(witness, note, consistency, newest, post))
        except _Nothing as e:
            missing.append(f"{witness.label}: {e}")
    return Gathered(
        size=size,
        cosigned=tuple(cosigned),
        missing=tuple(missing),
        enough=policy.satisfied_by({c.witness for c in cosigned}),
    )


def post_capped(url: str, body: bytes, timeout_s: float = TIMEOUT_S) -> WitnessAnswer:
    """One exchange within ``timeout_s`` altogether, no redirects. Raises ``OSError``, ``HTTPException``."""
    deadline = time.monotonic() + timeout_s
    request = urllib.request.Request(url, data=body, method="POST", headers={"Content-Type": "text/plain"})  # noqa: S310
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return _read(response, deadline)
    except urllib.error.HTTPError as e:
        with e:
            return _read(e, deadline)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


def _read(response: Any, deadline: float) -> WitnessAnswer:
    content = b""
    while chunk := response.read1(CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise OSError("the answer is too long")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer took too long")
    return WitnessAnswer(
        status=response.status,
        content_type=response.headers.get("Content-Type", ""),
        body=content.decode("utf-8", errors="replace"),
    )


def _ask(
    witness: PolicyWitness, note: str, consistency: Consistency, newest: Callable[[], int], post: Post
) -> Cosigned:
    """First as if it held this very size; it then names what it holds, and is shown the way from there."""
    if not witness.url:
        raise _Nothing("the policy names no address")
    text = parse(note).text
    size = parse_checkpoint(text).size
    old = size
    for _attempt in range(3):  # another process of ours may ask at the same time
        answer = _exchange(witness, post, old, () if old == size else consistency(old, size), note)
        if answer.status == 200:
            return _cosigned(witness, text, answer.body)
        if answer.status == 409 and answer.content_type == SIZE:
            held = _held(answer.body)
            if held > size:
                _refuse_larger(witness, held, newest())
            old = held
        elif answer.status == 422:
            raise SplitView(
                f"the witness {witness.label} has signed another history of this log than {old} to {size}"
            )
        else:
            raise _Nothing(f"it answers {answer.status}")
    raise _Nothing("it names another size each time")


def _refuse_larger(witness: PolicyWitness, held: int, now: int) -> None:
    if held > now:
        raise SplitView(f"the witness {witness.label} has signed this log at {held}, and it has {now} now")
    raise _Nothing("it has signed a newer checkpoint already")


def _exchange(witness: PolicyWitness, post: Post, old: int, proof: Proof, note: str) -> WitnessAnswer:
    lines = (f"old {old}", *(base64.b64encode(h).decode() for h in proof))
    try:
        return post(f"{witness.url}/add-checkpoint", ("\n".join(lines) + "\n\n" + note).encode())
    except TimeoutError as e:
        raise _Nothing("it took too long") from e
    except (OSError, http.client.HTTPException) as e:
        raise _Nothing(f"it cannot be reached ({type(e).__name__})") from e


def _cosigned(witness: PolicyWitness, text: str, body: str) -> Cosigned:
    """The first line by the witness's key; it may sign with others too."""
    for line in body.split("\n")[:-1]:
        try:
            signature: Signature = parse_signature_line(line)
        except NoteError as e:
            raise _Nothing("its answer is no signature") from e
        if (signature.name, signature.key_id) == (witness.key.name, witness.key.key_id):
            if not witness.key.accepts(text, signature.signature):
                raise _Nothing("its signature does not hold")
            return Cosigned(witness=witness.key.name, line=signature_line(signature))
    raise _Nothing("it signs with another key than the policy's")


def _held(body: str) -> int:
    digits = body.removesuffix("\n")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19) or str(int(digits)) != digits:
        raise _Nothing("the size it names is no number")
    return int(digits)
