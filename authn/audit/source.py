"""What a person names as the source of an audit, and opening it: a path, a bucket's address, or a list."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from authn.audit.buckets import BucketInputs, is_bucket
from authn.audit.entry import Inputs
from authn.audit.inputs import open_inputs
from authn.audit.lists import STDIN, ListInputs
from authn.audit.plan import Question
from authn.audit.select import EVERYTHING, Selection
from authn.audit.web import is_web
from authn.core.media import MediaLimits

READERS_OF_A_NETWORK = 8
LIST_WORD = "list "


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """``text`` is absolute where it is a path; ``listed``: it is a list of names (``nul``: a NUL after each),
    relative to ``root``."""

    text: str
    listed: bool = False
    nul: bool = False
    root: Path = Path()

    @classmethod
    def named(cls, text: str) -> Source:
        """A folder, an archive or a bucket. Links in a path are the user's own."""
        return cls(text=text if is_bucket(text) else os.path.abspath(text))  # noqa: PTH100

    @classmethod
    def list_of(cls, text: str, *, nul: bool) -> Source:
        kept = text == STDIN or is_web(text)
        path = text if kept else os.path.abspath(text)  # noqa: PTH100
        return cls(text=path, listed=True, nul=nul, root=Path.cwd())

    @property
    def question(self) -> str:
        """As the run states it."""
        return f"{LIST_WORD}{self.text} in {self.root}" if self.listed else self.text

    @property
    def run_name(self) -> str:
        """Of the folder that a run gets by itself."""
        last = self.text.rstrip("/").rpartition("/")[2]
        return "list" if self.listed and self.text == STDIN else last or "source"

    @property
    def readers_per_worker(self) -> int:
        return READERS_OF_A_NETWORK if self.listed or is_bucket(self.text) else 2

    def open(
        self, limits: MediaLimits, *, leave_out: Path | None = None, select: Selection = EVERYTHING
    ) -> Inputs:
        """Raises ``AuditError``."""
        if self.listed:
            return ListInputs(self.text, limits, nul=self.nul, root=self.root, select=select)
        if is_bucket(self.text):
            return BucketInputs(self.text, limits, select=select)
        return open_inputs(Path(self.text), limits, leave_out=leave_out, select=select)


def source_of(question: Question) -> tuple[Source, Selection] | None:
    """What an audit says that it audited; None for a list, which may be gone, and for what is not here."""
    text = question.source
    if text.startswith(LIST_WORD) or not (is_bucket(text) or Path(text).exists()):
        return None
    return Source(text=text), Selection.said(question.facts)
