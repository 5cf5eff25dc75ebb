"""Where a command is told to write: never over a photo, or over anything else that is not its own.

One word too few (``assay verify --html *.jpg`` in a folder of two photos) names a photo as the page. So what
is written again and again replaces only what is of its own kind, and a drawing only takes a free name.
Whatever ends a command, no half of a file bears the name that was chosen.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from authn.core.errors import BadRequest
from authn.tlog.format.text import RECEIPT_HEADER

_HEAD_BYTES = 64


class Kind(Enum):
    """What a file begins with that a command may replace by a newer one."""

    PAGE = ("HTML page", (b"<!doctype html",))
    PDF = ("PDF", (b"%pdf-",))
    RECEIPT = ("receipt", (RECEIPT_HEADER.encode(), b"\xd2"))  # the text, and COSE_Sign1 with its tag
    CRL = ("revocation list", (b"\x30",))  # DER; no kind of media begins so


def refuse_other(target: Path, kind: Kind) -> None:
    """Raises ``BadRequest`` where something other than ``kind``, or an empty file, bears the name already."""
    noun, heads = kind.value
    try:
        if not target.exists():
            return
        if target.is_file():  # no pipe is opened, no device replaced
            with target.open("rb") as f:
                head = f.read(_HEAD_BYTES).lower()
            if not head or head.startswith(heads):
                return
    except OSError as e:
        raise BadRequest(f"{target} cannot be written: {e.strerror}") from e
    raise BadRequest(f"{target} is there already and is no {noun}; it is not overwritten")


def create(target: Path, data: bytes) -> None:
    """All of it, for its owner alone, under a name that is free. Raises ``BadRequest`` where it is not, or
    cannot be written."""
    from signer.core.durable import create_durably

    try:
        create_durably(target, data)
    except FileExistsError as e:
        raise BadRequest(f"{target} exists already") from e
    except OSError as e:
        raise BadRequest(f"{target} cannot be written: {e.strerror}") from e


def refuse_taken(target: Path) -> None:
    """Raises ``BadRequest`` where anything bears the name already."""
    if target.exists() or target.is_symlink():
        raise BadRequest(f"{target} is there already; it is not overwritten")
