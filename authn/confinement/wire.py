"""Messages between a confined process and its caller: plain data, and bytes in frames beside it.

Both ends read what the other one wrote as what it must be and nothing else (``codec``). A message has a kind,
one value and its frames; its size is bounded before memory is taken for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from authn.confinement.codec import NotOfSchema, Plain, decode, dump, encode, load
from authn.core.errors import (
    AuthnError,
    BadRequest,
    ExaminationFailed,
    MediaError,
    ReceiptRefused,
    RegistryError,
    SettingsError,
    Unavailable,
)

T = TypeVar("T")

# Of what the confined process sends: a report with its preview takes thousands of bytes, not millions.
MAX_TEXT_BYTES = 16 * 1024 * 1024
MAX_FRAMES_BYTES = 16 * 1024 * 1024
MAX_FRAMES = 8

ASK, ANSWER, READY, REFUSED, DEVICE, END = "ask", "answer", "ready", "refused", "device", "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An ``AuthnError`` on its way: never a class by its name, only one of those that may come."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    kind: str
    value: Plain
    frames: list[bytes]

    def read(self, hint: type[T]) -> T:
        """Raises ``NotOfSchema``."""
        return decode(hint, self.value, self.frames)


class Wire:
    """One end of the pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def send(self, kind: str, hint: Any = None, value: object = None) -> None:
        """Raises ``NotOfSchema`` for a value that is not of its type, ``OSError`` where nobody listens."""
        frames: list[bytes] = []
        plain = None if hint is None else encode(hint, value, frames)
        head = dump({"kind": kind, "value": plain, "frames": [len(f) for f in frames]})
        self._pipe.send_bytes(head)
        for frame in frames:
            self._pipe.send_bytes(frame)

    def refuse(self, error: AuthnError) -> None:
        """Send an error; one that may not come is told as a failed examination."""
        known = error.code in _REFUSALS
        code, detail = (error.code, error.detail) if known else (ExaminationFailed.code, str(error))
        self.send(REFUSED, Refusal, Refusal(code=code, detail=detail))

    def receive(self, *, most: int = MAX_TEXT_BYTES, most_frames: int = MAX_FRAMES_BYTES) -> Message:
        """Raises ``NotOfSchema`` for what is no message or too large, ``OSError`` and ``EOFError``."""
        head = load(self._frame(most))
        if not isinstance(head, dict) or head.keys() != {"kind", "value", "frames"}:
            raise NotOfSchema("not a message")
        kind, sizes = head["kind"], head["frames"]
        if type(kind) is not str or type(sizes) is not list or len(sizes) > MAX_FRAMES:
            raise NotOfSchema("not a message")
        if not all(type(s) is int and 0 <= s <= most_frames for s in sizes) or sum(sizes) > most_frames:
            raise NotOfSchema("too many bytes")
        frames = [self._frame(max(1, size)) for size in sizes]
        if [len(f) for f in frames] != sizes:
            raise NotOfSchema("a frame has another size than its message says")
        return Message(kind=kind, value=head["value"], frames=frames)

    def _frame(self, most: int) -> bytes:
        try:
            return self._pipe.recv_bytes(most)
        except OSError as e:
            if e.errno is None:  # what Connection says of a length; it is closed then
                raise NotOfSchema("longer than a message may be") from e
            raise


def error_of(refusal: Refusal) -> AuthnError:
    """The error that was sent. Raises ``NotOfSchema`` for one that a confined process cannot have."""
    found = _REFUSALS.get(refusal.code)
    if found is None:
        raise NotOfSchema("not an error that may come")
    return found(refusal.detail)


def _family(root: type[AuthnError]) -> dict[str, type[AuthnError]]:
    found = {root.code: root}
    for kind in root.__subclasses__():
        found |= _family(kind)
    return found


# What examining, and building what examines, can end with. None of them grants or accuses.
_REFUSALS: dict[str, type[AuthnError]] = {
    **_family(MediaError),
    **_family(ExaminationFailed),
    **_family(ReceiptRefused),
    Unavailable.code: Unavailable,
    SettingsError.code: SettingsError,
    RegistryError.code: RegistryError,
    BadRequest.code: BadRequest,
}
